//! Why a request was not replayed after a 401.

/// Why the client got the upstream's first 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotReplayed {
    /// The token lacks a scope, which a newer token of the same grant would not have either (RFC 6750 section 3.1).
    InsufficientScope,
    /// The caller's own `Authorization` was forwarded (`token.keep_authorization`), and may be what was rejected.
    CallersAuthorization,
    /// More of the body had been read from the client than `upstream.retry_body` allows to keep.
    BodyTooLong,
    /// Forced refreshes are paused.
    RefreshPaused,
    /// The token endpoint did not issue a newer token.
    RefreshFailed,
    /// `token.source` returned the rejected token again.
    TokenUnchanged,
    /// A person must sign in again.
    PersonNeeded,
    /// The person whose token it carried has signed out, and somebody has signed in since.
    SignedOut,
    /// A reload has replaced the configuration with which the request began.
    ConfigReplaced,
    /// No newer token arrived within `token.wait`.
    RefreshTimedOut,
}

/// `Proxy-Status` of a 401 that is the upstream's own: it has no `error`, since the response is not ours.
macro_rules! proxy_status {
    ($why:literal) => {
        concat!(
            "cupbearer; received-status=401; details=\"not sent again: ",
            $why,
            "\""
        )
    };
}

impl NotReplayed {
    /// What `Proxy-Status` says about it (RFC 9209).
    pub(super) const fn proxy_status(self) -> &'static str {
        match self {
            Self::InsufficientScope => proxy_status!("the token lacks a scope"),
            Self::CallersAuthorization => {
                proxy_status!("the caller's own Authorization was sent too")
            }
            Self::BodyTooLong => {
                proxy_status!("the request body exceeds upstream.retry_body")
            }
            Self::RefreshPaused => proxy_status!("no newer token, forced refreshes are paused"),
            Self::RefreshFailed => {
                proxy_status!("no newer token, the token endpoint issued none")
            }
            Self::TokenUnchanged => {
                proxy_status!("no newer token, token.source returned the same one")
            }
            Self::PersonNeeded => proxy_status!("no newer token, only a person can sign in again"),
            Self::SignedOut => proxy_status!("the person who was signed in has signed out"),
            Self::ConfigReplaced => {
                proxy_status!("no newer token, the configuration has been replaced meanwhile")
            }
            Self::RefreshTimedOut => proxy_status!("no newer token within token.wait"),
        }
    }
}
