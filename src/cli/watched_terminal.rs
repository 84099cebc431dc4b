//! The terminal that `cupbearer status --watch` fills: its keys, its size, and the signals that end it.

use std::future::Future;

use super::exit::Exit;
use super::output::ResultOutput;
use super::signals::SignalListener;
use super::terminal_size::Resizes;
use super::watch_keys::{KeyReader, WatchKey};

/// Something that happens at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminalEvent {
    Key(WatchKey),
    /// The window has another size.
    Resized,
    /// The command must end like this.
    Signal(Exit),
}

pub(super) struct WatchedTerminal {
    pub(super) output: ResultOutput,
    resizes: Resizes,
    keys: Option<KeyReader>,
    /// Signals are received only while there is something to restore.
    signals: Option<SignalListener>,
}

impl WatchedTerminal {
    pub(super) fn new() -> Self {
        // First, so that no signal ends the process before it has restored the terminal.
        let signals = SignalListener::new().ok();
        let keys = signals.as_ref().and_then(|_| KeyReader::new());
        Self {
            output: ResultOutput::default(),
            resizes: Resizes::new(),
            keys,
            signals,
        }
    }

    /// Fills the terminal with `text`. Returns whether that was possible.
    pub(super) fn show(&mut self, text: &str) -> bool {
        const REDRAW: &str = "\x1b[H\x1b[2J";
        self.output.put(&format!("{REDRAW}{text}\n"))
    }

    /// What happens next. Cancel safe.
    pub(super) async fn next(&mut self) -> TerminalEvent {
        tokio::select! {
            key = next_key(&mut self.keys) => TerminalEvent::Key(key),
            () = self.resizes.next() => TerminalEvent::Resized,
            exit = next_signal(&mut self.signals) => TerminalEvent::Signal(exit),
        }
    }

    /// Waits for `future`.
    ///
    /// # Errors
    /// How to end, if a signal says so in the meantime.
    pub(super) async fn during<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Exit> {
        tokio::select! {
            output = future => Ok(output),
            exit = next_signal(&mut self.signals) => Err(exit),
        }
    }
}

async fn next_key(keys: &mut Option<KeyReader>) -> WatchKey {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

async fn next_signal(signals: &mut Option<SignalListener>) -> Exit {
    match signals {
        Some(signals) => Exit::OfProgram(signals.next().await.exit_code()),
        None => std::future::pending().await,
    }
}
