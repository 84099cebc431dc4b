//! Opens a page in the person's browser, which lives on after this command.

use std::io;
use std::process::{Command, Stdio};

use tokio::process::Command as AsyncCommand;

use crate::credentials::withhold_private_variables;

/// Opens the page. Returns as soon as a program has been started for that.
///
/// # Errors
/// There is no such program.
pub(super) fn open_in_browser(url: &str) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for command in open::commands(url) {
        match start_apart(command) {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Starts a program that neither gets this process's secrets nor ends with it.
fn start_apart(mut command: Command) -> io::Result<()> {
    withhold_private_variables(&mut command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // A Ctrl-C in the terminal is not meant for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // Tokio collects the exit status of a program that is left alone.
    AsyncCommand::from(command).spawn().map(drop)
}

#[cfg(all(test, unix))]
mod tests;
