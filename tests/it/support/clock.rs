//! tokio's clock, which stands still until the test moves it, although real sockets are in use. The system's clock
//! continues, so a test must not depend on the milliseconds that it takes itself.

use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::task::spawn_blocking;

/// Tests that need a stopped clock hold one of these.
pub(crate) struct StoppedClock {
    _release: Sender<()>,
}

impl StoppedClock {
    /// Stops the clock of the current runtime. A paused clock would move on by itself whenever the runtime waits for a
    /// socket; tokio does not do that while a blocking task runs.
    pub(crate) fn stop() -> Self {
        tokio::time::pause();
        let (release, released) = channel::<()>();
        spawn_blocking(move || {
            let _ = released.recv();
        });
        Self { _release: release }
    }

    pub(crate) async fn advance(&self, time: Duration) {
        tokio::time::advance(time).await;
    }

    /// Moves the clock in small steps until the future is ready. Fails if it is not ready after a minute of real time.
    #[allow(clippy::disallowed_types, reason = "tokio's clock is moved")]
    pub(crate) async fn run<F: Future>(&self, future: F) -> F::Output {
        let start = std::time::Instant::now();
        let mut future = pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return output,
                () = real_pause() => {}
            }
            assert!(start.elapsed() < Duration::from_mins(1), "still not ready");
            self.advance(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the condition holds, without moving the clock.
    #[allow(clippy::disallowed_types, reason = "tokio's clock stands still")]
    pub(crate) async fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let start = std::time::Instant::now();
        while !condition() {
            assert!(
                start.elapsed() < super::LIMIT,
                "{what}: not within {:?}",
                super::LIMIT
            );
            real_pause().await;
        }
    }
}

/// Gives the sockets two milliseconds of real time.
#[allow(clippy::disallowed_methods, reason = "runs on a thread of its own")]
async fn real_pause() {
    let _ = spawn_blocking(|| std::thread::sleep(Duration::from_millis(2))).await;
}
