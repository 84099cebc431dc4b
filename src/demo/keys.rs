//! The RSA key of the authorization server: generated at the start and never stored.
//!
//! It signs access tokens (RS256), is published as a key set (RFC 7517) and verifies tokens for the API.

use std::io;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::credentials::Secret;

/// 48 random bytes are 64 characters of base64url, which is the length and alphabet of PingOne's secrets.
const CLIENT_SECRET_BYTES: usize = 48;

/// A random client secret that consists of unreserved characters, so that no encoding changes it.
pub(super) fn client_secret() -> io::Result<Secret> {
    random_text().map(Secret::new)
}

/// As many random characters as in a client secret.
pub(super) fn random_text() -> io::Result<String> {
    random_bytes::<CLIENT_SECRET_BYTES>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn random_bytes<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(bytes)
}

pub(super) struct RsaSigningKey {
    pair: KeyPair,
    id: String,
}

impl RsaSigningKey {
    /// Takes tens of milliseconds of CPU time, so it belongs on a thread that may block.
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub(super) fn generate() -> io::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| no_randomness())?;
        Ok(Self {
            pair,
            id: Uuid::new_v4().to_string(),
        })
    }

    /// The key set at `jwks_uri` (RFC 7517 5).
    pub(super) fn jwks(&self) -> Value {
        let public = self.pair.public_key();
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        }] })
    }

    /// A JWS in compact serialization (RFC 7515 7.1). Not signed by `jsonwebtoken`, which needs the exported private
    /// key and parses it again for every token.
    pub(super) fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": self.id, "typ": typ });
        let input = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .expect("a 2048-bit key can sign a SHA-256 digest into a buffer of the length of its modulus");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Checks signature, issuer and expiry, without leeway, but not the audience.
    ///
    /// # Errors
    /// The first of these that is not valid.
    pub(super) fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        issuer: &str,
    ) -> jsonwebtoken::errors::Result<C> {
        let public = self.pair.public_key();
        let key = DecodingKey::from_rsa_raw_components(
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        );
        let mut rules = Validation::new(Algorithm::RS256);
        rules.leeway = 0;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["exp", "iss"]);
        rules.set_issuer(&[issuer]);
        jsonwebtoken::decode(token, &key, &rules).map(|token| token.claims)
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn no_randomness() -> io::Error {
    io::Error::other("the operating system provides no randomness for a key")
}

#[cfg(test)]
mod tests;
