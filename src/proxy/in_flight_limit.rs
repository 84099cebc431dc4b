//! How many requests are in flight over all workers: `limits.in_flight`.

use crate::metrics::{ActiveCount, ActiveGuard};
use crate::text::counted;

/// Gives out as many permits as requests may be in flight.
#[derive(Debug)]
pub(super) struct InFlightLimit {
    in_flight: ActiveCount,
    limit: usize,
}

/// One of the slots for requests in flight. It is held until the last frame of the response.
pub(super) type Permit = ActiveGuard;

/// No slot is free.
#[derive(Debug, thiserror::Error)]
#[error("{} in flight (limits.in_flight)", counted(*limit, "request"))]
pub(super) struct TooManyInFlight {
    pub(super) limit: usize,
}

impl InFlightLimit {
    pub(super) fn new(in_flight: ActiveCount, limit: usize) -> Self {
        Self { in_flight, limit }
    }

    /// Takes a slot immediately or not at all, because a queue would only move the wait.
    pub(super) fn acquire(&self) -> Result<Permit, TooManyInFlight> {
        self.in_flight
            .enter_below(self.limit)
            .ok_or(TooManyInFlight { limit: self.limit })
    }
}

#[cfg(test)]
mod tests;
