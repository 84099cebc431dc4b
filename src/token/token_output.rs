//! What `token.source` yields: the token alone, or JSON with one in a form that is in use.
//!
//! Pure. Nothing of the output leaves this file but the token.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::bearer::bearer_header;
use super::jwt::{decode, number, unix_time};
use super::response_error::ResponseDefect;
use super::schedule;
use crate::config::TokenField;

/// A token, and what is said about its end.
#[derive(Clone)]
pub(super) struct TokenOutput {
    pub(super) token: String,
    stated: StatedEnd,
    /// The `exp` of a JWT.
    pub(super) expires_at: Option<SystemTime>,
}

/// What the output says about the end of its token.
#[derive(Debug, Clone, Copy, PartialEq)]
enum StatedEnd {
    Nothing,
    /// This long after the token was obtained, or at least after it was written there.
    After(Duration),
    At(SystemTime),
    /// At a local time of an unknown zone, which is this time at the latest.
    NotAfter(SystemTime),
}

/// How far local time can be behind UTC.
const FURTHEST_BEHIND: Duration = Duration::from_hours(12);

/// Why there is no token in an output that can be sent. Contains nothing of the output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputDefect {
    /// Nothing, or only white space.
    #[error("it is empty")]
    Empty,
    /// More than any token.
    #[error("it is longer than 64 KiB")]
    TooLong,
    /// Not UTF-8, or with the byte order mark of an editor.
    #[error("it is not plain UTF-8 text")]
    NotText,
    /// Colours, for example.
    #[error("it contains control characters, such as those that colour a terminal")]
    ControlCharacters,
    /// More than the token.
    #[error("it has {lines} lines, but a token is a single line")]
    SeveralLines {
        /// How many lines are not empty.
        lines: usize,
    },
    /// A prompt, or a scheme before the token.
    #[error("it is a text with spaces, not a token")]
    Prose,
    /// It begins with a brace, a bracket or a quotation mark.
    #[error("it begins like JSON, but is not a complete JSON object or string")]
    BrokenJson,
    /// An object without a token in any of the known members.
    #[error(
        "it is JSON without a token in access_token, accessToken, credential.access_token or status.token"
    )]
    NoToken,
    /// It is `null`, a page or a sign, for example.
    #[error("it is a placeholder such as null, or has characters that no token has")]
    NoTokenText,
    /// It may be bound to a key, for example.
    #[error("its token_type is not Bearer")]
    TokenType,
    /// The token cannot be sent in a header.
    #[error("{0}")]
    Unsendable(ResponseDefect),
    /// It is not a number, a time, or in the future.
    #[error("it does not say in a readable form when its token expires")]
    UnreadableEnd,
    /// The token has expired already.
    #[error("its token expired at {}", humantime::format_rfc3339_seconds(*.at))]
    Expired {
        /// When.
        at: SystemTime,
    },
}

impl OutputDefect {
    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "log in with that program again, and run the command by hand",
            Self::NotText => "have the token written as UTF-8 without a byte order mark",
            Self::ControlCharacters => {
                "turn colours off, for example with --only-show-errors --output json"
            }
            Self::SeveralLines { .. } | Self::Prose | Self::BrokenJson => {
                "it must be the token alone or JSON with one: run the command by hand, with its standard input closed, to \
                 see whether it asks for a login"
            }
            Self::TooLong => "check that this is the right address",
            Self::NoToken => {
                "choose an output that is the token alone, or JSON with one of these members"
            }
            Self::NoTokenText => {
                "print only the token: run the command by hand, and check whether it finds a token at all"
            }
            Self::TokenType => "only plain Bearer tokens can be used",
            Self::Unsendable(_) => "check that the output is the token and nothing else",
            Self::UnreadableEnd => {
                "choose an output that is the token alone; the exp of a JWT must be a number (RFC 7519 section 4.1.4)"
            }
            Self::Expired { .. } => {
                "whatever issues it must renew it: log in with that program again, and look at this machine's clock"
            }
        }
    }

    /// Whether a file may be complete a moment later.
    pub(super) const fn may_be_cut(&self) -> bool {
        matches!(self, Self::Empty | Self::BrokenJson)
    }
}

