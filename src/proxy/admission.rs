//! How many requests are under way: `limits.in_flight`, counted over all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::errors::ForwardError;

/// The count, shared by all workers.
#[derive(Debug)]
pub struct InFlight {
    now: AtomicUsize,
    limit: usize,
}

impl InFlight {
    /// At most `limit` at a time.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicUsize::new(0),
            limit,
        })
    }
}

/// The door.
#[derive(Debug)]
pub(super) struct Admission(Arc<InFlight>);

impl Admission {
    pub(super) fn new(in_flight: Arc<InFlight>) -> Self {
        Self(in_flight)
    }

    /// A place among the requests in flight, at once or not at all: a queue would only move the wait.
    pub(super) fn enter(&self) -> Result<Permit, ForwardError> {
        if self.0.now.fetch_add(1, Ordering::Relaxed) >= self.0.limit {
            self.0.now.fetch_sub(1, Ordering::Relaxed);
            return Err(ForwardError::Saturated {
                limit: self.0.limit,
            });
        }
        Ok(Permit(Arc::clone(&self.0)))
    }
}

/// A place among the requests in flight, until the last frame of the answer.
#[derive(Debug)]
pub(super) struct Permit(Arc<InFlight>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_refuses_until_somebody_leaves() {
        let admission = Admission::new(InFlight::new(1));
        let first = admission.enter().unwrap();
        assert!(matches!(
            admission.enter(),
            Err(ForwardError::Saturated { limit: 1 })
        ));
        drop(first);
        assert!(admission.enter().is_ok());
    }
}
