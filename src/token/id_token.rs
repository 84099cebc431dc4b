//! The ID token of a sign-in (OpenID Connect Core 2): says who has signed in, and nothing else. It comes from the token
//! endpoint itself, over a connection that authenticates the server, so its signature need not be verified (3.1.3.7).

use std::time::SystemTime;

use serde_json::Value;

use super::jwt::{DecodedToken, decode};

/// The clocks of two machines may differ by this much.
const TOLERANCE: std::time::Duration = std::time::Duration::from_mins(2);

/// What an ID token must say.
pub(super) struct ExpectedIdToken<'a> {
    /// The issuer, where it is known.
    pub(super) issuer: Option<&'a str>,
    pub(super) client_id: &'a str,
    /// The nonce of the request.
    pub(super) nonce: Option<&'a str>,
}

/// Why an ID token is not one for this sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenDefect {
    /// It is not a JWT.
    #[error("it is not a JWT")]
    Form,
    /// `iss`.
    #[error("another issuer has issued it")]
    Issuer,
    /// `aud` or `azp`.
    #[error("it is for another client")]
    Audience,
    /// `nonce`.
    #[error("it is for another sign-in")]
    Nonce,
    /// `exp`.
    #[error("it has expired, by this machine's clock")]
    Expired,
    /// `sub`.
    #[error("it does not say who has signed in")]
    Subject,
}

/// Reads an ID token (3.1.3.7).
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn read_id_token(
    token: &str,
    expected: &ExpectedIdToken<'_>,
    now: SystemTime,
) -> Result<DecodedToken, IdTokenDefect> {
    let decoded = decode(token).ok_or(IdTokenDefect::Form)?;
    let issuer = decoded.text("iss").ok_or(IdTokenDefect::Issuer)?;
    if expected.issuer.is_some_and(|expected| expected != issuer) {
        return Err(IdTokenDefect::Issuer);
    }
    if !is_for(&decoded, expected.client_id) {
        return Err(IdTokenDefect::Audience);
    }
    if expected
        .nonce
        .is_some_and(|nonce| decoded.text("nonce") != Some(nonce))
    {
        return Err(IdTokenDefect::Nonce);
    }
    let is_over = |end: SystemTime| end.checked_add(TOLERANCE).is_some_and(|end| end <= now);
    if decoded.time("exp").is_none_or(is_over) {
        return Err(IdTokenDefect::Expired);
    }
    if decoded.text("sub").is_none_or(str::is_empty) {
        return Err(IdTokenDefect::Subject);
    }
    Ok(decoded)
}

fn is_for(token: &DecodedToken, client_id: &str) -> bool {
    let party = token.text("azp");
    if party.is_some_and(|party| party != client_id) {
        return false;
    }
    match token.claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => {
            let is_among = audiences.iter().any(|one| one.as_str() == Some(client_id));
            is_among && (audiences.len() == 1 || party.is_some())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
