use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved};

use super::*;

/// A sentence has no name of a variant in it: no capital letter within a word, and no brackets of Rust.
#[track_caller]
fn is_prose(words: &str) {
    let camel = words
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    let known = words.replace("serverAuth", "").replace("cupbearer", "");
    assert!(!camel || known != words, "{words}");
    assert!(
        !words.contains(['{', '}', '[']) && !words.is_empty(),
        "{words}"
    );
}

#[test]
fn every_error_of_a_certificate_is_in_words() {
    let time = UnixTime::since_unix_epoch(Duration::ZERO);
    let name = ServerName::try_from("a.example").unwrap();
    for check in [
        CertificateError::BadEncoding,
        CertificateError::Expired,
        CertificateError::ExpiredContext {
            time,
            not_after: time,
        },
        CertificateError::NotValidYet,
        CertificateError::NotValidYetContext {
            time,
            not_before: time,
        },
        CertificateError::Revoked,
        CertificateError::UnhandledCriticalExtension,
        CertificateError::UnknownIssuer,
        CertificateError::UnknownRevocationStatus,
        CertificateError::ExpiredRevocationList,
        CertificateError::ExpiredRevocationListContext {
            time,
            next_update: time,
        },
        CertificateError::BadSignature,
        CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![1],
            supported_algorithms: Vec::new(),
        },
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![1],
            public_key_algorithm_id: vec![1],
        },
        CertificateError::NotValidForName,
        CertificateError::NotValidForNameContext {
            expected: name,
            presented: Vec::new(),
        },
        CertificateError::InvalidPurpose,
        CertificateError::InvalidPurposeContext {
            required: rustls::ExtendedKeyPurpose::ServerAuth,
            presented: Vec::new(),
        },
        CertificateError::InvalidOcspResponse,
        CertificateError::ApplicationVerificationFailure,
    ] {
        is_prose(&certificate_words(&check));
    }
}

#[test]
fn every_error_of_a_chain_is_in_words() {
    use webpki::Error as Path;
    for error in [
        Path::BadDer,
        Path::CaUsedAsEndEntity,
        Path::CertDistrusted,
        Path::EmptyEkuExtension,
        Path::EndEntityUsedAsCa,
        Path::ExtensionValueInvalid,
        Path::InvalidCertValidity,
        Path::InvalidNetworkMaskConstraint,
        Path::InvalidSerialNumber,
        Path::MalformedDnsIdentifier,
        Path::MalformedExtensions,
        Path::MalformedNameConstraint,
        Path::MaximumNameConstraintComparisonsExceeded,
        Path::MaximumPathBuildCallsExceeded,
        Path::MaximumPathDepthExceeded,
        Path::MaximumSignatureChecksExceeded,
        Path::NameConstraintViolation,
        Path::PathLenConstraintViolated,
        Path::SignatureAlgorithmMismatch,
        Path::UnsupportedCertVersion,
        Path::UnsupportedCriticalExtension,
        Path::UnsupportedNameType,
    ] {
        let other = CertificateError::Other(OtherError(Arc::new(error)));
        is_prose(&certificate_words(&other));
    }
}

#[test]
fn errors_of_the_protocol_and_alerts_are_in_words() {
    for (error, expected) in [
        (
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            "the server supports nothing that cupbearer supports (no cipher suites in common)",
        ),
        (
            Error::PeerMisbehaved(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec),
            "the server violates the protocol (illegal middlebox change cipher spec)",
        ),
        (
            Error::InvalidMessage(InvalidMessage::MissingData("ServerName")),
            "the server sent a malformed message (missing data)",
        ),
        (
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            "the server sent the alert handshake_failure",
        ),
        (
            Error::AlertReceived(AlertDescription::Unknown(200)),
            "the server sent the alert number 200",
        ),
    ] {
        let words = tls_words(&error);
        assert_eq!(words, expected);
        is_prose(&words);
    }
    assert_eq!(alert_name(AlertDescription::UnknownCA), "unknown_ca");
}
