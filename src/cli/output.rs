//! Writes to standard output and standard error. If one of them is closed (as in `check | head`), that is not an error.

use std::io::{self, IsTerminal as _, Write as _};

use crate::config::ConfigProblems;
use crate::telemetry;

/// A message for people, on standard error.
///
/// While the proxy runs it goes through the queue of the logs, so that a blocked terminal does not block the proxy.
pub(super) fn say(message: &str) {
    if !telemetry::print_line(message) {
        let _closed = writeln!(io::stderr(), "{message}");
    }
}

/// Problems of the configuration as standard error shows them: wrapped on a terminal, otherwise one line for each.
pub(super) fn fitted(problems: &ConfigProblems) -> String {
    terminal_width().map_or_else(|| problems.to_string(), |width| problems.at_width(width))
}

/// The columns of the terminal that standard error is, if it is one.
fn terminal_width() -> Option<usize> {
    if !io::stderr().is_terminal() {
        return None;
    }
    #[cfg(unix)]
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
    #[cfg(not(unix))]
    let columns = 0_u16;
    // A terminal that does not know its width says zero.
    Some(if columns == 0 { 80 } else { columns.into() })
}

/// A line of the command's result, on standard output.
pub(super) fn print(line: &str) {
    let _closed = writeln!(io::stdout(), "{line}");
}

/// The same, but returns false if standard output is closed.
#[must_use]
pub(super) fn try_print(line: &str) -> bool {
    let mut out = io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// A part of the command's result, on standard output, shown at once.
pub(super) fn put(text: &str) {
    let mut out = io::stdout();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The same on standard error.
pub(super) fn put_error(text: &str) {
    let _closed = io::stderr().write_all(text.as_bytes());
}
