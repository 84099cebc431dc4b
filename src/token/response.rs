//! What the token endpoint's answer means (RFC 6749 5.1 and 5.2, and the second shape of Ping's errors).
//!
//! Pure: status, headers and bytes in, a token or a [`Failure`] out. Nothing of a body leaves this
//! file but the token itself and the cleaned error fields.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::client_auth::Credential;
use super::failure::{Defect, Failure, Said};
use super::schedule;
use crate::text::{Unprintable, sanitize};

/// Longer tokens fit no server's header limit; Ping's reach 16 KiB.
const LONGEST_TOKEN: usize = 64 * 1024;
/// How much of a server's prose is shown, in characters.
const LONGEST_PROSE: usize = 300;
/// How much of a code, an id or a media type is shown, in characters.
const LONGEST_WORD: usize = 100;
/// A run of token characters this long is no prose: a UUID has 36, the shortest JWT far more.
const OPAQUE_RUN: usize = 40;
const WITHHELD: &str = "(withheld: it looks like a credential)";
const CORRELATION: &str = "(Correlation ID: ";

/// A token as it was granted.
#[derive(Debug)]
pub(super) struct Granted {
    /// `Bearer …`, sensitive.
    pub(super) header: HeaderValue,
    /// From the moment before the request was sent.
    pub(super) lifetime: Duration,
}

/// Reads a success.
///
/// # Errors
/// The first [`Defect`] found.
pub(super) fn granted(
    headers: &HeaderMap,
    body: &[u8],
    default_lifetime: Duration,
) -> Result<Granted, Defect> {
    let answer = Success::parse(headers, body)?;
    let header = bearer(answer.access_token.as_ref())?;
    if !answer
        .token_type
        .as_ref()
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
    {
        return Err(Defect::TokenType);
    }
    let lifetime = lifetime(answer.expires_in.as_ref(), default_lifetime)?;
    Ok(Granted { header, lifetime })
}

/// Reads an error answer; `body` is `None` where its type says that there is nothing to read in it.
pub(super) fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<&[u8]>,
    credential: &Credential<'_>,
    now: SystemTime,
) -> Failure {
    let said = body
        .and_then(|body| serde_json::from_slice::<ErrorFields>(body).ok())
        .and_then(|fields| fields.into_said(credential))
        .unwrap_or_else(|| Said::Other {
            content_type: word(headers, &CONTENT_TYPE, credential),
        });
    let retry_after = retry_after(headers, now);
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Failure::Unavailable {
            status,
            said,
            retry_after,
        },
        status if status.is_client_error() => Failure::Refused {
            status,
            said,
            retry_after,
        },
        status => Failure::Unavailable {
            status,
            said,
            retry_after,
        },
    }
}

/// A 429 or 5xx to a question that was none for a token: nothing of its body is read.
pub(super) fn unavailable(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Failure {
    Failure::Unavailable {
        status,
        said: Said::Other { content_type: None },
        retry_after: retry_after(headers, now),
    }
}

/// By how many seconds the answer's `Date` is ahead of our clock (RFC 9110 6.6.1).
pub(super) fn ahead_of(headers: &HeaderMap, now: SystemTime) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(date.trim()).ok()?;
    let seconds = |gap: Duration| i64::try_from(gap.as_secs()).ok();
    match theirs.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => seconds(behind.duration()).map(|gap| -gap),
    }
}

/// Whether an error answer may hold JSON: nothing else of it is read, let alone quoted.
pub(super) fn may_hold_error_fields(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| {
        kind.to_str()
            .is_ok_and(|kind| kind.to_ascii_lowercase().contains("json"))
    })
}