/// Whether there is a token in an output that can be sent `now`.
///
/// # Errors
/// The first [`OutputDefect`] found.
pub fn check_output(output: &[u8], now: SystemTime) -> Result<(), OutputDefect> {
    let lifetime = token_output(output)?.lifetime(None, now, schedule::LONGEST_LIFETIME);
    lifetime.map(drop)
}

/// Finds the token.
///
/// # Errors
/// The first [`OutputDefect`] found.
pub(super) fn token_output(output: &[u8]) -> Result<TokenOutput, OutputDefect> {
    let text = std::str::from_utf8(output).map_err(|_| OutputDefect::NotText)?;
    if text.starts_with('\u{feff}') {
        return Err(OutputDefect::NotText);
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(OutputDefect::Empty);
    }
    let is_steering = |letter: char| letter.is_control() && !letter.is_whitespace();
    if text.contains(is_steering) {
        return Err(OutputDefect::ControlCharacters);
    }
    let (token, stated) = if text.starts_with(['{', '[', '"']) {
        // serde's error may quote the token.
        match serde_json::from_str(text).map_err(|_| OutputDefect::BrokenJson)? {
            Value::Object(object) => of_object(&object)?,
            Value::String(token) => (token, StatedEnd::Nothing),
            _ => return Err(OutputDefect::NoTokenText),
        }
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        if lines > 1 {
            return Err(OutputDefect::SeveralLines { lines });
        }
        if text.contains(char::is_whitespace) {
            return Err(OutputDefect::Prose);
        }
        (text.to_owned(), StatedEnd::Nothing)
    };
    if !may_be_token(&token) {
        return Err(OutputDefect::NoTokenText);
    }
    bearer_header(&token, &TokenField::default()).map_err(OutputDefect::Unsendable)?;
    let decoded = decode(&token);
    if let Some(decoded) = &decoded
        && decoded.has_unreadable_time("exp")
    {
        return Err(OutputDefect::UnreadableEnd);
    }
    Ok(TokenOutput {
        stated,
        expires_at: decoded.and_then(|decoded| decoded.time("exp")),
        token,
    })
}

impl TokenOutput {
    /// How long the token lives from `since` on, when it was looked for. A relative end counts from `written`, if that
    /// was before; the `exp` of a JWT is never exceeded, since a cached output may state a lifetime that has partly
    /// passed.
    ///
    /// # Errors
    /// It has expired.
    pub(super) fn lifetime(
        &self,
        written: Option<SystemTime>,
        since: SystemTime,
        default_lifetime: Duration,
    ) -> Result<Duration, OutputDefect> {
        let stated = match self.stated {
            StatedEnd::Nothing => None,
            StatedEnd::After(lifetime) => {
                // The clock may have been set back since.
                let from = written.map_or(since, |written| written.min(since));
                from.checked_add(lifetime)
            }
            StatedEnd::At(end) => Some(end),
            StatedEnd::NotAfter(end) => Some(end).filter(|end| *end <= since),
        };
        let Some(end) = stated.into_iter().chain(self.expires_at).min() else {
            return Ok(default_lifetime);
        };
        let left = end.duration_since(since).ok();
        left.and_then(|left| schedule::lifetime(left.as_secs_f64()))
            .ok_or(OutputDefect::Expired { at: end })
    }

    /// When the token ends, as far as that is said independently of when it is looked for: by a date, or by a lifetime
    /// since it was `written`.
    pub(super) fn absolute_end(&self, written: Option<SystemTime>) -> Option<SystemTime> {
        let stated = match self.stated {
            StatedEnd::Nothing | StatedEnd::NotAfter(_) => None,
            StatedEnd::After(lifetime) => written.and_then(|written| written.checked_add(lifetime)),
            StatedEnd::At(end) => Some(end),
        };
        stated.into_iter().chain(self.expires_at).min()
    }
}

