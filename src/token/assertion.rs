//! The assertion of `client_secret_jwt` and `private_key_jwt` (RFC 7523 2.2, 3; OpenID Connect Core 9).
//!
//! Pure but for the `jti`: what it says follows from the configuration and the time it is given.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::key::{KeyError, SigningKey};
use crate::config::{self, Algorithm};
use crate::credentials::Secret;

/// `client_assertion_type` (RFC 7523 2.2).
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long one is good: for one request, and for clocks that differ. Servers allow 5 minutes and more.
const LIFETIME: Duration = Duration::from_mins(2);
/// `iat` lies this far back: a server whose clock is behind ours by less refuses nothing as issued in
/// the future. Beyond this the offset is corrected.
pub(super) const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
/// 128 bits never come twice.
const JTI_BYTES: usize = 16;

/// Made with the client secret: HS256 unless configured (RFC 7518 3.2).
///
/// # Errors
/// No randomness.
pub(super) fn with_secret(
    client_id: &str,
    config: &config::Assertion,
    secret: &Secret,
    now: SystemTime,
) -> Result<String, KeyError> {
    let algorithm = config.algorithm.unwrap_or(Algorithm::Hs256);
    let hash = match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        Algorithm::Hs256
        | Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Es256 => hmac::HMAC_SHA256,
    };
    let header = json!({ "alg": algorithm.as_str(), "typ": "JWT" });
    let input = signing_input(&header, &claims(client_id, &config.audience, now)?);
    let tag = hmac::sign(&hmac::Key::new(hash, secret.expose()), input.as_bytes());
    Ok(joined(input, tag.as_ref()))
}

/// Made with the private key.
///
/// # Errors
/// See [`KeyError`].
pub(super) fn with_key(
    client_id: &str,
    config: &config::Assertion,
    key: &Secret,
    now: SystemTime,
) -> Result<String, KeyError> {
    let key = SigningKey::read(key)?;
    let algorithm = key.algorithm(config.algorithm)?;
    let id = key.id(config.key_id.as_deref());
    let header = json!({ "alg": algorithm.as_str(), "typ": "JWT", "kid": id });
    let input = signing_input(&header, &claims(client_id, &config.audience, now)?);
    let signature = key.sign(algorithm, input.as_bytes())?;
    Ok(joined(input, &signature))
}

/// No `nbf`: it could only be wrong. `aud` is one string, not a list (draft-ietf-oauth-rfc7523bis).
fn claims(client_id: &str, audience: &str, now: SystemTime) -> Result<Value, KeyError> {
    let mut jti = [0; JTI_BYTES];
    rand::fill(&mut jti).map_err(|_| KeyError::Signing)?;
    Ok(json!({
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": seconds(now - CLOCK_TOLERANCE),
        "exp": seconds(now + LIFETIME),
        "jti": URL_SAFE_NO_PAD.encode(jti),
    }))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn joined(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    input
}
