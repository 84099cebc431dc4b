//! A private key that signs, and its public half (RFC 7517, RFC 7518).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::error::PrivateKeyError;
use crate::config::Algorithm;

/// A private key, ready to sign.
pub(crate) struct PrivateKey {
    pub(super) pair: SigningPair,
    /// The `kid` of the JWK.
    pub(super) jwk_id: Option<String>,
    /// The `client_email` of Google's service account file.
    pub(super) issuer: Option<String>,
    /// The `alg` of the JWK.
    pub(super) jwk_algorithm: Option<Algorithm>,
}

pub(super) enum SigningPair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl PrivateKey {
    /// The algorithm to sign with: the configured one, else that of the JWK, else the usual one for the key's type.
    ///
    /// # Errors
    /// [`PrivateKeyError::Mismatch`].
    pub(crate) fn algorithm(
        &self,
        configured: Option<Algorithm>,
    ) -> Result<Algorithm, PrivateKeyError> {
        let (key_type, usual) = match self.pair {
            SigningPair::Rsa(_) => ("RSA", Algorithm::Rs256),
            SigningPair::Ec(_) => ("EC", Algorithm::Es256),
        };
        let algorithm = configured.or(self.jwk_algorithm).unwrap_or(usual);
        let fits = match algorithm {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => key_type == "RSA",
            Algorithm::Es256 => key_type == "EC",
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => false,
        };
        if fits {
            Ok(algorithm)
        } else {
            Err(PrivateKeyError::Mismatch {
                algorithm,
                key_type,
            })
        }
    }

    /// The `kid`: the configured one, else that of the JWK, else the thumbprint.
    pub(crate) fn id(&self, configured: Option<&str>) -> String {
        match configured.or(self.jwk_id.as_deref()) {
            Some(id) => id.to_owned(),
            None => self.thumbprint(),
        }
    }

    /// The issuer that its file names.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The signature of a JWS (RFC 7518 3.3, 3.4).
    ///
    /// # Errors
    /// [`PrivateKeyError::Mismatch`], [`PrivateKeyError::Signing`].
    pub(crate) fn sign(
        &self,
        algorithm: Algorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, PrivateKeyError> {
        let algorithm = self.algorithm(Some(algorithm))?;
        let random = SystemRandom::new();
        match &self.pair {
            SigningPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding(algorithm), &random, message, &mut signature)
                    .map_err(|_| PrivateKeyError::Signing)?;
                Ok(signature)
            }
            SigningPair::Ec(pair) => {
                let signature = pair
                    .sign(&random, message)
                    .map_err(|_| PrivateKeyError::Signing)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }

    /// The members of the public half that its thumbprint covers, in the order of their names.
    pub(super) fn public(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            SigningPair::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "e": part(e.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": part(n.big_endian_without_leading_zero()),
                })
            }
            SigningPair::Ec(pair) => {
                // SEC 1 2.3.3: 4, then both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({ "crv": "P-256", "kty": "EC", "x": part(x), "y": part(y) })
            }
        }
    }

    /// RFC 7638: SHA-256 over the required members in the order of their names, as [`Self::public`]
    /// writes them.
    pub(super) fn thumbprint(&self) -> String {
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
