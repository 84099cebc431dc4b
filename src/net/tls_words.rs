//! rustls's errors in words. Their own texts contain names of Rust variants, which mean nothing to users.

use std::borrow::Cow;
use std::fmt::Debug;

use rustls::{AlertDescription, CertificateError, Error};

/// Why the verifier rejects a certificate, as the end of a sentence about the certificate.
pub(super) fn certificate_words(check: &CertificateError) -> Cow<'static, str> {
    let words = match check {
        CertificateError::BadEncoding => "it is not a well-formed X.509 certificate",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::Revoked => "its issuer has revoked it",
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that cupbearer does not know"
        }
        CertificateError::UnknownIssuer => "its issuer is not trusted",
        CertificateError::UnknownRevocationStatus => {
            "it is not known whether its issuer has revoked it"
        }
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "its issuer's list of revoked certificates is out of date"
        }
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its signature uses an algorithm that is not supported"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is valid for other names"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not meant for servers: its extended key usage lacks serverAuth"
        }
        CertificateError::InvalidOcspResponse => "its OCSP response is invalid",
        CertificateError::ApplicationVerificationFailure => {
            "the system rejects it, and does not say why"
        }
        CertificateError::Other(other) => {
            return match other.0.downcast_ref() {
                Some(error) => path_words(error).into(),
                None => other.0.to_string().into(), // the operating system's own words
            };
        }
        _ => "the verifier rejects it", // rustls's own enum, which grows and has deprecated variants
    };
    words.into()
}

/// The errors of certificates and their chains that rustls passes on without a variant of its own.
fn path_words(error: &webpki::Error) -> &'static str {
    use webpki::Error as Path;
    match error {
        Path::CaUsedAsEndEntity => {
            "it is the certificate of a certificate authority, not of a server; if \
             whoever runs the server confirms that it is its own, add exactly this certificate to network.ca_file"
        }
        Path::EndEntityUsedAsCa => {
            "its issuer's certificate is not that of a certificate authority"
        }
        Path::CertDistrusted => "its issuer is distrusted",
        Path::ExtensionValueInvalid | Path::MalformedExtensions => {
            "one of its extensions is malformed"
        }
        Path::EmptyEkuExtension => "its extended key usage is empty",
        Path::InvalidCertValidity => "its validity ends before it begins",
        Path::InvalidSerialNumber => "its serial number is invalid",
        Path::MalformedDnsIdentifier => "one of its DNS names is malformed",
        Path::InvalidNetworkMaskConstraint | Path::MalformedNameConstraint => {
            "a name constraint in its chain is malformed"
        }
        Path::NameConstraintViolation => "its issuer may not issue certificates for this name",
        Path::PathLenConstraintViolated | Path::MaximumPathDepthExceeded => "its chain is too long",
        Path::MaximumNameConstraintComparisonsExceeded
        | Path::MaximumPathBuildCallsExceeded
        | Path::MaximumSignatureChecksExceeded => "its chain is too costly to check",
        Path::SignatureAlgorithmMismatch => "it names two different signature algorithms",
        Path::TrailingData(_) => "it is followed by unexpected bytes",
        Path::UnsupportedCertVersion => {
            "it is not an X.509 version 3 certificate; reissue it with a subject alternative name"
        }
        Path::UnsupportedCriticalExtension => {
            "it has a critical extension that cupbearer does not know"
        }
        Path::UnsupportedNameType => "it contains a kind of name that is not supported",
        _ => "the verifier rejects it", // webpki's own enum, which grows; the rest is about revocation lists
    }
}

/// An error of the TLS library about a server, as a sentence without its end.
pub(super) fn tls_words(error: &Error) -> Cow<'static, str> {
    match error {
        Error::NoApplicationProtocol => "the server does not support HTTP/1.1 (ALPN)".into(),
        _ => peer_words(error, "server"),
    }
}

/// The same about a client that connects to cupbearer.
#[must_use]
pub fn client_fault_words(error: &Error) -> Cow<'static, str> {
    match error {
        Error::NoApplicationProtocol => "the client does not offer HTTP/1.1 (ALPN)".into(),
        Error::InvalidCertificate(check) => {
            let words = certificate_words(check);
            format!("the client's certificate was rejected: {words}").into()
        }
        _ => peer_words(error, "client"),
    }
}

fn peer_words(error: &Error, peer: &str) -> Cow<'static, str> {
    match error {
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            format!("the {peer} sent an unexpected message").into()
        }
        Error::InvalidMessage(what) => {
            format!("the {peer} sent a malformed message ({})", in_words(what)).into()
        }
        Error::NoCertificatesPresented => format!("the {peer} presented no certificate").into(),
        Error::DecryptError => format!("a message from the {peer} could not be decrypted").into(),
        Error::EncryptError => format!("a message to the {peer} could not be encrypted").into(),
        Error::PeerIncompatible(what) => format!(
            "the {peer} supports nothing that cupbearer supports ({})",
            in_words(what)
        )
        .into(),
        Error::PeerMisbehaved(what) => {
            format!("the {peer} violates the protocol ({})", in_words(what)).into()
        }
        Error::AlertReceived(alert) => {
            format!("the {peer} sent the alert {}", alert_name(*alert)).into()
        }
        Error::InvalidCertificate(check) => certificate_words(check),
        Error::PeerSentOversizedRecord => {
            format!("the {peer} sent a record that is too long").into()
        }
        Error::General(words) => words.clone().into(),
        Error::Other(other) => other.0.to_string().into(),
        Error::FailedToGetCurrentTime => "the system clock cannot be read".into(),
        Error::FailedToGetRandomBytes => "the system provides no random numbers".into(),
        Error::InconsistentKeys(_) => "the private key does not belong to the certificate".into(),
        _ => "the TLS library reported an unknown error".into(), // rustls's own enum, which grows
    }
}

/// An alert as RFC 8446 section 6 spells it: `handshake_failure`.
pub(super) fn alert_name(alert: AlertDescription) -> String {
    match alert.as_str() {
        Some(name) => split_words(name, '_'),
        None => format!("number {}", u8::from(alert)),
    }
}

/// The name of a variant as words. These enumerations have about a hundred variants, and their names are sentences.
fn in_words(variant: &impl Debug) -> String {
    let name = format!("{variant:?}");
    let end = name
        .find(|letter: char| !letter.is_ascii_alphanumeric())
        .unwrap_or(name.len());
    split_words(&name[..end], ' ')
}

/// `NoCipherSuitesInCommon` as `no cipher suites in common`.
fn split_words(name: &str, separator: char) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut after_lowercase = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lowercase {
            words.push(separator);
        }
        after_lowercase = !letter.is_ascii_uppercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests;
