//! How a sign-in has ended.

use tokio::sync::watch;

/// How a sign-in goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The person has not come back yet.
    Waiting,
    /// Requests use the person's token.
    SignedIn,
    /// The person or the authorization server has denied it.
    Denied(String),
    /// The authorization server cannot be reached, or its response cannot be used.
    Failed(String),
    /// The person did not come back in time.
    Expired,
    /// Another sign-in has begun, or this one was cancelled.
    Replaced,
}

impl LoginOutcome {
    /// The word in the response to an order.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::SignedIn => "signed_in",
            Self::Denied(_) => "denied",
            Self::Failed(_) => "failed",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }

    /// Why it has failed.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Denied(why) | Self::Failed(why) => Some(why),
            Self::Waiting | Self::SignedIn | Self::Expired | Self::Replaced => None,
        }
    }
}

/// Ends a sign-in so, unless it has ended before.
pub(super) fn settle(outcome: &watch::Sender<LoginOutcome>, end: LoginOutcome) {
    outcome.send_if_modified(|outcome| {
        let is_open = *outcome == LoginOutcome::Waiting;
        if is_open {
            *outcome = end;
        }
        is_open
    });
}

/// Calls `adopt` unless the sign-in has ended before, and ends it.
pub(super) fn settle_signed_in(outcome: &watch::Sender<LoginOutcome>, adopt: &mut dyn FnMut()) {
    outcome.send_if_modified(|outcome| {
        let is_open = *outcome == LoginOutcome::Waiting;
        if is_open {
            adopt();
            *outcome = LoginOutcome::SignedIn;
        }
        is_open
    });
}
