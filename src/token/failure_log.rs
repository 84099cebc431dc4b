//! Logs failed token requests: each change of the failure, and then once a minute that it has lasted.

use std::time::Duration;

use tokio::time::Instant;

use super::grant_error::GrantError;
use super::schedule::LOG_INTERVAL;

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
