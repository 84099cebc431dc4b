//! Logs failed token requests: each change of the failure, and then once a minute that it has lasted.

use std::time::Duration;

use tokio::time::Instant;

use super::grant_error::GrantError;
use super::schedule::LOG_INTERVAL;
use super::status::SharedStatus;

/// The failure that was logged last; none after a success.
#[derive(Default)]
pub(super) struct FailureLog {
    last: Option<LoggedFailure>,
}

/// A failure in the log, and how often it was repeated since.
struct LoggedFailure {
    kind: String,
    at: Instant,
    repeated: u32,
}

impl FailureLog {
    /// After a success, the next failure is logged at once.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Logs a failure if it differs from the last one, and otherwise once a minute.
    pub(super) fn log(
        &mut self,
        proxy: Option<&str>,
        failure: &GrantError,
        attempt: u32,
        retry_in: Duration,
    ) {
        let kind = failure.kind();
        let now = Instant::now();
        let mut repeated = 0;
        if let Some(last) = &mut self.last
            && last.kind == kind
        {
            last.repeated += 1;
            repeated = last.repeated;
            if now.saturating_duration_since(last.at) < LOG_INTERVAL {
                return;
            }
        }
        self.last = Some(LoggedFailure {
            kind,
            at: now,
            repeated: 0,
        });
        tracing::warn!(
            proxy,
            reason = failure.reason(),
            attempt,
            repeated,
            retry_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            error = failure.chain(),
            stderr = failure.said(),
            "token request failed"
        );
    }
}

/// Logs that the token has expired, and why there is no other.
pub(super) fn log_expiry(proxy: Option<&str>, shared: &SharedStatus) {
    if let Some(sign_in) = &shared.sign_in
        && shared.needs_person()
    {
        let advice = sign_in.place().advice();
        tracing::warn!(
            proxy,
            advice,
            "signed out, or the token has ended; requests get 503 until someone signs in"
        );
        return;
    }
    let failure = shared.status.borrow().failure.clone();
    let is_rejected = failure
        .as_ref()
        .is_some_and(|failure| failure.is_rejection());
    let error = failure.map_or_else(
        || "the token request is still in progress".to_owned(),
        |failure| failure.chain(),
    );
    let status = if is_rejected { 502 } else { 503 };
    tracing::error!(
        proxy,
        error,
        status,
        "token expired; requests get this status until there is a new one"
    );
}

/// Logs that only a person can provide another token.
pub(super) fn log_end_of_session(proxy: Option<&str>, shared: &SharedStatus) {
    if let Some(sign_in) = &shared.sign_in {
        let advice = sign_in.place().advice();
        tracing::warn!(
            proxy,
            advice,
            "the authorization server has ended the session of the person; sign in again"
        );
    }
}
