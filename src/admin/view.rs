//! What the admin listener can see of one proxy.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::guard::Guard;
use crate::login::Logins;
use crate::metrics::{Metrics, PendingChange, TokenFacts};
use crate::token::{Snapshot, Tokens};

/// One proxy of this process. What a reload may change is asked for anew each time.
pub struct ProxyView {
    /// The key `name` of its configuration.
    pub name: String,
    /// A digest of its name, API, client and guard.
    pub fingerprint: Arc<dyn Fn() -> String + Send + Sync>,
    /// The URLs it listens on, or `unix:` and a path.
    pub listens_on: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// The URL of the API.
    pub upstream: Arc<dyn Fn() -> String + Send + Sync>,
    /// The URL of the token endpoint, or of the issuer that names it.
    pub token_from: Arc<dyn Fn() -> String + Send + Sync>,
    /// When it was started.
    pub since: Instant,
    /// The tokens of the identity in use.
    pub tokens: Arc<dyn Fn() -> Tokens + Send + Sync>,
    /// The tokens that a person signs in to, if one does.
    pub sign_in_tokens: Arc<dyn Fn() -> Tokens + Send + Sync>,
    /// The same, and the API that they are sent to: scheme, host and port.
    pub sign_in_target: Arc<dyn Fn() -> (Tokens, String) + Send + Sync>,
    /// The sign-ins with a browser.
    pub logins: Logins,
    /// Decides who may use the admin listener: the proxy's guard without callers and rails.
    pub guard: Arc<dyn Fn() -> Guard + Send + Sync>,
    /// The proxy's metrics.
    pub metrics: Arc<Metrics>,
    /// Whether it has been asked to stop.
    pub is_stopping: Arc<dyn Fn() -> bool + Send + Sync>,
    /// What an operator should know: a key that needs a restart, a file that cannot be read.
    pub notes: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Whether the configuration has changed and the change is not applied yet.
    pub has_pending_change: Arc<dyn Fn() -> bool + Send + Sync>,
    /// A digest of the name, API and address in the changed configuration. Empty if nothing has changed, or if the
    /// configuration cannot be read.
    pub pending_fingerprint: Arc<dyn Fn() -> String + Send + Sync>,
    /// Why a changed configuration is not in use.
    pub pending_change: Arc<dyn Fn() -> PendingChange + Send + Sync>,
    /// The details of each of these.
    pub pending_reasons: Arc<dyn Fn() -> PendingReasons + Send + Sync>,
    /// Since when it is not in use.
    pub pending_since: Arc<dyn Fn() -> Option<SystemTime> + Send + Sync>,
    /// The certificates that it presents and that expire soon, or have expired.
    pub expiring: Arc<dyn Fn() -> Vec<ExpiringCertificate> + Send + Sync>,
}

/// Why a changed configuration is not in use, in words; empty for what is not the case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingReasons {
    /// Why it cannot be used.
    pub refused: String,
    /// Why its identity has no token yet.
    pub waiting: String,
    /// The keys that need a restart.
    pub restart: String,
}

/// A certificate whose validity ends soon, or has ended.
#[derive(Debug, Clone)]
pub struct ExpiringCertificate {
    /// What it is, such as `The client certificate for the API`.
    pub name: &'static str,
    /// What happens once it has expired, such as `the API rejects it`.
    pub consequence: &'static str,
    /// The end of its validity.
    pub expires: SystemTime,
    /// Since when that is near.
    pub near_since: SystemTime,
    /// Which file it is in and when it expires, in one sentence.
    pub warning: String,
}

impl ProxyView {
    pub(super) fn snapshot(&self) -> Snapshot {
        (self.tokens)().snapshot()
    }

    pub(super) fn token_facts(&self) -> TokenFacts {
        let snapshot = self.snapshot();
        let attempts = snapshot.attempts;
        TokenFacts {
            state: snapshot.state.as_str(),
            expires_at: snapshot.expires_at,
            last_success: snapshot.last_success,
            attempts: [
                attempts.granted,
                attempts.refused,
                attempts.throttled,
                attempts.unavailable,
            ],
        }
    }
}
