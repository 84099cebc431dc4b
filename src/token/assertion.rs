//! The client assertion of `client_secret_jwt` and `private_key_jwt` (RFC 7523 2.2, 3; OpenID Connect Core 9), and the
//! assertion that is exchanged for a token (RFC 7523 2.1).
//!
//! Pure except for the random `jti`: the claims follow from the configuration and from the time, which is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::jwt::{DecodedToken, decode};
use super::key::{PrivateKey, PrivateKeyError};
use crate::config::{self, Algorithm};

/// `client_assertion_type` (RFC 7523 2.2).
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is valid: long enough for one request and for clocks that differ. Servers allow 5 minutes and
/// more.
const LIFETIME: Duration = Duration::from_mins(2);
/// `iat` lies this far in the past, so that a server whose clock is behind by less does not reject the assertion as
/// issued in the future. A larger difference is corrected.
pub(super) const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
/// 128 random bits never repeat.
const JTI_BYTES: usize = 16;

/// An assertion signed with the client secret: HS256 unless configured otherwise (RFC 7518 3.2).
///
/// # Errors
/// The system provides no randomness.
pub(super) fn with_secret(
    client_id: &str,
    config: &config::Assertion,
    secret: &[u8],
    now: SystemTime,
) -> Result<String, PrivateKeyError> {
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
    let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
    Ok(join(input, tag.as_ref()))
}

/// An assertion signed with the private key.
///
/// # Errors
/// See [`PrivateKeyError`].
pub(super) fn with_key(
    client_id: &str,
    config: &config::Assertion,
    key: &[u8],
    now: SystemTime,
) -> Result<String, PrivateKeyError> {
    let key = PrivateKey::read(key)?;
    signed(&claims(client_id, &config.audience, now)?, config, &key)
}

/// An assertion that is exchanged for a token (RFC 7523 2.1, 3). Its issuer is `token.claims.iss`, else the client,
/// else the one in the key file.
///
/// # Errors
/// See [`PrivateKeyError`].
pub(super) fn for_grant(
    client_id: &str,
    config: &config::Assertion,
    configured: &BTreeMap<String, String>,
    key: &[u8],
    now: SystemTime,
) -> Result<String, PrivateKeyError> {
    let key = PrivateKey::read(key)?;
    let own = Some(client_id).filter(|id| !id.is_empty());
    let issuer = configured.get("iss").map(String::as_str).or(own);
    let in_file = key.issuer();
    let issuer = issuer.or(in_file).ok_or(PrivateKeyError::NoIssuer)?;
    let mut claims = claims(issuer, &config.audience, now)?;
    if let Value::Object(claims) = &mut claims {
        if in_file.is_some() {
            claims.remove("sub"); // Google acts for the service account itself unless there is a subject
        }
        claims.extend(
            configured
                .iter()
                .map(|(name, value)| (name.clone(), json!(value))),
        );
    }
    signed(&claims, config, &key)
}

/// What [`for_grant`] would send for this configuration, for people to read. `None` if nothing is signed, or if the key
/// cannot be used.
#[must_use]
pub fn signed_for_grant(
    grant: &config::GrantConfig,
    key: &[u8],
    now: SystemTime,
) -> Option<DecodedToken> {
    let config::GrantType::SignedJwtBearer { assertion, claims } = &grant.grant else {
        return None;
    };
    let signed = for_grant(&grant.client_id, assertion, claims, key, now);
    decode(&signed.ok()?)
}

fn signed(
    claims: &Value,
    config: &config::Assertion,
    key: &PrivateKey,
) -> Result<String, PrivateKeyError> {
    let algorithm = key.algorithm(config.algorithm)?;
    let id = key.id(config.key_id.as_deref());
    let header = json!({ "alg": algorithm.as_str(), "typ": "JWT", "kid": id });
    let input = signing_input(&header, claims);
    let signature = key.sign(algorithm, input.as_bytes())?;
    Ok(join(input, &signature))
}

/// There is no `nbf`: it adds nothing to `iat` and could only be wrong. `aud` is one string, not a list
/// (draft-ietf-oauth-rfc7523bis).
fn claims(client_id: &str, audience: &str, now: SystemTime) -> Result<Value, PrivateKeyError> {
    let mut jti = [0; JTI_BYTES];
    rand::fill(&mut jti).map_err(|_| PrivateKeyError::Signing)?;
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

fn join(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    input
}
