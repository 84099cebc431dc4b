//! The response of the device authorization endpoint (RFC 8628 3.2), and when to ask for the token next (3.5). Pure.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::grant_error::GrantError;
use super::response::number_in;
use super::response_error::ErrorResponse;
use crate::config::is_loopback;
use crate::credentials::Secret;

/// Between two requests, unless the server names another interval.
const DEFAULT_INTERVAL_S: f64 = 5.0;

/// What `slow_down` adds to the interval.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// No server means less, and none may keep this proxy busy.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// No person takes longer, whatever the server says.
const LONGEST_LIFETIME: Duration = Duration::from_hours(1);

/// A person has to type it.
const MAX_USER_CODE: usize = 64;

/// What the person must do, and what the token is requested with.
pub(super) struct DeviceAuthorization {
    pub(super) code: Secret,
    pub(super) prompt: DevicePrompt,
    pub(super) interval: Duration,
}

/// What a person needs to sign in on another device. Whoever else gets it could sign this proxy in as himself.
#[derive(Clone, PartialEq, Eq)]
pub struct DevicePrompt {
    /// Where to enter the code.
    pub verification_url: Url,
    /// The same with the code in it.
    pub complete_url: Option<Url>,
    /// What to enter there.
    pub user_code: String,
    /// How long it is valid.
    pub lifetime: Duration,
}

/// What is wrong with a response of the device authorization endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceResponseDefect {
    /// HTML, text or invalid JSON.
    #[error("it is not a JSON object")]
    NotJson,
    /// `device_code`.
    #[error("it has no device_code")]
    NoDeviceCode,
    /// `user_code`.
    #[error("its user_code is missing, too long, or has characters that nobody can type")]
    UserCode,
    /// `verification_uri`.
    #[error("its verification_uri is not an https address")]
    VerificationUrl,
    /// `expires_in`.
    #[error("its expires_in is not a positive number of seconds")]
    Lifetime,
    /// `interval`.
    #[error("its interval is not a number of seconds")]
    Interval,
}

impl DeviceAuthorization {
    /// Reads a successful response.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(super) fn read(body: &[u8]) -> Result<Self, DeviceResponseDefect> {
        if !body.trim_ascii().starts_with(b"{") {
            return Err(DeviceResponseDefect::NotJson); // serde would accept an array as a struct
        }
        // serde's error may quote a code.
        let fields: DeviceResponseFields =
            serde_json::from_slice(body).map_err(|_| DeviceResponseDefect::NotJson)?;
        let code = fields.device_code.filter(|code| !code.is_empty());
        let user_code = fields.user_code.filter(|code| is_typable(code));
        // Before it was a standard, the address was called a URL.
        let address = fields.verification_uri.or(fields.verification_url);
        let lifetime = fields.expires_in.as_ref().and_then(number_in);
        let lifetime = lifetime.and_then(seconds);
        let interval = match &fields.interval {
            None => Some(DEFAULT_INTERVAL_S),
            Some(interval) => number_in(interval),
        };
        let interval = interval.and_then(|number| Duration::try_from_secs_f64(number).ok());
        Ok(Self {
            code: Secret::new(code.ok_or(DeviceResponseDefect::NoDeviceCode)?),
            prompt: DevicePrompt {
                user_code: user_code.ok_or(DeviceResponseDefect::UserCode)?,
                verification_url: address
                    .and_then(|text| web_address(&text))
                    .ok_or(DeviceResponseDefect::VerificationUrl)?,
                complete_url: fields
                    .verification_uri_complete
                    .and_then(|text| web_address(&text)),
                lifetime: lifetime
                    .ok_or(DeviceResponseDefect::Lifetime)?
                    .min(LONGEST_LIFETIME),
            },
            interval: interval
                .ok_or(DeviceResponseDefect::Interval)?
                .clamp(SHORTEST_INTERVAL, LONGEST_LIFETIME),
        })
    }
}

fn is_typable(code: &str) -> bool {
    let code = code.as_bytes();
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    code.len() <= MAX_USER_CODE
        && code.iter().all(is_printable)
        && code.iter().any(u8::is_ascii_alphanumeric)
}

/// An address at which a person may type a password. As a URL it has no control characters.
fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_encrypted = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
    // What stands before an at sign only looks like a host.
    let has_user = !url.username().is_empty() || url.password().is_some();
    (is_encrypted && !has_user).then_some(url)
}

fn seconds(number: f64) -> Option<Duration> {
    let lifetime = Duration::try_from_secs_f64(number).ok()?;
    (!lifetime.is_zero()).then_some(lifetime)
}

#[derive(Deserialize)]
struct DeviceResponseFields {
    device_code: Option<String>,
    user_code: Option<String>,
    verification_uri: Option<String>,
    verification_url: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<Value>,
    interval: Option<Value>,
}

/// What a failed request for the token means (RFC 8628 3.5).
#[derive(Debug, PartialEq, Eq)]
pub enum DevicePollFailure {
    /// Ask again after the interval, which may be longer than before.
    Pending,
    /// The person has denied it.
    Denied,
    /// The code has expired.
    Expired,
    /// Nothing else will come.
    Final,
}

/// How long to wait between two requests.
#[derive(Clone, Copy)]
pub(super) struct PollInterval {
    /// What the server has asked for.
    server: Duration,
    /// Longer while it cannot be reached.
    next: Duration,
}

impl PollInterval {
    pub(super) const fn new(server: Duration) -> Self {
        Self {
            server,
            next: server,
        }
    }

    /// How long to wait before the next request.
    pub(super) const fn next(&self) -> Duration {
        self.next
    }
}

/// Says what a failed request means, and lengthens the interval where the server or the network asks for that. `limit`
/// is how long the code is valid.
pub(super) fn after_failure(
    error: &GrantError,
    interval: &mut PollInterval,
    limit: Duration,
) -> DevicePollFailure {
    let before = interval.next;
    interval.next = interval.server;
    let (code, retry_after) = match error {
        GrantError::Refused {
            response,
            retry_after,
            ..
        }
        | GrantError::Unavailable {
            response,
            retry_after,
            ..
        } => (code_in(response), *retry_after),
        _ => (None, None),
    };
    let failure = match (code, error) {
        (Some("authorization_pending"), _) => DevicePollFailure::Pending,
        (Some("slow_down"), _) => {
            interval.server += SLOW_DOWN;
            interval.next = interval.server;
            DevicePollFailure::Pending
        }
        (Some("access_denied"), _) => DevicePollFailure::Denied,
        (Some("expired_token"), _) => DevicePollFailure::Expired,
        // Exponential back-off, as for a connection that has timed out.
        (
            _,
            GrantError::Unavailable { .. }
            | GrantError::Unreachable(_)
            | GrantError::TimedOut { .. },
        ) => {
            interval.next = before * 2;
            DevicePollFailure::Pending
        }
        _ => DevicePollFailure::Final,
    };
    let asked = retry_after.unwrap_or_default();
    interval.next = interval.next.max(asked).min(limit);
    failure
}

fn code_in(response: &ErrorResponse) -> Option<&str> {
    match response {
        ErrorResponse::Fields { code, .. } => code.as_deref(),
        ErrorResponse::Other { .. } => None,
    }
}

#[cfg(test)]
mod tests;
