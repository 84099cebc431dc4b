//! Waits for the end of a sign-in that has begun in the running proxy.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::admin_client::{AdminListener, Recipient, TIME_LIMIT};
use super::output::say;
use super::sign_in_order::{OrderFailure, OrderTarget, give};
use super::signals::SignalListener;
use crate::admin::status_api::SignInResult;

/// How often the proxy is asked how the sign-in goes.
const POLL: Duration = Duration::from_millis(300);

/// How often the command says that it is still waiting.
const REMINDER: Duration = Duration::from_mins(1);

/// A sign-in that has begun.
pub(super) struct BegunLogin<'a> {
    pub(super) target: &'a OrderTarget,
    pub(super) id: &'a str,
    /// Longer than the sign-in is valid, so that the proxy says how it has ended.
    pub(super) limit: Duration,
    /// Whether to say now and then that it still waits.
    pub(super) reminds: bool,
    /// What has happened if the person did not sign in in time.
    pub(super) expired: &'static str,
}

impl BegunLogin<'_> {
    /// Returns once it has ended. Ctrl-C cancels it.
    pub(super) async fn wait(
        &self,
        listener: &mut AdminListener,
        recipient: Recipient,
    ) -> Result<SignInResult, OrderFailure> {
        let order = self.order(false);
        let mut signals = SignalListener::new()
            .map_err(|error| OrderFailure::Denied(format!("Ctrl-C cannot be handled: {error}")))?;
        let start = Instant::now();
        let mut reminded_at = start;
        while start.elapsed() < self.limit {
            tokio::select! {
                () = sleep(POLL) => {}
                _ = signals.next() => return self.cancel(listener, recipient).await,
            }
            if self.reminds && reminded_at.elapsed() >= REMINDER {
                reminded_at = Instant::now();
                say("Still waiting for you to sign in. Press Ctrl-C to cancel.");
            }
            listener.renew_limit(TIME_LIMIT);
            let result = give(listener, "/login", &order, recipient).await?;
            let problem = result.problem.clone().unwrap_or_default();
            match result.outcome.as_deref() {
                Some("waiting") => {}
                Some("signed_in") => return Ok(result),
                Some("denied") => return Err(OrderFailure::LoginDenied(problem)),
                Some("failed") => return Err(OrderFailure::LoginFailed(problem)),
                Some("replaced") => {
                    return Err(OrderFailure::LoginEnded(
                        "another sign-in has begun, or somebody has signed out",
                    ));
                }
                Some(_) | None => break,
            }
        }
        Err(OrderFailure::LoginEnded(self.expired))
    }

    /// Without the API, because the sign-in has already begun for the right one.
    fn order(&self, cancel: bool) -> String {
        json!({ "proxy": self.target.proxy, "login": self.id, "cancel": cancel }).to_string()
    }

    /// Ends it in the proxy too, so that nobody can complete it.
    async fn cancel(
        &self,
        listener: &mut AdminListener,
        recipient: Recipient,
    ) -> Result<SignInResult, OrderFailure> {
        let order = self.order(true);
        listener.renew_limit(TIME_LIMIT);
        let result = give(listener, "/login", &order, recipient).await?;
        match result.outcome.as_deref() {
            Some("signed_in") => Ok(result),
            _ => Err(OrderFailure::Cancelled),
        }
    }
}
