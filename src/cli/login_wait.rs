//! Begins a sign-in in the running proxy, and waits for its end.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::admin_client::{AdminListener, Recipient, TIME_LIMIT};
use super::login_question::LoginQuestion;
use super::output::say;
use super::sign_in_order::{OrderFailure, OrderTarget, give};
use super::signals::SignalListener;
use crate::admin::status_api::SignInResult;

/// How often the proxy is asked how the sign-in goes.
const POLL: Duration = Duration::from_millis(300);

/// How often the command says that it is still waiting.
const REMINDER: Duration = Duration::from_mins(1);

/// Receives the signals that cancel a sign-in.
pub(super) fn listen_for_signals() -> Result<SignalListener, OrderFailure> {
    SignalListener::new()
        .map_err(|error| OrderFailure::Denied(format!("Ctrl-C cannot be handled: {error}")))
}

/// Gives the order to begin a sign-in. Ctrl-C withdraws it, even if the proxy has yet to respond.
pub(super) async fn begin(
    listener: &mut AdminListener,
    target: &OrderTarget,
    order: &str,
    recipient: Recipient,
) -> Result<(SignInResult, SignalListener), OrderFailure> {
    let mut signals = listen_for_signals()?;
    let begun = {
        let mut giving = pin!(give(listener, "/login", order, recipient));
        tokio::select! {
            begun = &mut giving => return begun.map(|begun| (begun, signals)),
            _ = signals.next() => {}
        }
        say("Cancelling the sign-in. Press Ctrl-C again not to wait for the proxy.");
        tokio::select! {
            begun = giving => begun?,
            _ = signals.next() => return Err(OrderFailure::Interrupted),
        }
    };
    if let Some(id) = &begun.login {
        cancel(listener, target, id, recipient).await?;
    }
    Err(OrderFailure::Cancelled)
}

/// Ends a sign-in in the proxy too, so that nobody can complete it.
async fn cancel(
    listener: &mut AdminListener,
    target: &OrderTarget,
    id: &str,
    recipient: Recipient,
) -> Result<SignInResult, OrderFailure> {
    let order = json!({ "proxy": target.proxy, "login": id, "cancel": true }).to_string();
    listener.renew_limit(TIME_LIMIT);
    let result = give(listener, "/login", &order, recipient).await?;
    match result.outcome.as_deref() {
        Some("signed_in") => Ok(result),
        _ => Err(OrderFailure::Cancelled),
    }
}

/// A sign-in that has begun.
pub(super) struct BegunLogin<'a> {
    pub(super) target: &'a OrderTarget,
    /// The signals that cancel it.
    pub(super) signals: SignalListener,
    pub(super) id: &'a str,
    /// Longer than the sign-in is valid, so that the proxy says how it has ended.
    pub(super) limit: Duration,
    /// Whether only this terminal shows how it goes: it says now and then that it still waits, and asks before someone
    /// else is signed in than before. Otherwise a browser does.
    pub(super) is_asked_here: bool,
    /// What has happened if the person did not sign in in time.
    pub(super) expired: &'static str,
}

impl BegunLogin<'_> {
    /// Returns once it has ended. Ctrl-C cancels it.
    pub(super) async fn wait(
        mut self,
        listener: &mut AdminListener,
        recipient: Recipient,
    ) -> Result<SignInResult, OrderFailure> {
        let order = json!({ "proxy": self.target.proxy, "login": self.id }).to_string();
        let start = Instant::now();
        let mut reminded_at = start;
        let mut question = LoginQuestion::new(self.is_asked_here);
        while start.elapsed() < self.limit {
            tokio::select! {
                () = sleep(POLL) => {}
                _ = self.signals.next() => return cancel(listener, self.target, self.id, recipient).await,
                is_confirmed = question.answered() => {
                    if !is_confirmed {
                        return match cancel(listener, self.target, self.id, recipient).await {
                            Err(OrderFailure::Cancelled) => Err(OrderFailure::LoginDenied(question.kept())),
                            ended => ended,
                        };
                    }
                    let order = json!({ "proxy": self.target.proxy, "login": self.id, "confirm": true });
                    listener.renew_limit(TIME_LIMIT);
                    give(listener, "/login", &order.to_string(), recipient).await?;
                }
            }
            let reminds = self.is_asked_here && !question.is_asked();
            if reminds && reminded_at.elapsed() >= REMINDER {
                reminded_at = Instant::now();
                say("Still waiting for you to sign in. Press Ctrl-C to cancel.");
            }
            listener.renew_limit(TIME_LIMIT);
            let result = give(listener, "/login", &order, recipient).await?;
            if let Some(change) = &result.unconfirmed {
                question.ask(change);
            }
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
}
