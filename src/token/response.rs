//! Reads the token endpoint's responses (RFC 6749 5.1 and 5.2, and the other form of errors that Ping uses).
//!
//! Pure: takes status, headers and bytes, returns a token or a [`GrantError`]. Of a body, nothing leaves this file but
//! the token itself and the sanitized error fields.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::bearer::bearer_header;
use super::client_auth::ClientCredentials;
use super::grant_error::GrantError;
use super::response_error::{ErrorResponse, ResponseDefect};
use super::schedule;
use super::unreachable::EndpointRole;
use crate::config::{GrantConfig, GrantType, TokenField};
use crate::text::{Unprintable, sanitize};

/// How much of a description is shown, in characters.
const MAX_DESCRIPTION: usize = 300;
/// How much of a code, an id or a media type is shown, in characters.
const MAX_WORD: usize = 100;
/// A run of token characters of this length is not prose: a UUID has 36, the shortest JWT far more.
const OPAQUE_RUN: usize = 40;
const WITHHELD: &str = "(withheld: it looks like a credential)";
const CORRELATION: &str = "(Correlation ID: ";

/// A token as it was granted.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The value of the field that carries it (`Bearer …`), marked sensitive.
    pub header: HeaderValue,
    /// Where the token begins in `header`.
    pub token_start: usize,
    /// Counted from the moment before the request was sent.
    pub lifetime: Duration,
    /// The response did not say that it is a bearer token.
    pub is_untyped: bool,
}

impl AccessToken {
    /// The token without its prefix, for code that must print or decode it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only printable ASCII characters are accepted in a token and before it.
        let header = self.header.to_str().unwrap_or_default();
        header.get(self.token_start..).unwrap_or_default()
    }
}

/// Reads a successful response. The type `accept_type` counts as Bearer too.
///
/// # Errors
/// The first [`ResponseDefect`] found.
pub(super) fn access_token(
    headers: &HeaderMap,
    body: &[u8],
    config: &GrantConfig,
    credential: &ClientCredentials<'_>,
) -> Result<AccessToken, ResponseDefect> {
    let response = SuccessfulResponse::parse(headers, body)?;
    let (header, token_start) = bearer(response.access_token.as_ref(), &config.field)?;
    let accept_type = config.accept_type.as_deref();
    let is_untyped = is_untyped(response.token_type.as_ref(), accept_type, credential)?;
    if matches!(config.grant, GrantType::TokenExchange { .. }) {
        is_issued_for_access(response.issued_token_type.as_ref())?;
    }
    let lifetime = lifetime(response.expires_in.as_ref(), config.default_lifetime)?;
    Ok(AccessToken {
        header,
        token_start,
        lifetime,
        is_untyped,
    })
}

/// Whether the type is missing (RFC 6749 5.1 requires it, but some servers leave it out). Any type but Bearer and the
/// accepted one is an error.
fn is_untyped(
    token_type: Option<&Value>,
    accept_type: Option<&str>,
    credential: &ClientCredentials<'_>,
) -> Result<bool, ResponseDefect> {
    let said = match token_type {
        None | Some(Value::Null) => return Ok(true),
        Some(Value::String(kind)) => kind,
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            let said = "not a string".to_owned();
            return Err(ResponseDefect::TokenType { said });
        }
    };
    let mut accepted = ["bearer"].into_iter().chain(accept_type);
    if accepted.any(|kind| said.eq_ignore_ascii_case(kind)) {
        return Ok(false);
    }
    // The longest type in use has 17 characters; anything else may be a misplaced token.
    let is_word = said.len() <= 24
        && said.bytes().all(|byte| byte.is_ascii_graphic())
        && !credential.appears_in(said);
    Err(ResponseDefect::TokenType {
        said: if is_word {
            format!("{said:?}")
        } else {
            "not a word".to_owned()
        },
    })
}

/// Whether an exchange issued an access token. A JWT may be one too (RFC 8693 3). The type is required, but some
/// servers leave it out.
fn is_issued_for_access(issued_token_type: Option<&Value>) -> Result<(), ResponseDefect> {
    const ACCESS: [&str; 2] = [
        "urn:ietf:params:oauth:token-type:access_token",
        "urn:ietf:params:oauth:token-type:jwt",
    ];
    match issued_token_type {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(issued)) if ACCESS.contains(&issued.as_str()) => Ok(()),
        Some(_) => Err(ResponseDefect::IssuedTokenType),
    }
}

/// Reads an error response. `body` is `None` if it is not a JSON object.
pub(super) fn error(
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<&[u8]>,
    credential: &ClientCredentials<'_>,
    now: SystemTime,
) -> GrantError {
    let response = body
        .and_then(|body| serde_json::from_slice::<ErrorFields>(body).ok())
        .and_then(|fields| fields.into_response(credential))
        .unwrap_or_else(|| ErrorResponse::Other {
            content_type: word(headers, &CONTENT_TYPE, credential),
        });
    let retry_after = retry_after(headers, now);
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => GrantError::Unavailable {
            endpoint: EndpointRole::Token,
            status,
            response,
            retry_after,
        },
        status if status.is_client_error() => GrantError::Refused {
            endpoint: EndpointRole::Token,
            status,
            response,
            retry_after,
        },
        status => GrantError::Unavailable {
            endpoint: EndpointRole::Token,
            status,
            response,
            retry_after,
        },
    }
}

