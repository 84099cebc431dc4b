//! A valid configuration whose new identity has no token yet.

use std::path::PathBuf;
use std::sync::Arc;

use super::reload_target::ReloadTarget;
use crate::config::{Config, KeyDigests};
use crate::credentials::WithheldVariables;
use crate::instance::ConfigGeneration;
use crate::token::Tokens;

pub(super) struct PendingReload {
    pub(super) prepared: Arc<ConfigGeneration>,
    pub(super) tokens: Tokens,
    pub(super) config: Config,
    /// The digests of its settings, and the same with the contents of the files that it names.
    pub(super) digests: KeyDigests,
    pub(super) settings: KeyDigests,
    pub(super) files: Vec<PathBuf>,
    pub(super) withheld: WithheldVariables,
    pub(super) changed: Vec<String>,
    pub(super) is_failure_reported: bool,
}

/// Waits for the first token of a pending configuration. Reports once if the first attempt fails.
pub(super) async fn first_token(pending: &mut Option<PendingReload>, target: &ReloadTarget) {
    let Some(pending) = pending else {
        return std::future::pending().await;
    };
    if !pending.is_failure_reported {
        let first = pending.tokens.settled().await;
        pending.is_failure_reported = true;
        if let Some(error) = first.last_error {
            target.metrics.reloaded("waiting");
            tracing::error!(
                proxy = target.name,
                error,
                "no token for the new identity yet; the previous one stays in use"
            );
        }
    }
    pending.tokens.obtained().await;
}
