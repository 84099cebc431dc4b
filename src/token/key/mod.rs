//! The key of `private_key_jwt`: what it signs with, and its public half (RFC 7517, RFC 7518).
//!
//! `read` takes it from PEM or JWK, `make` makes a new one. Nothing here prints or stores a private part.

mod make;
mod read;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::config::{self, Algorithm};
use crate::credentials::Secret;

pub use make::{NewKey, new_key};

/// Why a private key cannot be used. No variant holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor JSON.
    #[error("it is neither PEM nor a JWK")]
    Unknown,
    /// The armour is there, its content is not.
    #[error("its PEM is broken")]
    Pem,
    /// PEM without a private key in it.
    #[error("it holds a {0}, not a private key")]
    OtherPem(&'static str),
    /// Under a passphrase, which nobody is there to type.
    #[error("it is encrypted with a passphrase")]
    Encrypted,
    /// JSON that is no key.
    #[error("it is JSON, but no JWK (RFC 7517)")]
    NoJwk,
    /// A set, where one key is wanted.
    #[error("it is a set of keys, not one key")]
    KeySet,
    /// `kty` is none of ours.
    #[error("it is a JWK of a kind that signs nothing here (RSA and EC on P-256 do)")]
    Kind,
    /// A JWK without its private members.
    #[error("it is the public half of a key")]
    PublicOnly,
    /// Damaged, or of a size or curve that is not taken.
    #[error("it is no sound RSA key of 2048 to 8192 bits and no sound EC key on P-256")]
    Unsound,
    /// The key cannot sign what is configured, or what its own `alg` says.
    #[error("it cannot sign {}: it is an {kind} key", algorithm.as_str())]
    Mismatch {
        /// What is wanted.
        algorithm: Algorithm,
        /// `RSA` or `EC`.
        kind: &'static str,
    },
    /// The library refused, or the system gave no randomness.
    #[error("signing failed")]
    Signing,
}

impl KeyError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Pem | Self::NoJwk | Self::Unsound => {
                "write the private key as PEM (PKCS#8, PKCS#1 or SEC1) or JWK; `cupbearer keygen` makes one"
            }
            Self::OtherPem(_) | Self::PublicOnly => "name the file with the private half",
            Self::Encrypted => "decrypt it: openssl pkey -in OLD -out NEW",
            Self::KeySet => "keep the one private key of it, without \"keys\"",
            Self::Kind => "use an RSA key, or an EC key on P-256; `cupbearer keygen` makes one",
            Self::Mismatch { .. } => "leave token.algorithm out, or name one that fits the key",
            Self::Signing => "try again",
        }
    }
}

/// Whether this key can sign what is configured.
///
/// # Errors
/// See [`KeyError`].
pub fn check_key(config: &config::Assertion, key: &Secret) -> Result<(), KeyError> {
    SigningKey::read(key)?.algorithm(config.algorithm).map(drop)
}

/// A private key, ready to sign.
pub(super) struct SigningKey {
    pair: Pair,
    /// The JWK's own `kid`.
    named: Option<String>,
    /// The JWK's own `alg`.
    meant_for: Option<Algorithm>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    /// What to sign with: as configured, else as the JWK says, else what is usual for the key.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`].
    pub(super) fn algorithm(&self, configured: Option<Algorithm>) -> Result<Algorithm, KeyError> {
        let (kind, usual) = match self.pair {
            Pair::Rsa(_) => ("RSA", Algorithm::Rs256),
            Pair::Ec(_) => ("EC", Algorithm::Es256),
        };
        let algorithm = configured.or(self.meant_for).unwrap_or(usual);
        let fits = match algorithm {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => kind == "RSA",
            Algorithm::Es256 => kind == "EC",
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => false,
        };
        if fits {
            Ok(algorithm)
        } else {
            Err(KeyError::Mismatch { algorithm, kind })
        }
    }

    /// `kid`: as configured, else the JWK's own, else the thumbprint.
    pub(super) fn id(&self, configured: Option<&str>) -> String {
        match configured.or(self.named.as_deref()) {
            Some(id) => id.to_owned(),
            None => self.thumbprint(),
        }
    }

    /// The signature of a JWS (RFC 7518 3.3, 3.4).
    ///
    /// # Errors
    /// [`KeyError::Mismatch`], [`KeyError::Signing`].
    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let algorithm = self.algorithm(Some(algorithm))?;
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding(algorithm), &random, message, &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                Ok(signature)
            }
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Signing)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }

    /// The members of the public half that make its thumbprint, in the order of their names.
    fn public(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "e": part(e.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": part(n.big_endian_without_leading_zero()),
                })
            }
            Pair::Ec(pair) => {
                // SEC 1 2.3.3: 4, then both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({ "crv": "P-256", "kty": "EC", "x": part(x), "y": part(y) })
            }
        }
    }

    /// RFC 7638: SHA-256 over the required members in the order of their names, as [`Self::public`]
    /// writes them.
    fn thumbprint(&self) -> String {
        let members = self.public().to_string();
        URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
    }
}

fn padding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Rs256
        | Algorithm::Es256
        | Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512 => &RSA_PKCS1_SHA256,
    }
}
