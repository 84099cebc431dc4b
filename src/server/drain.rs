//! Stopping a server: requests in flight finish within a grace period, then their connections are cut.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::registry::ConnectionRegistry;
use super::tracked_connection::ConnectionCommand;

/// How far a server has stopped. It only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum DrainPhase {
    /// Serving.
    Running,
    /// Still accepting, but every response closes its connection, so that clients go elsewhere.
    Closing,
    /// No longer accepting; requests in flight may finish.
    Draining,
    /// Cutting what is left.
    Cut,
}

/// The receiving end of a request to stop.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<DrainPhase>);

impl StopSignal {
    /// A sender that moves the phase forward, and the signal that follows it.
    #[must_use]
    pub fn channel() -> (watch::Sender<DrainPhase>, Self) {
        let (sender, receiver) = watch::channel(DrainPhase::Running);
        (sender, Self(receiver))
    }

    /// Returns once the stop has reached `phase`, or its sender is gone.
    pub async fn reached(&mut self, phase: DrainPhase) {
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}

/// The result of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because they were still busy at the end of the grace period.
    pub cut: usize,
}

/// How long the connections may take that are cut.
const CUT_TIMEOUT: Duration = Duration::from_millis(100);

/// Lets every open connection finish within `grace`, then cuts the rest.
pub(super) async fn drain(
    registry: &Arc<ConnectionRegistry>,
    grace: Duration,
    stop: &mut StopSignal,
) -> Drained {
    registry.send_command_to_all(ConnectionCommand::Close);
    tokio::select! {
        _ = timeout(grace, all_ended(registry)) => {}
        () = stop.reached(DrainPhase::Cut) => {}
    }
    let cut = registry.count();
    if let Some(responses) = registry.responses() {
        responses.begin_cut();
    }
    registry.send_command_to_all(ConnectionCommand::Cut);
    // A client whose head has not arrived gets a response, which takes no time unless it does not read.
    let _ = timeout(CUT_TIMEOUT, all_ended(registry)).await;
    Drained { cut }
}

async fn all_ended(registry: &ConnectionRegistry) {
    while registry.count() > 0 {
        registry.connection_ended.notified().await;
    }
}

#[cfg(test)]
mod tests;
