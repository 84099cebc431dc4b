//! Stopping: what is accepted is answered, within a grace.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::watch::{Order, Registry};

/// How far a stop has come. Only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Phase {
    /// Serving.
    Running,
    /// Still accepting, each answer closing its connection, so that callers go elsewhere.
    Closing,
    /// No longer accepting; what is under way may end.
    Draining,
    /// Now.
    Cut,
}

/// The order to stop, seen by everyone who must know.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// The one who orders, and what the others look at.
    #[must_use]
    pub fn channel() -> (watch::Sender<Phase>, Self) {
        let (order, stop) = watch::channel(Phase::Running);
        (order, Self(stop))
    }

    /// Returns once the stop has come as far as `phase`, or nobody is left who could order it.
    pub async fn reached(&mut self, phase: Phase) {
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}

/// What a drain left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still answering when the grace was over.
    pub cut: usize,
}

/// Lets every open connection finish within `grace`, then cuts.
pub(super) async fn drain(registry: &Arc<Registry>, grace: Duration, stop: &mut Stop) -> Drained {
    registry.give_all(Order::Close);
    let finished = async {
        while registry.count() > 0 {
            registry.left.notified().await;
        }
    };
    tokio::select! {
        _ = timeout(grace, finished) => {}
        () = stop.reached(Phase::Cut) => {}
    }
    let cut = registry.count();
    registry.give_all(Order::Cut);
    Drained { cut }
}
