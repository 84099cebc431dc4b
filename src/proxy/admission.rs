//! How many requests are under way: `limits.in_flight`, counted over all workers.

use super::errors::ForwardError;
use crate::metrics::{ActiveCount, ActiveGuard};

/// The door.
#[derive(Debug)]
pub(super) struct Admission {
    in_flight: ActiveCount,
    limit: usize,
}

/// A place among the requests in flight, until the last frame of the answer.
pub(super) type Permit = ActiveGuard;

impl Admission {
    pub(super) fn new(in_flight: ActiveCount, limit: usize) -> Self {
        Self { in_flight, limit }
    }

    /// A place among the requests in flight, at once or not at all: a queue would only move the wait.
    pub(super) fn enter(&self) -> Result<Permit, ForwardError> {
        self.in_flight
            .enter_below(self.limit)
            .ok_or(ForwardError::Saturated { limit: self.limit })
    }
}

#[cfg(test)]
mod tests;
