//! How a sign-in has ended.

use tokio::sync::watch;

use crate::token::PersonChange;

/// How a sign-in goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The person has not come back yet.
    Waiting,
    /// Someone else than before has come back, and must confirm that.
    Unconfirmed(PersonChange),
    /// That has been confirmed.
    Confirmed,
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
            Self::Waiting | Self::Unconfirmed(_) | Self::Confirmed => "waiting",
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
            Self::Waiting
            | Self::Unconfirmed(_)
            | Self::Confirmed
            | Self::SignedIn
            | Self::Expired
            | Self::Replaced => None,
        }
    }

    /// The two persons, while nobody has confirmed that one replaces the other.
    #[must_use]
    pub const fn unconfirmed(&self) -> Option<&PersonChange> {
        if let Self::Unconfirmed(change) = self {
            Some(change)
        } else {
            None
        }
    }

    /// Whether it may still lead to a person who is signed in.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Unconfirmed(_) | Self::Confirmed)
    }
}

/// Ends a sign-in so, unless it has ended before.
pub(super) fn settle(outcome: &watch::Sender<LoginOutcome>, end: LoginOutcome) {
    outcome.send_if_modified(|outcome| {
        let is_open = outcome.is_open();
        if is_open {
            *outcome = end;
        }
        is_open
    });
}

/// Answers the question whether someone else is to be signed in. Returns false if it has not been asked, or has been
/// answered.
pub(super) fn answer(outcome: &watch::Sender<LoginOutcome>, is_confirmed: bool) -> bool {
    outcome.send_if_modified(|outcome| {
        let LoginOutcome::Unconfirmed(change) = outcome else {
            return false;
        };
        *outcome = if is_confirmed {
            LoginOutcome::Confirmed
        } else {
            LoginOutcome::Denied(kept(change))
        };
        true
    })
}

fn kept(change: &PersonChange) -> String {
    let before = change.before.as_deref().unwrap_or("someone else");
    format!("{before} stays signed in")
}
