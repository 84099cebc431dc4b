//! Waits for a person who signs in with a code on another device: asks the authorization server now and then.

use tokio::time::{Instant, sleep_until};

use super::completion::Completion;
use super::outcome::{LoginOutcome, settle};
use crate::token::{DeviceAttempt, DevicePollFailure};

/// Asks until the person has signed in or denied it, the code has expired, or the outcome has another end.
pub(super) async fn poll(attempt: DeviceAttempt, completion: Completion) {
    let Completion {
        outcome, deadline, ..
    } = &completion;
    let proxy = completion.proxy.as_deref();
    let mut changes = outcome.subscribe();
    loop {
        let next = Instant::now() + attempt.interval();
        tokio::select! {
            () = sleep_until(next.min(*deadline)) => {}
            _ = changes.wait_for(|outcome| !outcome.is_open()) => return,
        }
        if next >= *deadline {
            tracing::warn!(proxy, "nobody has signed in while the code was valid");
            return settle(outcome, LoginOutcome::Expired);
        }
        // Not abandoned, since the response may have tokens that must be revoked.
        let Err((failure, error)) = attempt.poll(&completion).await else {
            tracing::info!(proxy, "signed in with a code on another device");
            return;
        };
        let error = error.chain();
        match failure {
            DevicePollFailure::Pending => {
                tracing::debug!(proxy, error, "nobody has signed in yet");
            }
            DevicePollFailure::Denied => {
                tracing::warn!(proxy, error, "the sign-in was denied");
                return settle(outcome, LoginOutcome::Denied(error));
            }
            DevicePollFailure::Expired => {
                tracing::warn!(
                    proxy,
                    error,
                    "nobody has signed in while the code was valid"
                );
                return settle(outcome, LoginOutcome::Expired);
            }
            DevicePollFailure::Final => {
                tracing::warn!(proxy, error, "the sign-in has failed");
                return settle(outcome, LoginOutcome::Failed(error));
            }
        }
    }
}