/// The token of an object, and its end.
fn of_object(object: &Map<String, Value>) -> Result<(String, StatedEnd), OutputDefect> {
    let inner = |name: &str| object.get(name).and_then(Value::as_object);
    // Of Google's command line, and Kubernetes' ExecCredential.
    for (table, token, end) in [
        ("credential", "access_token", "token_expiry"),
        ("status", "token", "expirationTimestamp"),
    ] {
        if let Some((table, found)) =
            inner(table).and_then(|table| Some((table, text_in(table, token)?)))
        {
            return Ok((found, absolute_end(table.get(end))?));
        }
    }
    if let Some(token) = text_in(object, "access_token") {
        let kind = object.get("token_type").and_then(Value::as_str);
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(OutputDefect::TokenType);
        }
        // Metadata servers say both; what they say about the past is already part of the absolute one.
        let absolute = absolute_end(object.get("expires_on"))?;
        if absolute != StatedEnd::Nothing {
            return Ok((token, absolute));
        }
        return Ok((token, relative_end(object.get("expires_in"))?));
    }
    let token = text_in(object, "accessToken").ok_or(OutputDefect::NoToken)?;
    let end = match absolute_end(object.get("expires_on"))? {
        // In older versions of az this is the only one, and in local time without a zone.
        StatedEnd::Nothing => absolute_end(object.get("expiresOn"))
            .unwrap_or_else(|_| local_end(object.get("expiresOn"))),
        end => end,
    };
    Ok((token, end))
}

/// Whether a text can be a token: letters or digits, and at most the signs of RFC 6750 2.1 and those that opaque tokens
/// and keys for an API have in practice. A program without a token may print a literal of its language, or a page.
fn may_be_token(text: &str) -> bool {
    const NOTHING: [&str; 8] = [
        "null",
        "nil",
        "none",
        "undefined",
        "nan",
        "true",
        "false",
        "void",
    ];
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:|%@!$*,;&#?^".contains(&byte);
    let is_nothing = NOTHING
        .iter()
        .any(|nothing| text.eq_ignore_ascii_case(nothing));
    // What cannot be sent at all is reported as that.
    let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
    !is_nothing
        && (!is_sendable
            || text.bytes().all(is_allowed)
                && text.bytes().any(|byte| byte.is_ascii_alphanumeric()))
}

fn text_in(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = object.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// Seconds, as a number or as a string with a number.
fn relative_end(value: Option<&Value>) -> Result<StatedEnd, OutputDefect> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(StatedEnd::Nothing);
    };
    number(value)
        .and_then(schedule::lifetime)
        .map(StatedEnd::After)
        .ok_or(OutputDefect::UnreadableEnd)
}

/// Seconds or milliseconds since 1970, as a number or as a string with a number, or a time of RFC 3339.
fn absolute_end(value: Option<&Value>) -> Result<StatedEnd, OutputDefect> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(StatedEnd::Nothing);
    };
    let end = match number(value) {
        Some(number) => unix_time(number),
        None => value.as_str().and_then(rfc3339),
    };
    end.map(StatedEnd::At).ok_or(OutputDefect::UnreadableEnd)
}

/// What a local time without its zone says about the end.
fn local_end(value: Option<&Value>) -> StatedEnd {
    let local = value.and_then(Value::as_str).and_then(|text| {
        humantime::parse_rfc3339_weak(text.trim())
            .ok()?
            .checked_add(FURTHEST_BEHIND)
    });
    local.map_or(StatedEnd::Nothing, StatedEnd::NotAfter)
}

/// A time with its zone: `Z`, or a difference such as `+01:00`. None before 1970, which no token has.
fn rfc3339(text: &str) -> Option<SystemTime> {
    any_rfc3339(text.trim()).filter(|time| *time >= SystemTime::UNIX_EPOCH)
}

fn any_rfc3339(text: &str) -> Option<SystemTime> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(time);
    }
    let zone = text.len().checked_sub("+01:00".len())?;
    let (local, zone) = (text.get(..zone)?, text.get(zone..)?);
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let minutes = hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?;
    let ahead = Duration::from_secs(minutes * 60);
    match zone.as_bytes()[0] {
        b'+' => local.checked_sub(ahead),
        b'-' => local.checked_add(ahead),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
