//! The content of a JSON Web Token, as far as anyone can read it (RFC 7519). The signature is for its recipient to
//! verify.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The two readable parts of a JSON Web Token.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedToken {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Decodes a signed JWT (RFC 7519). `None` for any other token, which is opaque to a client.
#[must_use]
pub fn decode(token: &str) -> Option<DecodedToken> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    parts.next()?;
    let object = |part: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(part.trim_end_matches('='))
            .ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let decoded = DecodedToken {
        header: object(header)?,
        claims: object(claims)?,
    };
    parts.next().is_none().then_some(decoded)
}

/// Whether this is an encrypted JWT (RFC 7516 7.1), which only its recipient can read.
#[must_use]
pub fn is_encrypted(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let [header, _, iv, content, tag] = parts[..] else {
        return false;
    };
    let is_encoded = parts.iter().all(|part| part.bytes().all(is_digit));
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok();
    let header =
        header.and_then(|header| serde_json::from_slice::<Map<String, Value>>(&header).ok());
    let has_parts = [iv, content, tag].iter().all(|part| !part.is_empty());
    is_encoded && has_parts && header.is_some_and(|header| header.contains_key("enc"))
}

impl DecodedToken {
    /// A claim that is a string.
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a `NumericDate` (RFC 7519 2), also if it counts milliseconds, or is a string with a number. What
    /// is before 1970 counts as 1970: it has passed in any case.
    #[must_use]
    pub fn time(&self, claim: &str) -> Option<SystemTime> {
        unix_time(number(self.claims.get(claim)?)?.max(0.0))
    }

    /// Whether a claim is there that should be a time but cannot be read as one.
    pub(super) fn has_unreadable_time(&self, claim: &str) -> bool {
        self.claims.get(claim).is_some_and(|value| !value.is_null()) && self.time(claim).is_none()
    }

    /// Whether a claim that is a `NumericDate` would be after the year 9999, and so does not count seconds.
    #[must_use]
    pub fn is_beyond_dates(&self, claim: &str) -> bool {
        const LAST_SECOND: f64 = 253_402_300_799.0;
        let number = self.claims.get(claim).and_then(number);
        number.is_some_and(|number| number > LAST_SECOND)
    }
}

/// A number, also in a string, as some servers write it.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite())
}

/// Seconds since 1970. A number that would be after the year 5000 counts milliseconds: some programs write these, and a
/// token must not outlive its end.
pub(super) fn unix_time(number: f64) -> Option<SystemTime> {
    const LATEST: f64 = 1e11;
    let seconds = if number > LATEST {
        number / 1e3
    } else {
        number
    };
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

/// What differs between two tokens although they are for the same: their times, their own identifiers, and those of the
/// sign-in or the connection from which they come.
const OF_ONE_TOKEN: [&str; 17] = [
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "nonce",
    "sid",
    "session_state",
    "at_hash",
    "c_hash",
    "uti",
    "aio",
    "rh",
    "ipaddr",
    "xms_ftd",
    "origin_jti",
    "event_id",
];

/// Whether the second of two tokens is another one for the same access: both are JWTs that name their audience, and
/// they agree in every claim but those that differ in each token. A claim that nobody here knows may be a permission.
pub(super) fn is_renewal(before: &[u8], after: &[u8]) -> bool {
    let claims = |token: &[u8]| Some(decode(std::str::from_utf8(token).ok()?)?.claims);
    let (Some(before), Some(after)) = (claims(before), claims(after)) else {
        return false;
    };
    let lasting = |claims: Map<String, Value>| -> Map<String, Value> {
        let claims = claims.into_iter();
        let is_lasting = |(name, _): &(String, Value)| !OF_ONE_TOKEN.contains(&name.as_str());
        claims.filter(is_lasting).collect()
    };
    before.contains_key("aud") && lasting(before) == lasting(after)
}

#[cfg(test)]
mod tests;
