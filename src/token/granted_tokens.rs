//! The tokens in one response of the token endpoint (RFC 6749 5.1, OpenID Connect Core 3.1.3.3).

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::grant_error::GrantError;
use super::response::AccessToken;
use crate::credentials::Secret;

/// What the token endpoint has granted.
pub(super) struct GrantedTokens {
    /// A refresh token beside one that cannot be used is the next one all the same.
    pub(super) access: Result<AccessToken, GrantError>,
    /// Only a person's grant has one.
    pub(super) refresh: Option<Secret>,
    pub(super) id_token: Option<Zeroizing<String>>,
}

impl GrantedTokens {
    /// Reads what a person's grant has beside the access token.
    pub(super) fn of_person(access: Result<AccessToken, GrantError>, body: &[u8]) -> Self {
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        let (refresh, id_token) = match serde_json::from_slice::<PersonFields>(body) {
            Ok(fields) => (text(fields.refresh_token), text(fields.id_token)),
            Err(_) => (None, None), // its error may quote a token
        };
        Self {
            access,
            refresh: refresh.map(Secret::new),
            id_token: id_token.map(Zeroizing::new),
        }
    }
}

impl From<AccessToken> for GrantedTokens {
    fn from(access: AccessToken) -> Self {
        Self {
            access: Ok(access),
            refresh: None,
            id_token: None,
        }
    }
}

#[derive(Deserialize)]
struct PersonFields {
    refresh_token: Option<Value>,
    id_token: Option<Value>,
}
