//! A configuration whose secrets and certificates are being read.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::reload_target::ReportedReload;
use crate::config::{KeyDigests, Loaded};
use crate::credentials::WithheldVariables;
use crate::instance::{ConfigGeneration, Guards};

/// How long a configuration may be examined before what it forbids applies. It usually takes milliseconds, and a caller
/// that is only renamed loses no request then.
pub(super) const EXAMINATION_GRACE: Duration = Duration::from_millis(250);

/// What a configuration says, compared to what is in use.
pub(super) struct Change {
    pub(super) settings: KeyDigests,
    pub(super) changed: Vec<String>,
    pub(super) needs_restart: Vec<String>,
    pub(super) is_requested: bool,
    pub(super) withheld: WithheldVariables,
    /// Reports the end of the reload when it is dropped.
    pub(super) _progress: Option<ReportedReload>,
}

/// A configuration whose secrets and certificates are being read.
pub(super) struct Examination {
    pub(super) change: Change,
    pub(super) guards: Guards,
    /// When it has taken long: what must not wait for its end applies then.
    pub(super) is_long_at: Option<Instant>,
    /// Whether its guards, which are new, must admit requests from then on too.
    pub(super) restricts: bool,
    /// Whether they do, and what else restricted requests before.
    pub(super) has_restricted: bool,
    pub(super) earlier: Option<Guards>,
    pub(super) outcome: Pin<Box<dyn Future<Output = Result<Examined, String>> + Send>>,
}

/// A configuration that can be used, and its generation.
pub(super) type Examined = (Loaded, Arc<ConfigGeneration>);

/// Waits for the end of an examination.
pub(super) async fn examined(examination: &mut Option<Examination>) -> Result<Examined, String> {
    match examination {
        Some(examination) => examination.outcome.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Waits until the examination has taken long.
pub(super) fn taking_long(examination: Option<&Examination>) -> impl Future<Output = ()> + use<> {
    let at = examination.and_then(|one| one.is_long_at);
    async move {
        match at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
