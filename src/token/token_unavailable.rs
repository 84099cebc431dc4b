//! Why a request gets no token, or no newer one.

use std::sync::Arc;
use std::time::Duration;

use super::grant_error::GrantError;
use super::person::SignInPlace;

/// Why a request gets no bearer token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenUnavailable {
    /// The configuration is at fault, so waiting does not help (`token_refused`).
    #[error("no access token: this proxy's configuration is rejected")]
    Refused {
        /// The time until the next attempt, in whole seconds, at least one.
        retry_after: Duration,
        /// Why the last attempt failed.
        #[source]
        cause: Arc<GrantError>,
    },
    /// There is no token yet, or the last one has expired (`token_unavailable`).
    #[error("no access token; the next attempt is in {} s", retry_after.as_secs())]
    NotYet {
        /// The time until the next attempt, in whole seconds, at least one.
        retry_after: Duration,
        /// Why the last attempt failed; `None` if the first one has not ended.
        cause: Option<Arc<GrantError>>,
    },
    /// Only a person can provide a token (`login_required`).
    #[error("no access token; {}", .0.advice())]
    LoginRequired(SignInPlace),
    /// The person whose request it is has signed out meanwhile, and somebody has signed in since (`login_required`).
    #[error("the person whose request it is has signed out")]
    SignedOut(SignInPlace),
}

/// Why there is no newer token for a request that the upstream answered with 401.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoNewerToken {
    /// Forced refreshes are paused: the last one was recent, or did not help.
    #[error("forced refreshes are paused for {} s", left.as_secs())]
    Paused {
        /// The rest of the pause.
        left: Duration,
    },
    /// The attempt failed; the current token stays in use.
    #[error("no newer access token")]
    Failed {
        /// Why it failed.
        #[source]
        cause: Arc<GrantError>,
    },
    /// `token.source` has returned the same token again.
    #[error("the source has returned the same access token")]
    Unchanged,
    /// Only a person can provide another token.
    #[error("only a person can sign in again")]
    PersonNeeded,
    /// A reload has replaced the identity of the request, which renews the person's token no more.
    #[error("the configuration has been replaced since the request began")]
    Superseded,
    /// The attempt took longer than a request may wait.
    #[error("no newer access token within {} ms", limit.as_millis())]
    Late {
        /// How long the request has waited.
        limit: Duration,
    },
}
