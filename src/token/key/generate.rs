//! Generates a private key, together with the JWK set for the authorization server.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::error::PrivateKeyError;
use super::private_key::{PrivateKey, SigningPair};
use crate::config::Algorithm;
use crate::credentials::Secret;

/// The length of a base64 line in PEM (RFC 7468 2).
const PEM_LINE: usize = 64;

/// A key that has just been generated.
#[derive(Debug)]
pub struct GeneratedKey {
    /// The private half: PKCS#8 as PEM.
    pub private: Secret,
    /// The public half: a JWK set (RFC 7517 5) of one key.
    pub public: Value,
    /// The `kid`, which is the thumbprint (RFC 7638).
    pub id: String,
}

/// Generates a key for this algorithm: RSA of 2048 bits (takes tens of milliseconds), or EC on P-256.
///
/// # Errors
/// [`PrivateKeyError::Mismatch`] for an algorithm without a key pair, [`PrivateKeyError::Signing`] if
/// the system provides no randomness.
pub fn generate_key(algorithm: Algorithm) -> Result<GeneratedKey, PrivateKeyError> {
    let (pair, private) = match algorithm {
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => rsa()?,
        Algorithm::Es256 => ec()?,
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            let key_type = "asymmetric";
            return Err(PrivateKeyError::Mismatch {
                algorithm,
                key_type,
            });
        }
    };
    let key = PrivateKey {
        pair,
        jwk_id: None,
        issuer: None,
        jwk_algorithm: None,
    };
    let id = key.thumbprint();
    let mut public = key.public();
    public["kid"] = json!(id);
    public["use"] = json!("sig");
    public["alg"] = json!(algorithm.as_str());
    Ok(GeneratedKey {
        private,
        public: json!({ "keys": [public] }),
        id,
    })
}

fn rsa() -> Result<(SigningPair, Secret), PrivateKeyError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| PrivateKeyError::Signing)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| PrivateKeyError::Signing)?;
    let private = pem(der.as_ref());
    Ok((SigningPair::Rsa(pair), private))
}

fn ec() -> Result<(SigningPair, Secret), PrivateKeyError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .map_err(|_| PrivateKeyError::Signing)?;
    let der = pair.to_pkcs8v1().map_err(|_| PrivateKeyError::Signing)?;
    let private = pem(der.as_ref());
    Ok((SigningPair::Ec(pair), private))
}

fn pem(der: &[u8]) -> Secret {
    let text = Zeroizing::new(STANDARD.encode(der));
    let mut out = Vec::with_capacity(2 * text.len() + 128);
    out.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(PEM_LINE) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(b"-----END PRIVATE KEY-----\n");
    Secret::new(out)
}
