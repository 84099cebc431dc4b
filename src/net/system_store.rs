//! The system's certificate authorities: which store is used, how many authorities that contains, and why it contains
//! none.
//!
//! A store that a variable names is read here, since the platform's verifier would wait for a FIFO, and read a device
//! to its end.

use std::fmt;
#[cfg(all(unix, not(target_vendor = "apple")))]
use std::path::{Path, PathBuf};

#[cfg(all(unix, not(target_vendor = "apple")))]
use rustls::pki_types::CertificateDer;

#[cfg(all(unix, not(target_vendor = "apple")))]
use super::ca_file::MAX_CA_FILE;
#[cfg(all(unix, not(target_vendor = "apple")))]
use crate::credentials::{FileError, read_regular};

/// The store of certificate authorities that is trusted beside `network.ca_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemStore {
    /// Where it is: the variables that name it, or the operating system.
    source: String,
    /// How many certificates it holds; `None` if only the operating system knows.
    certificates: Option<usize>,
    /// What is wrong with it, each as a sentence that names the variable and the path.
    pub warnings: Vec<String>,
}

impl fmt::Display for SystemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.certificates {
            Some(1) => write!(f, "1 certificate authority of {}", self.source),
            Some(count) => write!(f, "{count} certificate authorities of {}", self.source),
            None => write!(f, "the certificate authorities of {}", self.source),
        }
    }
}

/// macOS and Windows have a store of their own, and ignore the variables.
#[cfg(any(not(unix), target_vendor = "apple"))]
#[must_use]
pub fn system_store() -> SystemStore {
    SystemStore {
        source: "the operating system".to_owned(),
        certificates: None,
        warnings: Vec::new(),
    }
}

/// Reads the store. Blocks on the disk.
#[cfg(all(unix, not(target_vendor = "apple")))]
#[must_use]
pub fn system_store() -> SystemStore {
    let Some(NamedStore {
        source,
        certificates,
        mut warnings,
    }) = named_store()
    else {
        return SystemStore {
            source: "the system's store".to_owned(),
            certificates: Some(rustls_native_certs::load_native_certs().certs.len()),
            warnings: Vec::new(),
        };
    };
    if certificates.is_empty()
        && let Some(last) = warnings.last_mut()
    {
        last.push_str("; no certificate authority of the system is trusted");
    }
    SystemStore {
        source,
        certificates: Some(certificates.len()),
        warnings,
    }
}

/// What is wrong with the store, if a variable names it. Reads nothing if none does. Blocks on the disk.
#[must_use]
pub fn store_warnings() -> Vec<String> {
    #[cfg(all(unix, not(target_vendor = "apple")))]
    if store_variables().is_empty() {
        return Vec::new();
    }
    system_store().warnings
}

/// The store that variables name instead of the usual one.
#[cfg(all(unix, not(target_vendor = "apple")))]
struct NamedStore {
    source: String,
    certificates: Vec<CertificateDer<'static>>,
    /// One for each path that contains none.
    warnings: Vec<String>,
}

/// The certificates of the store that variables name; `None` if none does. Blocks on the disk.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(super) fn named_certificates() -> Option<Vec<CertificateDer<'static>>> {
    Some(named_store()?.certificates)
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn named_store() -> Option<NamedStore> {
    let variables = store_variables();
    if variables.is_empty() {
        return None;
    }
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    let mut warnings = Vec::new();
    for variable in &variables {
        for path in &variable.paths {
            match variable.read(path) {
                Ok(found) => certificates.extend(found),
                Err(_) if path.as_os_str().is_empty() => {
                    warnings.push(format!("{} is empty", variable.name));
                }
                Err(what) => {
                    let shown = path.display();
                    warnings.push(format!("{} names {shown}, which {what}", variable.name));
                }
            }
        }
    }
    // A directory usually has several names for each file.
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup();
    let named = variables
        .iter()
        .map(|variable| format!("{}={}", variable.name, variable.value.display()));
    let named: Vec<String> = named.collect();
    Some(NamedStore {
        source: named.join(" and "),
        certificates,
        warnings,
    })
}

/// A variable that names the store instead of the usual one.
#[cfg(all(unix, not(target_vendor = "apple")))]
struct StoreVariable {
    name: &'static str,
    value: PathBuf,
    paths: Vec<PathBuf>,
    read: fn(&Path) -> Result<Vec<CertificateDer<'static>>, FileError>,
}

#[cfg(all(unix, not(target_vendor = "apple")))]
impl StoreVariable {
    /// The certificates at one of its paths. At least one, or what is wrong there.
    fn read(&self, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
        match (self.read)(path) {
            Ok(found) if found.is_empty() => Err("holds no certificate".to_owned()),
            Ok(found) => Ok(found),
            Err(FileError::Denied) => Err("cannot be read".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn store_variables() -> Vec<StoreVariable> {
    let mut variables = Vec::new();
    // If it is empty, it counts as a file without a name. An empty SSL_CERT_DIR counts as unset.
    if let Some(value) = std::env::var_os("SSL_CERT_FILE") {
        let value = PathBuf::from(value);
        variables.push(StoreVariable {
            name: "SSL_CERT_FILE",
            paths: vec![value.clone()],
            value,
            read: read_file,
        });
    }
    if let Some(value) = std::env::var_os("SSL_CERT_DIR") {
        let paths = std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty());
        let paths: Vec<PathBuf> = paths.collect();
        if !paths.is_empty() {
            variables.push(StoreVariable {
                name: "SSL_CERT_DIR",
                value: value.into(),
                paths,
                read: read_directory,
            });
        }
    }
    variables
}

/// Unlike in `network.ca_file`, what is no certificate is skipped: the store is not this user's work.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn read_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    use rustls::pki_types::pem::PemObject as _;
    let bytes = read_regular(path, MAX_CA_FILE)?;
    Ok(CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .collect())
}

/// Not the files of the directories in it.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn read_directory(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let entries = std::fs::read_dir(path).map_err(|error| match error.kind() {
        // Here it means that the path is a file.
        std::io::ErrorKind::NotADirectory => FileError::Other(error),
        _ => error.into(),
    })?;
    let files = entries.filter_map(Result::ok);
    let found = files.filter_map(|file| read_file(&file.path()).ok());
    Ok(found.flatten().collect())
}