/// `Retry-After` in either form (RFC 9110 10.2.3). A date is compared with the answer's own `Date`
/// where it has one, so that our clock and the server's may differ.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .map(str::trim)
    };
    let asked = text(RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(asked.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let from = text(DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    Some(until.duration_since(from).unwrap_or_default())
}

fn bearer(access_token: Option<&Value>) -> Result<HeaderValue, Defect> {
    let token = access_token
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty())
        .ok_or(Defect::NoToken)?;
    if token.len() > LONGEST_TOKEN {
        return Err(Defect::TokenTooLong {
            limit: LONGEST_TOKEN,
        });
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Defect::TokenCharacters);
    }
    let mut header =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Defect::TokenCharacters)?;
    header.set_sensitive(true);
    Ok(header)
}

/// `expires_in` as a number or, as some servers send it, a string with one. Missing: the configured lifetime.
fn lifetime(expires_in: Option<&Value>, default_lifetime: Duration) -> Result<Duration, Defect> {
    let seconds = match expires_in {
        None | Some(Value::Null) => return Ok(default_lifetime),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    seconds.and_then(schedule::lifetime).ok_or(Defect::Lifetime)
}

#[derive(Deserialize)]
struct Success {
    access_token: Option<Value>,
    token_type: Option<Value>,
    expires_in: Option<Value>,
}

impl Success {
    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Defect> {
        if body.trim_ascii().is_empty() {
            return Err(Defect::Empty);
        }
        if headers
            .get(header::CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity")
        {
            return Err(Defect::Compressed);
        }
        // serde would take an array for a struct; its error text may quote the token, so it ends here.
        let starts_as_object = body.trim_ascii().starts_with(b"{");
        serde_json::from_slice(body)
            .ok()
            .filter(|_| starts_as_object)
            .ok_or(Defect::NotJson)
    }
}

/// Both shapes at once: `error`/`error_description` (RFC 6749 5.2), `code`/`message`/`id` (Ping's).
#[derive(Deserialize)]
struct ErrorFields {
    error: Option<Value>,
    error_description: Option<Value>,
    code: Option<Value>,
    message: Option<Value>,
    id: Option<Value>,
}

impl ErrorFields {
    fn into_said(self, credential: &Credential<'_>) -> Option<Said> {
        let prose = text(self.error_description.as_ref()).or_else(|| text(self.message.as_ref()));
        let (prose, named) = prose.map_or((None, None), split_correlation_id);
        let shown = |text: &str, longest| clean(text, longest, credential);
        let code = text(self.error.as_ref())
            .or_else(|| text(self.code.as_ref()))
            .and_then(|code| shown(code, LONGEST_WORD));
        let description = prose.and_then(|prose| shown(prose, LONGEST_PROSE));
        if code.is_none() && description.is_none() {
            return None;
        }
        let correlation_id = named
            .or_else(|| text(self.id.as_ref()))
            .and_then(|id| shown(id, LONGEST_WORD));
        Some(Said::Fields {
            code,
            description,
            correlation_id,
        })
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

/// Ping ends its prose with the id; it must survive the shortening.
fn split_correlation_id(prose: &str) -> (Option<&str>, Option<&str>) {
    match prose.split_once(CORRELATION) {
        Some((before, after)) => (Some(before), after.split_once(')').map(|(id, _)| id)),
        None => (Some(prose), None),
    }
}

fn word(headers: &HeaderMap, name: &HeaderName, credential: &Credential<'_>) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| clean(text, LONGEST_WORD, credential))
}

/// Shortened, on one line, without what steers a terminal, without what repeats a credential.
fn clean(text: &str, longest: usize, credential: &Credential<'_>) -> Option<String> {
    let plain: String = sanitize(text, Unprintable::Remove)
        .chars()
        .take(longest)
        .collect();
    let plain = plain.trim();
    match plain {
        "" => None,
        _ if credential.appears_in(plain) || has_opaque_run(plain) => Some(WITHHELD.to_owned()),
        _ => Some(plain.to_owned()),
    }
}

fn has_opaque_run(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-._~+=".contains(c)))
        .any(|run| run.len() >= OPAQUE_RUN)
}
