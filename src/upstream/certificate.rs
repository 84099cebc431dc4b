//! A certificate that was refused: which check failed, and who issued what was presented.
//!
//! The platform's verifier alone decides. What stands here only puts its refusals into words that
//! travel inside the error, so that whoever shows the error, for the upstream or for the token
//! endpoint, shows them too. The price: the alert that the server is sent is `certificate_unknown`
//! for all of them.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use x509_cert::der::Decode as _;

use crate::text::{Unprintable, sanitize, shorten};

/// A verifier that explains its refusals.
#[derive(Debug)]
pub(super) struct Explained<V>(pub(super) V);

impl<V: ServerCertVerifier> ServerCertVerifier for Explained<V> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| match error {
                rustls::Error::InvalidCertificate(check) => {
                    let refused = CertificateRefused::new(check, end_entity, server_name);
                    CertificateError::Other(OtherError(Arc::new(refused))).into()
                }
                other => other,
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Which check a certificate failed, and who issued it to whom.
#[derive(Debug, Clone)]
pub struct CertificateRefused {
    check: CertificateError,
    expected: String,
    parties: Option<Parties>,
}

/// Who issued a certificate, and its last moment since 1970; nothing if it cannot be read.
pub(super) fn issuer_and_end(presented: &CertificateDer<'_>) -> Option<(String, Duration)> {
    let certificate = x509_cert::Certificate::from_der(presented).ok()?;
    let certificate = certificate.tbs_certificate();
    Some((
        quotable_name(&certificate.issuer().to_string()),
        certificate.validity().not_after.to_unix_duration(),
    ))
}

/// Distinguished names as RFC 4514 writes them, shortened; only what may be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parties {
    issuer: String,
    subject: String,
}

impl CertificateRefused {
    fn new(
        check: CertificateError,
        presented: &CertificateDer<'_>,
        expected: &ServerName<'_>,
    ) -> Self {
        let parties = x509_cert::Certificate::from_der(presented).ok();
        Self {
            check,
            expected: expected.to_str().into_owned(),
            parties: parties.map(|certificate| Parties {
                issuer: quotable_name(&certificate.tbs_certificate().issuer().to_string()),
                subject: quotable_name(&certificate.tbs_certificate().subject().to_string()),
            }),
        }
    }

    /// Whether only the authority is unknown: `network.ca_file` can mend that.
    #[must_use]
    pub fn is_unknown_authority(&self) -> bool {
        matches!(
            self.check,
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        )
    }

    /// Whether it is expired or not valid yet, by our clock.
    #[must_use]
    pub fn is_about_time(&self) -> bool {
        matches!(
            self.check,
            CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. }
        )
    }

    fn is_self_signed(&self) -> bool {
        self.parties
            .as_ref()
            .is_some_and(|parties| parties.issuer == parties.subject)
    }

    /// `issued by "CN=…" to "CN=…"`, as far as that is known.
    fn issued(&self) -> String {
        match &self.parties {
            None => "it cannot be read".to_owned(),
            Some(Parties { subject, .. }) if self.is_self_signed() => {
                format!("self-signed by \"{subject}\"")
            }
            Some(Parties { issuer, subject }) => {
                format!("issued by \"{issuer}\" to \"{subject}\"")
            }
        }
    }
}

impl fmt::Display for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issued = self.issued();
        match &self.check {
            CertificateError::UnknownIssuer if self.is_self_signed() => write!(
                f,
                "{issued}, which is not trusted; if that is meant, add it with network.ca_file"
            ),
            CertificateError::UnknownIssuer => write!(
                f,
                "{issued}, and that issuer is not trusted; if it is your company's TLS interception, \
                 add its CA with network.ca_file"
            ),
            // A CA that was made anew under its old name, or a forgery.
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => write!(
                f,
                "{issued}, and not signed by the issuer of that name that is trusted; if that is your \
                 company's TLS interception or a new CA, add it with network.ca_file"
            ),
            CertificateError::ExpiredContext { not_after, .. } => write!(
                f,
                "it expired at {} ({issued}); the server needs a new one, unless this machine's clock is wrong",
                time(*not_after)
            ),
            CertificateError::NotValidYetContext { not_before, .. } => write!(
                f,
                "it is not valid before {} ({issued}); is this machine's clock right?",
                time(*not_before)
            ),
            CertificateError::NotValidForNameContext { presented, .. } => write!(
                f,
                "it is made out to {}, not to \"{}\" ({issued})",
                names(presented),
                self.expected
            ),
            other => write!(f, "{other} ({issued})"), // rustls's own enum, which grows
        }
    }
}

impl std::error::Error for CertificateRefused {}

fn time(at: UnixTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.as_secs()))
}

/// The names of a certificate as rustls lists them, `DnsName("a.example")`, without the wrapping.
fn names(presented: &[String]) -> String {
    const MOST: usize = 4;
    let mut text = String::new();
    for name in presented.iter().take(MOST) {
        let bare = name.split('"').nth(1).unwrap_or(name);
        let separator = if text.is_empty() { "" } else { ", " };
        let _infallible = write!(text, "{separator}\"{}\"", quotable_name(bare));
    }
    match presented.len() {
        0 => "no name".to_owned(),
        1..=MOST => text,
        more => format!("{text} and {} more", more - MOST),
    }
}

/// Somebody else's text, fit to stand between quotes on a line of ours.
fn quotable_name(text: &str) -> String {
    const LONGEST: usize = 120;
    shorten(
        &sanitize(text, Unprintable::Mark).replace(['"', '<', '>', '\\'], "?"),
        LONGEST,
    )
}
