//! The terminal that `cupbearer status --watch` fills: its keys, its size, and the signals that end it.

use std::collections::VecDeque;
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
    /// The keys that were pressed while something else was awaited.
    pressed: VecDeque<WatchKey>,
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
            pressed: VecDeque::new(),
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
        if let Some(key) = self.pressed.pop_front() {
            return TerminalEvent::Key(key);
        }
        tokio::select! {
            key = next_key(&mut self.keys) => TerminalEvent::Key(key),
            () = self.resizes.next() => TerminalEvent::Resized,
            exit = next_signal(&mut self.signals) => TerminalEvent::Signal(exit),
        }
    }

    /// Waits for `future`. What is pressed in the meantime is kept, unless it ends the command.
    ///
    /// # Errors
    /// How to end, if a signal or a key says so in the meantime.
    pub(super) async fn during<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Exit> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Ok(output),
                exit = next_signal(&mut self.signals) => return Err(exit),
                key = next_key(&mut self.keys) => match key {
                    WatchKey::Quit => return Err(Exit::Fine),
                    other => self.pressed.push_back(other),
                },
            }
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
