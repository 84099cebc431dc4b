//! What a token that a token request presents says about itself, as far as the server's trust must name it. The token
//! itself is never shown.

use std::time::SystemTime;

use serde_json::Value;

use super::claims::relative;
use crate::config::{RequestSource, SecretForm, SourceRole};
use crate::text::{date_and_time, excerpt};
use crate::token::{DecodedToken, decode, is_encrypted};

/// The most characters of a claim to show.
const LONGEST: usize = 200;

/// The claims of this token, and which of them must be known to the server. `None` for a secret, which has none.
pub(super) fn describe(source: &RequestSource, token: &[u8], now: SystemTime) -> Option<String> {
    match source.form {
        SecretForm::Jwt | SecretForm::Token => {}
        SecretForm::Text
        | SecretForm::PrivateKey(_)
        | SecretForm::CertificateKey
        | SecretForm::AccessToken => return None,
    }
    let text = std::str::from_utf8(token).unwrap_or_default();
    if is_encrypted(text) {
        return Some("an encrypted JWT, which only the server can read".to_owned());
    }
    let decoded = decode(text)?;
    let claims = [
        ("iss", text_of(&decoded, "iss")),
        ("sub", text_of(&decoded, "sub")),
        ("aud", text_of(&decoded, "aud")),
    ];
    let shown = claims.map(|(name, value)| match value {
        Some(value) => format!("{name} {value}"),
        None => format!("no {name}"),
    });
    let end = match decoded.time("exp") {
        Some(end) => format!(
            "valid until {} ({})",
            date_and_time(end).unwrap_or_else(|| "after the year 9999".to_owned()),
            relative(end, now)
        ),
        None => "without end".to_owned(),
    };
    Some(format!(
        "{}, {end}; {}",
        shown.join(", "),
        trust(source.role)
    ))
}

/// Which claims the server's trust must name.
const fn trust(role: SourceRole) -> &'static str {
    match role {
        SourceRole::Client => {
            "the server must trust iss, know sub as this client, and accept aud as its own name"
        }
        SourceRole::Grant | SourceRole::Actor => {
            "the server must trust iss, know sub, and accept aud as its own name"
        }
    }
}

/// A claim that is a string or a list of them.
fn text_of(token: &DecodedToken, name: &str) -> Option<String> {
    let text = match token.claims.get(name)? {
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let texts: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            texts.join(" and ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    Some(excerpt(&text, LONGEST))
}

#[cfg(test)]
mod tests;
