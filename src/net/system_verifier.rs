//! Verifies a server's certificate with the system's certificate authorities, whichever store they are in.

use std::sync::Arc;

#[cfg(all(unix, not(target_vendor = "apple")))]
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;

#[cfg(all(unix, not(target_vendor = "apple")))]
use super::system_store::named_certificates;

/// The platform's verifier, or one with the store that variables name. Trusts `more` too. Blocks on the disk.
///
/// # Errors
/// There is no certificate authority at all.
pub(super) fn system_verifier(
    more: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    #[cfg(all(unix, not(target_vendor = "apple")))]
    if let Some(named) = named_certificates() {
        return verifier_with(named, more, provider);
    }
    let provider = Arc::clone(provider);
    // On Windows, an empty list of extra authorities is an error.
    let platform = if more.is_empty() {
        Verifier::new(provider)
    } else {
        Verifier::new_with_extra_roots(more, provider)
    };
    Ok(Arc::new(platform?))
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn verifier_with(
    named: Vec<CertificateDer<'static>>,
    more: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in more {
        roots.add(certificate)?;
    }
    roots.add_parsable_certificates(named);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    match verifier {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(rustls::Error::General(error.to_string())),
    }
}
