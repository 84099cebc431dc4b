//! `token.header`, `.prefix` and `.keep_authorization`: how a request to the API carries the token.

use http::{HeaderName, header};

use crate::config::field_names::has_own_meaning;
use crate::config::keys;
use crate::config::token_field::TokenField;
use crate::config::types::UpstreamConfig;
use crate::config::values::Values;
use crate::text::quoted;

const HEADER: &str = keys::TOKEN_HEADER.path();
const PREFIX: &str = keys::TOKEN_PREFIX.path();
const KEEP: &str = keys::TOKEN_KEEP_AUTHORIZATION.path();

/// The three keys.
pub(super) fn token_field(values: &mut Values) -> Option<TokenField> {
    let header = header(values);
    let prefix = prefix(values);
    let keeps_authorization = values.read(&keys::TOKEN_KEEP_AUTHORIZATION);
    let (name, shown_name) = header?;
    if keeps_authorization? && name == header::AUTHORIZATION {
        let problem = format!("cannot be true, because the token is sent as {shown_name}");
        values.reject(KEEP, (problem, format!("remove it, or set {HEADER}")));
        return None;
    }
    Some(TokenField {
        name,
        shown_name,
        prefix: prefix?,
        keeps_authorization: keeps_authorization?,
    })
}

/// The name as `http` compares it, and as it was written.
fn header(values: &mut Values) -> Option<(HeaderName, String)> {
    let text = values.read(&keys::TOKEN_HEADER)?;
    let Ok(name) = HeaderName::try_from(&text) else {
        let problem = format!("{} is not a valid header name", quoted(&text));
        values.reject(HEADER, (problem, "write letters, digits and \"-\""));
        return None;
    };
    if has_own_meaning(name.as_str()) {
        let problem = format!("{text} has a meaning of its own and cannot carry the token");
        let remedy = "write the field from which the API reads the token, such as \"X-Api-Key\"";
        values.reject(HEADER, (problem, remedy));
        return None;
    }
    Some((name, text))
}

/// Printable ASCII, since anything else could end the field or be read in several ways. A space follows it anyway.
fn prefix(values: &mut Values) -> Option<String> {
    let text = values.read(&keys::TOKEN_PREFIX)?;
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.trim() == text && text.bytes().all(is_plain) {
        return Some(text);
    }
    let problem = format!("{} cannot stand before the token", quoted(&text));
    let remedy = "write printable ASCII without spaces around it, such as \"Bearer\"; a space is added before the token";
    values.reject(PREFIX, (problem, remedy));
    None
}

/// The same field cannot have two values.
pub(super) fn reject_fixed(
    values: &mut Values,
    field: Option<&TokenField>,
    upstream: Option<&UpstreamConfig>,
) {
    let (Some(field), Some(upstream)) = (field, upstream) else {
        return;
    };
    if upstream.headers.iter().any(|(name, _)| field.is(name)) {
        let fixed = keys::UPSTREAM_HEADERS.path();
        let problem = format!("{} is set by {fixed} too", field.shown_name);
        let remedy = format!("remove it from {fixed}, or send the token in another field");
        values.reject(HEADER, (problem, remedy));
    }
}
