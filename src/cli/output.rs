//! Writes to standard output and standard error.
//!
//! A command whose result does not reach standard output fails and says why, unless its reader has seen enough and is
//! gone, as in `check | head`. What does not reach standard error is lost, since it could not be reported.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use super::exit::Exit;
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

/// How long to wait for space in an output that another program has set to non-blocking.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(10);

/// Writes all of it to standard output at once, without a buffer.
///
/// # Errors
/// Why not all of it has been written, for example because the disk is full or the reader is gone.
pub(super) fn write_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write_some(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a command that prints its result serves nothing"
                )]
                std::thread::sleep(FULL_PIPE_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Not through `io::stdout()`, which hides that standard output is not open for writing.
#[cfg(unix)]
fn write_some(bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
}

#[cfg(not(unix))]
fn write_some(bytes: &[u8]) -> io::Result<usize> {
    let mut out = io::stdout();
    let count = out.write(bytes)?;
    out.flush()?;
    Ok(count)
}

/// The result of a command on standard output.
///
/// The first error ends the output, and [`ResultOutput::finish`] makes the command fail.
#[derive(Default)]
pub(super) struct ResultOutput {
    error: Option<io::Error>,
}

impl ResultOutput {
    /// Shows a part of the result at once. Returns false if nothing can be shown any more.
    pub(super) fn put(&mut self, text: &str) -> bool {
        if self.error.is_none() {
            self.error = write_stdout(text.as_bytes()).err();
        }
        self.error.is_none()
    }

    /// The exit code of the command, which is `exit` if the whole result has been written. A reader that has seen
    /// enough, as in `check | head`, is not an error. For any other error, the cause is shown.
    pub(super) fn finish(self, command: &str, exit: Exit) -> Exit {
        match self.error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                say(&format!("{command}: standard output: {error}"));
                if exit == Exit::Fine {
                    Exit::Failed
                } else {
                    exit
                }
            }
            Some(_) | None => exit,
        }
    }
}

/// Shows a whole result and returns the command's exit code, as [`ResultOutput::finish`] does.
pub(super) fn print_result(command: &str, text: &str, exit: Exit) -> Exit {
    let mut output = ResultOutput::default();
    output.put(text);
    output.finish(command, exit)
}

/// Whether standard output is `/dev/null`. The runtime puts it there if the process starts with a closed one.
#[cfg(unix)]
pub(super) fn stdout_is_null_device() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.and_then(|fd| std::fs::File::from(fd).metadata());
    match (stdout, std::fs::metadata("/dev/null")) {
        // Only a device has a number here.
        (Ok(stdout), Ok(null)) => null.rdev() != 0 && stdout.rdev() == null.rdev(),
        _ => false,
    }
}

/// Unknown on this system.
#[cfg(not(unix))]
pub(super) fn stdout_is_null_device() -> bool {
    false
}

/// The same on standard error.
pub(super) fn put_error(text: &str) {
    let _closed = io::stderr().write_all(text.as_bytes());
}
