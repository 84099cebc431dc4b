//! How many fields a response may have, learnt from the responses of the upstream.
//!
//! hyper accepts 100 at no cost. A higher limit makes every response of a connection more expensive (9 % of the
//! instructions of a small request), so it applies only to an upstream that has sent more, and to its next connections.

use std::sync::atomic::{AtomicBool, Ordering};

/// The limit of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldLimit {
    /// hyper's own.
    Usual,
    /// For an upstream that needs it.
    Raised,
}

impl FieldLimit {
    /// The most fields of a response.
    pub(super) const fn fields(self) -> usize {
        match self {
            Self::Usual => 100,
            Self::Raised => 256,
        }
    }
}

/// The limit that new connections get.
#[derive(Debug, Default)]
pub(super) struct LearntFieldLimit(AtomicBool);

impl LearntFieldLimit {
    /// The limit of the next connection.
    pub(super) fn current(&self) -> FieldLimit {
        if self.0.load(Ordering::Relaxed) {
            FieldLimit::Raised
        } else {
            FieldLimit::Usual
        }
    }

    /// Raises the limit of the next connections.
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
