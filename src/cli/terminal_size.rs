//! The size of the terminal that standard output is, and the moments when it changes.

use super::watch_screen::ScreenSize;

/// The size if the terminal does not know its own.
const USUAL: ScreenSize = ScreenSize {
    columns: 80,
    rows: 24,
};

/// The size of the terminal now.
#[cfg(unix)]
pub(super) fn terminal_size() -> ScreenSize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    size.map_or(USUAL, |size| ScreenSize {
        columns: or_usual(size.ws_col, USUAL.columns),
        rows: or_usual(size.ws_row, USUAL.rows),
    })
}

#[cfg(unix)]
fn or_usual(found: u16, usual: usize) -> usize {
    if found == 0 { usual } else { found.into() }
}

/// Elsewhere the shell may say it.
#[cfg(not(unix))]
pub(super) fn terminal_size() -> ScreenSize {
    let from = |name: &str, usual| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    ScreenSize {
        columns: from("COLUMNS", USUAL.columns),
        rows: from("LINES", USUAL.rows),
    }
}

/// Notices that the size of the terminal changes, on systems that say so.
pub(super) struct Resizes {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Resizes {
    #[cfg(unix)]
    pub(super) fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            signals: signal(SignalKind::window_change()).ok(),
        }
    }

    #[cfg(not(unix))]
    pub(super) const fn new() -> Self {
        Self {}
    }

    /// Waits for the next change. Never returns if the system does not say.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            signals.recv().await;
            return;
        }
        std::future::pending::<()>().await;
    }
}
