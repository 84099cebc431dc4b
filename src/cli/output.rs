//! Writes to standard output and standard error. If one of them is closed (as in `check | head`), that is not an error.

use std::io::{self, Write as _};

use crate::telemetry;

/// A message for people, on standard error.
///
/// While the proxy runs it goes through the queue of the logs, so that a blocked terminal does not block the proxy.
pub(super) fn say(message: &str) {
    if !telemetry::print_line(message) {
        let _closed = writeln!(io::stderr(), "{message}");
    }
}

/// A line of the command's result, on standard output.
pub(super) fn print(line: &str) {
    let _closed = writeln!(io::stdout(), "{line}");
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
