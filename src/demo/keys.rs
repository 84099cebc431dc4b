//! The authorization server's RSA key: made at the start, never written down.
//!
//! Signs access tokens (RS256), publishes the public half (RFC 7517) and verifies for the API.

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

/// 48 random bytes are 64 characters of base64url: the length and alphabet of real secrets.
const CLIENT_SECRET_BYTES: usize = 48;

/// A client secret of unreserved characters only, so that it survives every encoding.
pub(super) fn client_secret() -> io::Result<Secret> {
    let mut bytes = [0; CLIENT_SECRET_BYTES];
    rand::fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

pub(super) struct SigningKey {
    pair: KeyPair,
    id: String,
}

impl SigningKey {
    /// Takes some tens of milliseconds of one core: for a thread that may block.
    ///
    /// # Errors
    /// The system gives no randomness.
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

    /// A JWS in compact form (RFC 7515 7.1). Signed here and not by `jsonwebtoken`, which wants the
    /// private key exported and parses it again for every token.
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
            .expect("a 2048-bit key signs SHA-256 into a buffer of its modulus' length");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Checks signature, issuer and expiry, without leeway; the audience is the caller's matter.
    ///
    /// # Errors
    /// The first of these that does not hold.
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
    io::Error::other("the system gave no randomness for a key")
}

#[cfg(test)]
mod tests;
