//! The one classification of TLS failures, for the upstream, the token endpoint and the doctor.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use super::certificate::RejectedCertificate;
use super::tls_words::{alert_name, tls_words};
use crate::text::causes;

/// Why a TLS handshake failed.
///
/// The texts name no configuration key: which one helps depends on whether the server is the upstream or the token
/// endpoint, and is added by the room that talks to it.
#[derive(Debug, thiserror::Error)]
pub enum TlsFailure {
    /// The certificate does not prove the server's identity.
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(Box<RejectedCertificate>),
    /// The server sent something that is not a TLS record.
    #[error("the server does not speak TLS")]
    NotTls,
    /// The server supports only TLS 1.1 or older.
    #[error("the server supports neither TLS 1.2 nor TLS 1.3")]
    OldVersion,
    /// The server requires a client certificate, and we presented none.
    #[error("the server requires a client certificate")]
    ClientCertificateRequired,
    /// The server rejected our certificate, or the lack of one, with this alert (RFC 8446 section 6.2).
    #[error("the server rejected the TLS handshake with the alert {}", alert_name(*.0))]
    Rejected(AlertDescription),
    /// The server closed the connection.
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    /// Any other violation of the protocol.
    #[error("the TLS handshake failed: {}", tls_words(.0))]
    Protocol(rustls::Error),
    /// Any other failure of the connection.
    #[error("the TLS handshake failed: {0}")]
    Io(io::Error),
}

impl TlsFailure {
    /// Classifies the error of a TLS handshake over a connection.
    #[must_use]
    pub fn from_handshake(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => Self::from_tls(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(error),
        }
    }

    /// Classifies an error of the TLS library.
    #[must_use]
    pub fn from_tls(error: &rustls::Error) -> Self {
        let classified = match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
                let rejected = other.0.downcast_ref::<RejectedCertificate>();
                rejected.map(|rejected| Self::Certificate(Box::new(rejected.clone())))
            }
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Some(Self::NotTls),
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | rustls::Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
                Some(Self::OldVersion)
            }
            rustls::Error::AlertReceived(alert) => Self::from_alert(*alert),
            _ => None, // rustls's own enum, which grows
        };
        classified.unwrap_or_else(|| Self::Protocol(error.clone()))
    }

    /// Finds the server's rejection of our certificate in the error of an exchange.
    ///
    /// In TLS 1.3 our part of the handshake is complete before the server has verified our certificate, so its
    /// alert arrives where a response was expected.
    #[must_use]
    pub fn late_rejection(error: &(dyn Error + 'static)) -> Option<Self> {
        match causes(error).find_map(|cause| cause.downcast_ref())? {
            rustls::Error::AlertReceived(alert) => Self::from_alert(*alert),
            _ => None, // rustls's own enum, which grows
        }
    }

    fn from_alert(alert: AlertDescription) -> Option<Self> {
        match alert {
            AlertDescription::CertificateRequired => Some(Self::ClientCertificateRequired),
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure => Some(Self::Rejected(alert)),
            _ => None, // rustls's own enum, which grows
        }
    }
}
