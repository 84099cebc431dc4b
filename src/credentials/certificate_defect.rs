//! Why one certificate cannot be used.

use memchr::memmem;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;

/// What is wrong with one certificate of a PEM file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateDefect {
    /// `-----BEGIN CERTIFICATE` without the final hyphens.
    #[error("its BEGIN line does not end with five hyphens")]
    BeginLine,
    /// The file or the next certificate begins before its end.
    #[error("it has no END line")]
    NoEnd,
    /// The content is not base64.
    #[error("its content is not base64")]
    NotBase64,
    /// OpenSSL's own format.
    #[error("it is an OpenSSL TRUSTED CERTIFICATE")]
    Trusted,
    /// The content is not a certificate.
    #[error("its content is not an X.509 certificate")]
    NotX509,
    /// It is a certificate, but the library does not accept it.
    #[error("it is an X.509 certificate that the TLS library does not accept")]
    NotAccepted,
    /// Who does not know a critical extension must reject the certificate (RFC 5280 4.2).
    #[error(
        "its extension {0} is marked critical, and the TLS library does not know that extension"
    )]
    CriticalExtension(ObjectIdentifier),
    /// The parameters of its key's curve instead of the curve's name, which RFC 5480 2.1.1 forbids.
    #[error("its key is on an elliptic curve that is described by parameters instead of its name")]
    UnnamedCurve,
}

impl CertificateDefect {
    /// How to fix it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NotX509 => "export the certificate as PEM (-----BEGIN CERTIFICATE-----)",
            Self::Trusted => "convert it with `openssl x509 -in FILE -out NEW`",
            Self::BeginLine | Self::NoEnd | Self::NotBase64 => {
                "export that certificate again as PEM, or remove it"
            }
            Self::CriticalExtension(_) => {
                "issue the certificate again without that extension, or without marking it critical"
            }
            Self::UnnamedCurve => {
                "convert the key with `openssl pkey -in FILE -ec_param_enc named_curve -out NEW`, and issue the \
                 certificate again for it"
            }
            Self::NotAccepted => {
                "issue the certificate again, with version 3 and the common extensions only"
            }
        }
    }

    /// Why the TLS library rejects this certificate.
    #[must_use]
    pub fn of_rejected(der: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = Certificate::from_der(der) else {
            return Self::NotX509;
        };
        let extensions = certificate.tbs_certificate().extensions();
        let mut critical = extensions.into_iter().flatten().filter(|one| one.critical);
        match critical.find(|one| !KNOWN_EXTENSIONS.contains(&one.extn_id)) {
            Some(unknown) => Self::CriticalExtension(unknown.extn_id),
            None => Self::NotAccepted,
        }
    }
}

/// The extensions that webpki knows: key usage, subject alternative names, basic constraints, name constraints, CRL
/// distribution points, and extended key usage.
const KNOWN_EXTENSIONS: [ObjectIdentifier; 6] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.30"),
    ObjectIdentifier::new_unwrap("2.5.29.31"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
];

/// Whether the DER of a certificate describes a curve by its parameters. Only these name the kind of its field:
/// `prime-field` or `characteristic-two-field` (RFC 3279 2.3.5).
pub(super) fn has_unnamed_curve(der: &[u8]) -> bool {
    const PRIME_FIELD: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1];
    const BINARY_FIELD: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 2];
    [PRIME_FIELD, BINARY_FIELD]
        .iter()
        .any(|field| memmem::find(der, field).is_some())
}
