//! Why a TLS handshake failed, in the words of whoever has to mend it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::certificate::CertificateRefused;
use super::errors::ConnectError;

/// The handshake failed, and not because of the upstream's certificate.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// What came is no TLS record.
    #[error(
        "what answers there speaks no TLS; the port of upstream.url may not be the one for https"
    )]
    NotTls,
    /// TLS 1.1 or older only.
    #[error("the upstream offers neither TLS 1.2 nor TLS 1.3")]
    OldVersion,
    /// It wants to know who we are.
    #[error(
        "the upstream wants a client certificate; set upstream.client_cert_file and .client_key_file"
    )]
    WantsCertificate,
    /// It looked at our certificate, or at its absence, and said this.
    #[error(
        "the upstream refused us with the alert {alert:?}; if it asks for a client certificate, is upstream.client_cert_file the right one?"
    )]
    RefusedUs {
        /// RFC 8446 §6.2.
        alert: AlertDescription,
    },
    /// It hung up.
    #[error("the upstream closed the connection during the handshake")]
    Ended,
    /// Anything else.
    #[error("the handshake broke off")]
    Other {
        /// What failed.
        source: io::Error,
    },
}

/// A certificate that fails its check is told apart from every other broken handshake.
pub(super) fn failed(error: io::Error) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
            match other.0.downcast_ref::<CertificateRefused>() {
                Some(refused) => ConnectError::Certificate {
                    source: Box::new(refused.clone()),
                },
                None => handshake(HandshakeError::Other { source: error }),
            }
        }
        Some(known) => match named(known) {
            Some(named) => handshake(named),
            None => handshake(HandshakeError::Other { source: error }),
        },
        None if error.kind() == io::ErrorKind::UnexpectedEof => handshake(HandshakeError::Ended),
        None => handshake(HandshakeError::Other { source: error }),
    }
}

const fn handshake(source: HandshakeError) -> ConnectError {
    ConnectError::Handshake { source }
}

fn named(error: &rustls::Error) -> Option<HandshakeError> {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            Some(HandshakeError::NotTls)
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
            | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | rustls::Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
            Some(HandshakeError::OldVersion)
        }
        rustls::Error::AlertReceived(alert) => refusal(*alert),
        _ => None, // rustls's own enum, which grows
    }
}

fn refusal(alert: AlertDescription) -> Option<HandshakeError> {
    match alert {
        AlertDescription::CertificateRequired => Some(HandshakeError::WantsCertificate),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError
        | AlertDescription::HandshakeFailure => Some(HandshakeError::RefusedUs { alert }),
        _ => None, // rustls's own enum, which grows
    }
}

/// In TLS 1.3 our half of the handshake is done before the upstream has looked at our certificate, so
/// its refusal is the first thing that is read instead of an answer.
pub(super) fn late_refusal(error: &hyper::Error) -> Option<HandshakeError> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let found = inner
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = found {
            return refusal(*alert);
        }
        cause = inner.source();
    }
    None
}
