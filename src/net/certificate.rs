//! A server certificate that was rejected: which check failed, and who issued the certificate.
//!
//! The platform's verifier decides, except about a certificate that is itself in `network.ca_file`. This file describes
//! the rejections, inside the error itself, so that the description appears wherever the error is shown. The price is
//! that the server always receives the alert `certificate_unknown`, whichever check failed.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc5280::ID_KP_SERVER_AUTH;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::pinned;
use super::tls_words::certificate_words;
use crate::text::{Unprintable, sanitize, shorten};

/// A verifier whose errors say what is wrong with the certificate.
#[derive(Debug)]
pub(super) struct ExplainingVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    /// The certificates of `network.ca_file`.
    pinned: Vec<CertificateDer<'static>>,
}

impl ExplainingVerifier {
    pub(super) fn new(
        inner: Arc<dyn ServerCertVerifier>,
        pinned: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { inner, pinned }
    }
}

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let Err(rustls::Error::InvalidCertificate(mut check)) = verified else {
            return verified;
        };
        let is_pinned = || self.pinned.iter().any(|pinned| pinned == end_entity);
        if check != CertificateError::Revoked && is_pinned() {
            check = match pinned::check(end_entity, server_name, now) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(check) => check,
            };
        }
        let rejected = RejectedCertificate::new(check, end_entity, server_name);
        Err(CertificateError::Other(OtherError(Arc::new(rejected))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A certificate that failed a check of the verifier.
#[derive(Debug, Clone)]
pub struct RejectedCertificate {
    check: CertificateError,
    /// The host name that we connected to.
    expected: String,
    /// `None` if the certificate could not be parsed.
    names: Option<IssuerAndSubject>,
    /// The certificate is restricted to purposes that do not include a server. The platform's verifier reports that as
    /// an error of its own without public type.
    is_not_for_servers: bool,
}

/// Distinguished names in the notation of RFC 4514, shortened and safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
struct IssuerAndSubject {
    issuer: String,
    subject: String,
}

impl RejectedCertificate {
    fn new(
        check: CertificateError,
        presented: &CertificateDer<'_>,
        expected: &ServerName<'_>,
    ) -> Self {
        let certificate = x509_cert::Certificate::from_der(presented).ok();
        Self {
            check,
            expected: expected.to_str().into_owned(),
            is_not_for_servers: certificate.as_ref().is_some_and(is_not_for_servers),
            names: certificate.map(|certificate| IssuerAndSubject {
                issuer: quotable_name(&certificate.tbs_certificate().issuer().to_string()),
                subject: quotable_name(&certificate.tbs_certificate().subject().to_string()),
            }),
        }
    }

    /// Whether the certificate would be accepted if its issuer were added to `network.ca_file`.
    #[must_use]
    pub fn is_unknown_authority(&self) -> bool {
        matches!(
            self.check,
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        )
    }

    /// Whether the certificate is expired or not yet valid, by this machine's clock.
    #[must_use]
    pub fn is_outside_validity(&self) -> bool {
        matches!(
            self.check,
            CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. }
        )
    }

    fn is_self_signed(&self) -> bool {
        self.names
            .as_ref()
            .is_some_and(|names| names.issuer == names.subject)
    }

    /// `issued by "CN=…" to "CN=…"`, if the certificate can be parsed.
    fn issued(&self) -> String {
        match &self.names {
            None => "it cannot be parsed".to_owned(),
            Some(IssuerAndSubject { subject, .. }) if self.is_self_signed() => {
                format!("self-signed by \"{subject}\"")
            }
            Some(IssuerAndSubject { issuer, subject }) => {
                format!("issued by \"{issuer}\" to \"{subject}\"")
            }
        }
    }
}

impl fmt::Display for RejectedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issued = self.issued();
        match &self.check {
            CertificateError::UnknownIssuer if self.is_self_signed() => write!(
                f,
                "{issued}, which is not trusted; if whoever runs the server confirms that this certificate is its own, \
                 add it to network.ca_file"
            ),
            CertificateError::UnknownIssuer => write!(
                f,
                "{issued}, and this issuer is not trusted; if it belongs to your company's TLS interception, \
                 add its CA to network.ca_file"
            ),
            // Either a CA that was recreated under the same name, or a forgery.
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => write!(
                f,
                "{issued}, but not signed by the trusted issuer of that name; if your company's TLS interception or \
                 the server has a new CA of the same name, add that CA to network.ca_file"
            ),
            CertificateError::ExpiredContext { not_after, .. } => write!(
                f,
                "it expired at {} ({issued}); the server needs a new certificate, unless this machine's clock is wrong",
                timestamp(*not_after)
            ),
            CertificateError::NotValidYetContext { not_before, .. } => write!(
                f,
                "it is not valid before {} ({issued}); check this machine's clock",
                timestamp(*not_before)
            ),
            CertificateError::NotValidForNameContext { presented, .. } => write!(
                f,
                "it is valid for {}, not for \"{}\" ({issued})",
                listed(presented),
                self.expected
            ),
            CertificateError::Other(other) if self.is_not_for_servers && !is_path_error(other) => {
                let words = certificate_words(&CertificateError::InvalidPurpose);
                write!(f, "{words} ({issued})")
            }
            other => write!(f, "{} ({issued})", certificate_words(other)),
        }
    }
}

impl std::error::Error for RejectedCertificate {}

fn is_path_error(other: &OtherError) -> bool {
    other.0.downcast_ref::<webpki::Error>().is_some()
}

/// Whether the certificate lists purposes, and a server is not among them.
fn is_not_for_servers(certificate: &x509_cert::Certificate) -> bool {
    let usage = certificate
        .tbs_certificate()
        .get_extension::<ExtendedKeyUsage>();
    matches!(usage, Ok(Some((_, ExtendedKeyUsage(purposes)))) if !purposes.contains(&ID_KP_SERVER_AUTH))
}

/// The issuer of a certificate and the end of its validity since 1970; `None` if it cannot be parsed.
pub(super) fn issuer_and_end(certificate: &CertificateDer<'_>) -> Option<(String, Duration)> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let certificate = certificate.tbs_certificate();
    Some((
        quotable_name(&certificate.issuer().to_string()),
        certificate.validity().not_after.to_unix_duration(),
    ))
}

fn timestamp(time: UnixTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}

/// The names of a certificate. rustls writes each as `DnsName("a.example")`; the wrapper is removed.
fn listed(names: &[String]) -> String {
    const MAX_NAMES: usize = 4;
    let mut text = String::new();
    for name in names.iter().take(MAX_NAMES) {
        let bare = name.split('"').nth(1).unwrap_or(name);
        let separator = if text.is_empty() { "" } else { ", " };
        let _infallible = write!(text, "{separator}\"{}\"", quotable_name(bare));
    }
    match names.len() {
        0 => "no name at all".to_owned(),
        1..=MAX_NAMES => text,
        count => format!("{text} and {} more", count - MAX_NAMES),
    }
}

/// A name from a certificate, made safe to print between quotes on one line.
fn quotable_name(text: &str) -> String {
    const MAX_CHARACTERS: usize = 120;
    shorten(
        &sanitize(text, Unprintable::Mark).replace(['"', '<', '>', '\\'], "?"),
        MAX_CHARACTERS,
    )
}
