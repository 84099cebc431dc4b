//! A certificate and its private key: two keys of which neither works alone.

use std::path::PathBuf;

use crate::config::keys::Key;
use crate::config::values::Values;
use crate::credentials::{CertificateFiles, PresentedTo};

/// Both files or neither.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether there was a problem"
)]
pub(super) fn certificate_pair(
    values: &mut Values,
    (cert, key): (&Key<String>, &Key<String>),
    to: PresentedTo,
) -> Option<Option<CertificateFiles>> {
    let alone = |other: &Key<String>| {
        let other = other.path();
        (
            format!("is set without {other}"),
            format!("set {other} too"),
        )
    };
    match (values.is_set(cert.path()), values.is_set(key.path())) {
        (false, false) => return Some(None),
        (true, false) => values.reject(cert.path(), alone(key)),
        (false, true) => values.reject(key.path(), alone(cert)),
        (true, true) => {
            let cert_file = values.read(cert);
            let key_file = values.read(key);
            let certificate = CertificateFiles {
                to,
                cert_file: PathBuf::from(cert_file?),
                key_file: PathBuf::from(key_file?),
            };
            values.named.certificates.push(certificate.clone());
            return Some(Some(certificate));
        }
    }
    None
}
