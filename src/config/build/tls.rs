//! `tls.*`: how the listener speaks TLS.

use std::path::PathBuf;

use crate::config::guard::GuardConfig;
use crate::config::keys;
use crate::config::listen::Listen;
use crate::config::types::TlsConfig;
use crate::config::values::Values;
use crate::credentials::{CertificateFiles, PresentedTo};

const CERT: &str = keys::TLS_CERT_FILE.path();
const KEY: &str = keys::TLS_KEY_FILE.path();

/// The whole table.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether there was a problem"
)]
pub(super) fn tls(
    values: &mut Values,
    listen: Option<&Listen>,
    guard: Option<&GuardConfig>,
) -> Option<Option<TlsConfig>> {
    let certificate = certificate(values)?;
    if certificate.is_some() && matches!(listen, Some(Listen::Unix { .. })) {
        let problem = (
            "has no effect, because listen is a unix socket",
            "remove it, or listen on an address",
        );
        values.reject(CERT, problem);
        return None;
    }
    if certificate.is_none() && sends_keys_in_the_clear(listen, guard) {
        values.warn(format!(
            "listen is not loopback and {CERT} is not set, so the keys of guard.callers cross the network unencrypted; \
             set {CERT} and {KEY}"
        ));
    }
    Some(certificate.map(|certificate| TlsConfig { certificate }))
}

/// Both files or neither.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether there was a problem"
)]
fn certificate(values: &mut Values) -> Option<Option<CertificateFiles>> {
    let alone = |other: &str| {
        (
            format!("is set without {other}"),
            format!("set {other} too"),
        )
    };
    match (values.is_set(CERT), values.is_set(KEY)) {
        (false, false) => return Some(None),
        (true, false) => values.reject(CERT, alone(KEY)),
        (false, true) => values.reject(KEY, alone(CERT)),
        (true, true) => {
            let cert = values.read(&keys::TLS_CERT_FILE);
            let key = values.read(&keys::TLS_KEY_FILE);
            let certificate = CertificateFiles {
                to: PresentedTo::Clients,
                cert_file: PathBuf::from(cert?),
                key_file: PathBuf::from(key?),
            };
            values.named.certificates.push(certificate.clone());
            return Some(Some(certificate));
        }
    }
    None
}

fn sends_keys_in_the_clear(listen: Option<&Listen>, guard: Option<&GuardConfig>) -> bool {
    let has_keys = |guard: &GuardConfig| guard.callers.iter().any(|one| one.key.is_some());
    listen.is_some_and(|listen| !listen.is_local()) && guard.is_some_and(has_keys)
}
