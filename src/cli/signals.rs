//! The signals that this process handles: those that ask it to stop, and SIGHUP, which reloads or stops it.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::sleep;

use crate::credentials;

/// How often to look whether what must not be interrupted has ended.
const HELD_POLL: Duration = Duration::from_millis(20);

/// A signal that has been received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessSignal {
    #[cfg(unix)]
    Terminate,
    /// Ctrl-C.
    Interrupt,
    #[cfg(unix)]
    Hangup,
}

impl ProcessSignal {
    /// Whether this is SIGHUP, which exists only on Unix.
    pub(super) const fn is_hangup(self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Hangup);
        #[cfg(not(unix))]
        return false;
    }

    /// The exit code after it, as in a shell: 128 plus the number of the signal.
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            #[cfg(unix)]
            Self::Terminate => 128 + 15,
            Self::Interrupt => 128 + 2,
            #[cfg(unix)]
            Self::Hangup => 128 + 1,
        }
    }
}

/// Receives them. Once this exists, these signals no longer end the process: something must wait for them until the
/// end.
pub(super) struct SignalListener {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl SignalListener {
    #[cfg(unix)]
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> ProcessSignal {
        tokio::select! {
            _ = self.terminate.recv() => ProcessSignal::Terminate,
            _ = self.interrupt.recv() => ProcessSignal::Interrupt,
            _ = self.hangup.recv() => ProcessSignal::Hangup,
        }
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> ProcessSignal {
        let _ = tokio::signal::ctrl_c().await;
        ProcessSignal::Interrupt
    }
}

/// Does the work, unless a signal ends it: it is then dropped, which kills the commands that it has started. The
/// listener has received what has come since. A SIGHUP ends it only at a terminal: `nohup` lets it go on.
///
/// # Errors
/// The signal.
pub(super) async fn until_signal<T>(
    work: impl Future<Output = T>,
) -> Result<(T, Option<SignalListener>), ProcessSignal> {
    // Without one, a signal ends this process at once.
    let Ok(mut signals) = SignalListener::new() else {
        return Ok((work.await, None));
    };
    let done = tokio::select! {
        output = work => Ok(output),
        signal = next_end(&mut signals) => Err(signal),
    };
    done.map(|output| (output, Some(signals)))
}

/// The next signal that ends a command.
pub(super) async fn next_end(signals: &mut SignalListener) -> ProcessSignal {
    let has_terminal = io::stdin().is_terminal();
    loop {
        let signal = signals.next().await;
        if !signal.is_hangup() || has_terminal {
            return signal;
        }
    }
}

/// How much is in progress that must not be interrupted.
static UNINTERRUPTED: AtomicUsize = AtomicUsize::new(0);

/// While this exists, a signal that [`end_at_signal`] receives waits. A second one does not.
pub(super) struct HeldSignals(());

impl HeldSignals {
    pub(super) fn new() -> Self {
        UNINTERRUPTED.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        UNINTERRUPTED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends this process at a signal, and kills the commands that it has started. It waits in a thread of its own, since a
/// question blocks the runtime. Without that thread, a signal ends only this process.
pub(super) fn end_at_signal() {
    end_at_signal_after(|| ());
}

/// The same, with something to be done before.
#[expect(
    clippy::disallowed_methods,
    reason = "a signal without a handler runs no destructors either, and the main thread may be blocked"
)]
pub(super) fn end_at_signal_after(clean_up: impl FnOnce() + Send + 'static) {
    let (ready, is_ready) = mpsc::channel();
    // A hidden prompt may have switched off its echo.
    #[cfg(unix)]
    let terminal = rustix::termios::tcgetattr(io::stdin()).ok();
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let signal = runtime.ok().and_then(|runtime| {
            runtime.block_on(async {
                let mut signals = SignalListener::new().ok()?;
                drop(ready);
                let signal = next_end(&mut signals).await;
                let held = async {
                    while UNINTERRUPTED.load(Ordering::SeqCst) > 0 {
                        sleep(HELD_POLL).await;
                    }
                };
                tokio::select! {
                    () = held => Some(signal),
                    second = next_end(&mut signals) => Some(second),
                }
            })
        });
        if let Some(signal) = signal {
            credentials::kill_running_commands();
            clean_up();
            #[cfg(unix)]
            if let Some(before) = terminal {
                let now = rustix::termios::OptionalActions::Now;
                let _ = rustix::termios::tcsetattr(io::stdin(), now, &before);
            }
            std::process::exit(i32::from(signal.exit_code()));
        }
    };
    let _ = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait);
    // Until the listener exists, or there will be none.
    let _: Result<(), _> = is_ready.recv();
}
