//! A token that may be sent, and the states that a token can be in.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use tokio::time::Instant;

use super::response_error::ResponseDefect;
use crate::config::TokenField;

/// A longer token exceeds every server's header limit; those of Ping reach 16 KiB.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A token that may be sent, as the header value that carries it.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token as `token.prefix` says (`Bearer …`), marked sensitive.
    pub header: HeaderValue,
    /// The token's number: each token that replaces another has a number higher by one.
    pub generation: u64,
    /// Whose token it is.
    pub session: PersonSession,
    /// When it was found to be usable.
    pub at: Instant,
}

/// Whose token it is: every sign-in as another person begins another session, and so does every sign-out. All tokens
/// that need no person are of the same session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PersonSession(u64);

impl PersonSession {
    /// Another session than any before in this process, so that identities can share a person.
    pub(super) fn begin() -> Self {
        static BEGUN: AtomicU64 = AtomicU64::new(0);
        Self(BEGUN.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The states of the token, named alike everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// No token has been granted yet.
    Starting,
    /// Usable, and its refresh is not due yet.
    Fresh,
    /// Usable, but its refresh is overdue.
    Stale,
    /// No longer usable, and not replaced yet.
    Expired,
}

impl TokenState {
    /// The name in logs, metrics and `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }

    /// Whether requests can be served.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Fresh | Self::Stale => true,
            Self::Starting | Self::Expired => false,
        }
    }
}

/// The field value that carries a token, and where in it the token begins.
///
/// # Errors
/// The token cannot be sent.
pub(super) fn bearer_header(
    token: &str,
    field: &TokenField,
) -> Result<(HeaderValue, usize), ResponseDefect> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(ResponseDefect::TokenTooLong {
            limit: MAX_TOKEN_BYTES,
        });
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ResponseDefect::TokenCharacters);
    }
    let value = match &*field.prefix {
        "" => token.to_owned(),
        prefix => format!("{prefix} {token}"),
    };
    let mut header = HeaderValue::try_from(&value).map_err(|_| ResponseDefect::TokenCharacters)?;
    header.set_sensitive(true);
    Ok((header, value.len() - token.len()))
}
