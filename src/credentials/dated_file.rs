//! A file that holds a token, with the time when it was last written.

use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::bounded_read::{FILE_TIMEOUT, read_within};
use super::regular_file::{FileError, read_regular_described};
use super::secret_error::SecretError;
use super::secret_source::MAX_SECRET_BYTES;

/// The content of a file, and when it was last written.
pub struct DatedFile {
    /// The content.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The time of its last modification; now, on a file system that keeps none.
    pub modified: SystemTime,
}

impl DatedFile {
    /// Reads it within 5 s.
    ///
    /// # Errors
    /// As for a secret in a file.
    pub async fn read(path: &Path) -> Result<Self, SecretError> {
        let owned = path.to_owned();
        let reading = read_within(FILE_TIMEOUT, path, move || {
            read_regular_described(&owned, MAX_SECRET_BYTES)
        });
        let read = reading.await.map_err(FileError::Other).flatten();
        let (bytes, metadata) = read.map_err(|error| SecretError::of_file(path, error))?;
        let modified = metadata.modified().unwrap_or_else(|_| SystemTime::now());
        Ok(Self { bytes, modified })
    }
}
