//! The requests of one attempt: one, and others beside it while that takes long and there is no usable token.

use std::task::Poll;

use tokio::time::{Instant, timeout_at};

use super::clock::Timestamp;
use super::grant_error::GrantError;
use super::obtain::{RequestingToken, SourceKind};
use super::refresh::RefreshTask;
use super::response::AccessToken;
use super::schedule::{ATTEMPT_OVERLAP, MAX_OVERLAPPING, MIN_BETWEEN_ATTEMPTS};

impl RefreshTask {
    /// Sends a request. While there is no usable token, sends another one beside it whenever the last one takes long,
    /// and uses the first token. If one has failed by then, the attempt ends, and the schedule decides.
    pub(super) async fn request(&self) -> Result<(Timestamp, AccessToken), GrantError> {
        let secrets = self.secrets.current().cloned();
        let secrets = secrets.ok_or(GrantError::SecretEmpty)?;
        let mut running = Vec::with_capacity(1);
        let mut failure = None;
        loop {
            let mut next = Instant::now() + ATTEMPT_OVERLAP;
            running.push((
                self.inputs.clock.now(),
                (self.request_token)(secrets.clone()),
            ));
            loop {
                match timeout_at(next, first_to_end(&mut running)).await {
                    Ok((requested_at, Ok(token))) => return Ok((requested_at, token)),
                    Ok((_, Err(error))) if running.is_empty() || error.ends_attempt() => {
                        return Err(error);
                    }
                    Ok((_, Err(error))) => failure = Some(error),
                    Err(_) => match failure {
                        Some(error) => return Err(error),
                        None if running.len() < self.max_overlapping() && !self.has_token() => {
                            break;
                        }
                        None => next = Instant::now() + MIN_BETWEEN_ATTEMPTS,
                    },
                }
            }
            self.note_request(false);
        }
    }

    fn max_overlapping(&self) -> usize {
        match self.source {
            // A refresh token must not be used twice.
            _ if self.shared.sign_in.is_some() => 1,
            Some(SourceKind::Program) => 1,
            Some(SourceKind::Other) | None => MAX_OVERLAPPING,
        }
    }

    fn has_token(&self) -> bool {
        let now = self.inputs.clock.now();
        self.shared.status.borrow().is_usable(now)
    }
}

/// Waits until one of the requests has ended, and removes it.
async fn first_to_end(
    running: &mut Vec<(Timestamp, RequestingToken)>,
) -> (Timestamp, Result<AccessToken, GrantError>) {
    std::future::poll_fn(|context| {
        for index in 0..running.len() {
            if let Poll::Ready(outcome) = running[index].1.as_mut().poll(context) {
                let (requested_at, _) = running.swap_remove(index);
                return Poll::Ready((requested_at, outcome));
            }
        }
        Poll::Pending
    })
    .await
}