/// A 429 or 5xx response to a request for metadata. Its body is not read.
pub(super) fn unavailable(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> GrantError {
    GrantError::Unavailable {
        endpoint: EndpointRole::Token,
        status,
        response: ErrorResponse::Other { content_type: None },
        retry_after: retry_after(headers, now),
    }
}

/// By how many seconds the response's `Date` is ahead of this machine's clock (RFC 9110 6.6.1).
pub(super) fn ahead_of(headers: &HeaderMap, now: SystemTime) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(date.trim()).ok()?;
    let seconds = |gap: Duration| i64::try_from(gap.as_secs()).ok();
    match theirs.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => seconds(behind.duration()).map(|gap| -gap),
    }
}

/// Whether a response may be JSON: its type says so, or it has no type.
pub(super) fn may_be_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| {
        kind.to_str()
            .is_ok_and(|kind| kind.to_ascii_lowercase().contains("json"))
    })
}

/// `Retry-After` in either form (RFC 9110 10.2.3). A date is compared with the response's own `Date` if there is one,
/// so that the clocks may differ.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .map(str::trim)
    };
    let value = text(RETRY_AFTER)?;
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = text(DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    Some(until.duration_since(from).unwrap_or_default())
}

/// The value of the field that carries the token, and where in it the token begins.
fn bearer(
    access_token: Option<&Value>,
    field: &TokenField,
) -> Result<(HeaderValue, usize), ResponseDefect> {
    let token = access_token
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty())
        .ok_or(ResponseDefect::NoToken)?;
    bearer_header(token, field)
}

/// A number or, as some servers send it, a string with a number.
pub(super) fn number_in(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `expires_in`. If it is missing, the configured lifetime.
fn lifetime(
    expires_in: Option<&Value>,
    default_lifetime: Duration,
) -> Result<Duration, ResponseDefect> {
    let seconds = match expires_in {
        None | Some(Value::Null) => return Ok(default_lifetime),
        Some(value) => number_in(value),
    };
    seconds
        .and_then(schedule::lifetime)
        .ok_or(ResponseDefect::Lifetime)
}

#[derive(Deserialize)]
struct SuccessfulResponse {
    access_token: Option<Value>,
    token_type: Option<Value>,
    expires_in: Option<Value>,
    issued_token_type: Option<Value>,
}

impl SuccessfulResponse {
    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, ResponseDefect> {
        if body.trim_ascii().is_empty() {
            return Err(ResponseDefect::Empty);
        }
        if headers
            .get(header::CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity")
        {
            return Err(ResponseDefect::Compressed);
        }
        // serde would accept an array as a struct. Its error may quote the token, so it is dropped here.
        let starts_as_object = body.trim_ascii().starts_with(b"{");
        serde_json::from_slice(body)
            .ok()
            .filter(|_| starts_as_object)
            .ok_or(ResponseDefect::NotJson)
    }
}

/// The fields of both forms: `error` and `error_description` (RFC 6749 5.2), or `code`, `message` and `id` (Ping).
#[derive(Deserialize)]
struct ErrorFields {
    error: Option<Value>,
    error_description: Option<Value>,
    code: Option<Value>,
    message: Option<Value>,
    id: Option<Value>,
}

impl ErrorFields {
    fn into_response(self, credential: &ClientCredentials<'_>) -> Option<ErrorResponse> {
        let prose = text(self.error_description.as_ref()).or_else(|| text(self.message.as_ref()));
        let (prose, id_in_prose) = prose.map_or((None, None), split_correlation_id);
        let clean = |text: &str, longest| clean(text, longest, credential);
        let code = text(self.error.as_ref())
            .or_else(|| text(self.code.as_ref()))
            .and_then(|code| clean(code, MAX_WORD));
        let description = prose.and_then(|prose| clean(prose, MAX_DESCRIPTION));
        if code.is_none() && description.is_none() {
            return None;
        }
        let correlation_id = id_in_prose
            .or_else(|| text(self.id.as_ref()))
            .and_then(|id| clean(id, MAX_WORD));
        Some(ErrorResponse::Fields {
            code,
            description,
            correlation_id,
        })
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

/// Ping appends the id to its description; it must not be lost when the description is shortened.
fn split_correlation_id(prose: &str) -> (Option<&str>, Option<&str>) {
    match prose.split_once(CORRELATION) {
        Some((before, after)) => (Some(before), after.split_once(')').map(|(id, _)| id)),
        None => (Some(prose), None),
    }
}

fn word(
    headers: &HeaderMap,
    name: &HeaderName,
    credential: &ClientCredentials<'_>,
) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| clean(text, MAX_WORD, credential))
}

/// Shortened, on one line, without terminal control characters; withheld if it discloses a credential.
fn clean(text: &str, longest: usize, credential: &ClientCredentials<'_>) -> Option<String> {
    let plain: String = sanitize(text, Unprintable::Remove)
        .chars()
        .take(longest)
        .collect();
    let plain = plain.trim();
    let start: String = text.chars().take(2 * longest).collect();
    match plain {
        "" => None,
        // Before it is shortened and sanitized, too: that may remove a part of a credential.
        _ if credential.appears_in(plain)
            || credential.appears_in(&start)
            || has_opaque_run(plain) =>
        {
            Some(WITHHELD.to_owned())
        }
        _ => Some(plain.to_owned()),
    }
}

fn has_opaque_run(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-._~+=".contains(c)))
        .any(|run| run.len() >= OPAQUE_RUN)
}
