//! Whose a token is, by what its server says.

use serde_json::Value;

use super::jwt::{DecodedToken, decode};

/// Who a token was issued to, as a server knows that person. A client id does not say that: many people may use one
/// client.
pub(super) fn subject_in(token: &DecodedToken) -> Option<String> {
    let subject = match token.claims.get("sub")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if matches!(&*subject, "" | "null") {
        return None;
    }
    let issuer = token.text("iss").unwrap_or_default();
    Some(format!("{issuer} {subject}"))
}

/// The same for a token that may be no JWT.
pub(super) fn subject_of(token: &str) -> Option<String> {
    subject_in(&decode(token)?)
}

/// The beginning of no issuer.
const UNKNOWN: &str = "unknown ";

/// Stands for a person about whose identity the tokens say nothing, and who may be anyone: no two sign-ins get the same
/// value. Other processes find it in the store.
pub(super) fn unknown_subject() -> String {
    format!("{UNKNOWN}{:032x}", fastrand::u128(..))
}

/// Whether this stands for such a person.
pub(super) fn is_unknown_subject(subject: &str) -> bool {
    subject.starts_with(UNKNOWN)
}
