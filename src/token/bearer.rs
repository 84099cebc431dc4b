//! A token that may be sent, and the states that a token can be in.

use http::HeaderValue;
use tokio::time::Instant;

/// A token that may be sent, as the header value that carries it.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token as `token.prefix` says (`Bearer …`), marked sensitive.
    pub header: HeaderValue,
    /// The token's number: each token that replaces another has a number higher by one.
    pub generation: u64,
    /// When it was found to be usable.
    pub at: Instant,
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
