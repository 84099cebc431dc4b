//! Completes a sign-in with the tokens that were granted. If someone else was signed in before, it waits for the person
//! to confirm the change.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::outcome::{LoginOutcome, settle};
use crate::token::{LoginCompletion, PersonChange, Tokens};

/// Says which tokens a person signs in to now, which a reload may change.
pub(super) type ServingTokens = Arc<dyn Fn() -> Tokens + Send + Sync>;

/// What the two kinds of sign-ins have in common.
#[derive(Clone)]
pub(super) struct Completion {
    pub(super) serving: ServingTokens,
    pub(super) outcome: watch::Sender<LoginOutcome>,
    /// When the sign-in ends.
    pub(super) deadline: Instant,
    /// Whether the person has said before that it does not matter who was signed in.
    pub(super) replaces: bool,
    /// The proxy's name in the log, if there are several proxies.
    pub(super) proxy: Option<String>,
}

impl LoginCompletion for Completion {
    fn serving(&self) -> Tokens {
        (self.serving)()
    }

    async fn confirm(&self, change: PersonChange) -> bool {
        if self.replaces {
            return true;
        }
        let (proxy, who) = (self.proxy.as_deref(), change.who.as_deref());
        let before = change.before.as_deref();
        let mut answers = self.outcome.subscribe();
        let is_asked = self.outcome.send_if_modified(|outcome| {
            let is_waiting = *outcome == LoginOutcome::Waiting;
            if is_waiting {
                *outcome = LoginOutcome::Unconfirmed(change.clone());
            }
            is_waiting
        });
        if !is_asked {
            return false;
        }
        tracing::warn!(
            proxy,
            who,
            before,
            "someone else than before is about to be signed in; the sign-in waits for a confirmation"
        );
        let answered = answers.wait_for(|outcome| outcome.unconfirmed().is_none());
        match timeout_at(self.deadline, answered).await {
            Ok(Ok(outcome)) => *outcome == LoginOutcome::Confirmed,
            Ok(Err(_)) => false, // the sender is a part of this
            Err(_) => {
                settle(&self.outcome, LoginOutcome::Expired);
                false
            }
        }
    }

    fn commit(&self, adopt: &mut dyn FnMut()) {
        self.outcome.send_if_modified(|outcome| {
            let is_open = outcome.is_open();
            if is_open {
                adopt();
                *outcome = LoginOutcome::SignedIn;
            }
            is_open
        });
    }
}
