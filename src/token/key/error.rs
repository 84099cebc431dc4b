//! Why a private key cannot be used, and how to fix it. No variant holds any part of the key.

use crate::config::Algorithm;

/// Why a private key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Neither PEM nor JSON.
    #[error("it is neither PEM nor a JWK")]
    Unknown,
    /// It looks like PEM, but its content is invalid.
    #[error("its PEM is invalid")]
    Pem,
    /// PEM that contains something else.
    #[error("it holds a {0}, not a private key")]
    OtherPem(&'static str),
    /// It is protected by a passphrase, which a service cannot ask for.
    #[error("it is encrypted with a passphrase")]
    Encrypted,
    /// JSON that is not a key.
    #[error("it is JSON, but not a JWK (RFC 7517)")]
    NotJwk,
    /// A set of keys instead of one key.
    #[error("it is a set of keys, not a single key")]
    KeySet,
    /// The `kty`, `crv` or `alg` is not supported.
    #[error("it is a JWK of a type that is not supported (RSA and EC on P-256 are)")]
    UnsupportedType,
    /// A JWK without private members.
    #[error("it is the public half of a key")]
    PublicOnly,
    /// It is damaged, or of a size or curve that is not supported.
    #[error("it is neither a valid RSA key of 2048 to 8192 bits nor a valid EC key on P-256")]
    Invalid,
    /// The key cannot sign what is configured, or what its own `alg` says.
    #[error("it cannot sign with {}, because it is an {key_type} key", algorithm.as_str())]
    Mismatch {
        /// The algorithm that is required.
        algorithm: Algorithm,
        /// `RSA` or `EC`.
        key_type: &'static str,
    },
    /// An assertion needs an issuer, and neither the configuration nor the key's file names one.
    #[error("it signs an assertion without an issuer")]
    NoIssuer,
    /// The library reports an error, or the system provides no randomness.
    #[error("signing failed")]
    Signing,
}

impl PrivateKeyError {
    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Pem | Self::NotJwk | Self::Invalid => {
                "write the private key as PEM (PKCS#8, PKCS#1 or SEC1) or JWK; `cupbearer keygen` generates one"
            }
            Self::OtherPem(_) | Self::PublicOnly => "name the file that holds the private key",
            Self::Encrypted => "decrypt it: openssl pkey -in OLD -out NEW",
            Self::KeySet => "keep only the private key itself, without \"keys\"",
            Self::UnsupportedType => {
                "use an RSA key, or an EC key on P-256; `cupbearer keygen` generates one"
            }
            Self::Mismatch { .. } => "remove token.algorithm, or set one that fits the key",
            Self::NoIssuer => "set token.claims = { iss = \"…\" }, or token.client_id",
            Self::Signing => "try again",
        }
    }
}
