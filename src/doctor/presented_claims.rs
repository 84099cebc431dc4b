//! What a token that a token request presents, or that is signed for it, says about itself, as far as the server's
//! trust must name it. The token itself is never shown.

use std::time::SystemTime;

use serde_json::Value;

use super::claims::relative;
use crate::config::{GrantConfig, RequestSource, SecretForm, SourceRole};
use crate::text::{date_and_time, excerpt};
use crate::token::{DecodedToken, decode, is_encrypted, signed_for_grant};

/// The most characters of a claim to show.
const LONGEST: usize = 200;

/// The claims of this token, or of the assertion that is signed with this key, and which of them must be known to the
/// server. `None` for a secret, which has none.
pub(super) fn describe(
    source: &RequestSource,
    grant: Option<&GrantConfig>,
    secret: &[u8],
    now: SystemTime,
) -> Option<String> {
    let decoded = match (&source.form, source.role) {
        (SecretForm::Jwt | SecretForm::Token, _) => {
            let text = std::str::from_utf8(secret).unwrap_or_default();
            if is_encrypted(text) {
                return Some("an encrypted JWT, which only the server can read".to_owned());
            }
            decode(text)?
        }
        (SecretForm::PrivateKey(assertion), SourceRole::Client) => {
            let id = excerpt(&grant?.client_id, LONGEST);
            let audience = excerpt(&assertion.audience, LONGEST);
            return Some(format!(
                "signs iss and sub {id}, aud {audience}; the server must have this key's public half for that client, \
                 and accept aud as its own name"
            ));
        }
        (SecretForm::PrivateKey(_), SourceRole::Grant | SourceRole::Actor) => {
            let decoded = signed_for_grant(grant?, secret, now)?;
            return Some(format!(
                "signs {}; the server must have this key's public half for iss, let it act as sub, and accept aud as \
                 its own name",
                identity(&decoded)
            ));
        }
        (SecretForm::Text | SecretForm::CertificateKey | SecretForm::AccessToken, _) => {
            return None;
        }
    };
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
        identity(&decoded),
        trust(source.role)
    ))
}

/// The issuer, subject and audience of the token.
fn identity(token: &DecodedToken) -> String {
    let shown = ["iss", "sub", "aud"].map(|name| match text_of(token, name) {
        Some(value) => format!("{name} {value}"),
        None => format!("no {name}"),
    });
    shown.join(", ")
}

/// Which claims the server's trust must name.
const fn trust(role: SourceRole) -> &'static str {
    match role {
        SourceRole::Client => {
            "the server must trust iss, know sub as this client, and accept aud as its own name"
        }
        SourceRole::Grant => "the server must trust iss, know sub, and accept aud as its own name",
        SourceRole::Actor => {
            "the server must trust iss, let sub act for the subject, and accept aud as its own name"
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
