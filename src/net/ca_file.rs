//! `network.ca_file`: reads it, and says what is wrong with it.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::credentials::{
    CertificateDefect, FileError, PemCertificates, PemDefect, pem_certificates, read_regular,
};

/// The largest bundle that is read, in bytes.
pub(super) const MAX_CA_FILE: u64 = 16 << 20;

/// Why `network.ca_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// The file cannot be read.
    #[error("it {0}")]
    File(FileError),
    /// It has no certificate, or a broken one.
    #[error(transparent)]
    Pem(PemDefect),
}

impl CaFileError {
    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File(error) => error.remedy(),
            Self::Pem(defect) => defect.remedy().to_owned(),
        }
    }
}

/// Reads the certificates of a file. Each of them can be a trust anchor.
///
/// # Errors
/// The file cannot be read, or a certificate in it is broken.
pub fn read_ca_file(path: &Path) -> Result<PemCertificates, CaFileError> {
    let bytes = read_regular(path, MAX_CA_FILE).map_err(CaFileError::File)?;
    pem_certificates(&bytes, check_trust_anchor).map_err(CaFileError::Pem)
}

fn check_trust_anchor(certificate: &CertificateDer<'_>) -> Result<(), CertificateDefect> {
    let mut roots = RootCertStore::empty();
    let added = roots.add(certificate.clone().into_owned());
    added.map_err(|_| CertificateDefect::of_rejected(certificate))
}
