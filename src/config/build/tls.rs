//! `tls.*`: how the listener speaks TLS.

use std::path::PathBuf;

use super::certificate_pair::certificate_pair;
use crate::config::guard::GuardConfig;
use crate::config::keys::{self, caller_path};
use crate::config::listen::Listen;
use crate::config::types::TlsConfig;
use crate::config::values::Values;
use crate::credentials::PresentedTo;

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
    let files = (&keys::TLS_CERT_FILE, &keys::TLS_KEY_FILE);
    let certificate = certificate_pair(values, files, PresentedTo::Clients);
    let client_ca_file = values.read(&keys::TLS_CLIENT_CA_FILE).map(PathBuf::from);
    values.named.client_ca_file.clone_from(&client_ca_file);
    let has_authorities = values.is_set(keys::TLS_CLIENT_CA_FILE.path());
    let requires_client = values.read(&keys::TLS_REQUIRE_CLIENT);
    reject_without_authorities(values, has_authorities, requires_client, guard);
    let (certificate, requires_client) = (certificate?, requires_client?);
    if certificate.is_none() && client_ca_file.is_some() {
        let problem = format!("has no effect without {CERT}");
        let remedy = format!("set {CERT} and {KEY} too");
        values.reject(keys::TLS_CLIENT_CA_FILE.path(), (problem, remedy));
        return None;
    }
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
    Some(certificate.map(|certificate| TlsConfig {
        certificate,
        client_ca_file,
        requires_client,
    }))
}

/// Without authorities nobody can present a certificate.
fn reject_without_authorities(
    values: &mut Values,
    has_authorities: bool,
    requires_client: Option<bool>,
    guard: Option<&GuardConfig>,
) {
    const CA: &str = keys::TLS_CLIENT_CA_FILE.path();
    if has_authorities {
        return;
    }
    let problem = || (format!("needs {CA}"), format!("set {CA} too, or remove it"));
    if requires_client == Some(true) {
        values.reject(keys::TLS_REQUIRE_CLIENT.path(), problem());
    }
    let callers = guard.into_iter().flat_map(|guard| &guard.callers);
    for caller in callers.filter(|caller| caller.san.is_some()) {
        let path = caller_path(&caller.name, keys::CALLER_SAN.path());
        values.reject(&path, problem());
    }
}

fn sends_keys_in_the_clear(listen: Option<&Listen>, guard: Option<&GuardConfig>) -> bool {
    let has_keys = |guard: &GuardConfig| guard.callers.iter().any(|one| one.key.is_some());
    listen.is_some_and(|listen| !listen.is_local()) && guard.is_some_and(has_keys)
}
