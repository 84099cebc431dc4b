//! Whether the configuration on disk is the one that is in use.

use prometheus::IntGauge;

use super::registrar::Registrar;

/// Why a changed configuration is not in use. All false if it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PendingChange {
    /// It is invalid.
    pub refused: bool,
    /// There is no token for its new identity yet.
    pub waiting: bool,
    /// A changed key takes effect at the next start.
    pub restart: bool,
}

pub(super) struct PendingGauges {
    refused: IntGauge,
    waiting: IntGauge,
    restart: IntGauge,
}

impl PendingGauges {
    pub(super) fn new(register: &Registrar<'_>) -> Self {
        let gauges = register.gauges(
            "cupbearer_config_pending",
            "1 while the configuration on disk is not the one in use: it was refused, is waiting for the first token of \
             its new identity, or needs a restart.",
            &["reason"],
        );
        let [refused, waiting, restart] =
            ["refused", "waiting", "restart"].map(|reason| gauges.with_label_values(&[reason]));
        Self {
            refused,
            waiting,
            restart,
        }
    }

    pub(super) fn set(&self, change: PendingChange) {
        self.refused.set(i64::from(change.refused));
        self.waiting.set(i64::from(change.waiting));
        self.restart.set(i64::from(change.restart));
    }
}
