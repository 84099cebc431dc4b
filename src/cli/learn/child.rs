//! The watched program: what of our environment it gets, and signals: its own while it runs, then ours.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

use super::super::Exit;
use crate::config::Config;
use crate::credentials::{SecretSource, withhold_private_variables};

/// Variables that hold a secret of the configuration. The program is run by whoever may read them, but it is not
/// its own business: it may log or pass on what it is given.
pub(super) fn secret_variables(config: &Config) -> Vec<String> {
    let callers = config.guard.callers.iter();
    let sources = callers.filter_map(|caller| caller.key.as_ref());
    sources
        .chain([&config.token.credential])
        .filter_map(|source| match source {
            SecretSource::Env(name) => Some(name.clone()),
            SecretSource::File(_)
            | SecretSource::Command(_)
            | SecretSource::Keyring(_)
            | SecretSource::Value(_) => None,
        })
        .collect()
}

/// Runs it to its end, on our own standard input and outputs.
pub(super) async fn run(
    command: &[OsString],
    given: &[(&str, &str)],
    hidden: &[String],
    signals: &mut Signals,
) -> io::Result<ExitStatus> {
    let program = command.first().map(OsString::as_os_str).unwrap_or_default();
    let mut starting = Command::new(program);
    starting.args(command.iter().skip(1));
    withhold_private_variables(&mut starting);
    for name in hidden {
        starting.env_remove(name);
    }
    starting.envs(given.iter().copied());
    let mut child = starting.spawn()?;
    loop {
        tokio::select! {
            // The Ctrl-C that ended the program was not meant for what comes after it.
            biased;
            signal = signals.next() => pass_on(&child, signal),
            ended = child.wait() => return ended,
        }
    }
}

#[cfg(unix)]
use rustix::process::Signal;

/// What is meant for the program although it was sent to us, and after its end for us. Our own way of ending by
/// them is gone for good once this is made: somebody must listen until the end.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

/// What we end with after it, as a shell says it.
#[cfg(unix)]
pub(super) fn exit_after(signal: Signal) -> Exit {
    Exit::OfProgram(u8::try_from(128 + signal.as_raw()).unwrap_or(1))
}

/// A terminal's Ctrl-C goes to the program itself: a second one makes many of them leave without cleaning up.
#[cfg(unix)]
fn pass_on(child: &Child, signal: Signal) {
    use std::io::IsTerminal as _;
    if signal == Signal::INT && io::stdin().is_terminal() {
        return;
    }
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        // Gone already: its end is what comes next.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// The console tells the program itself.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(not(unix))]
fn pass_on(_child: &Child, (): ()) {}

/// Ctrl-C, as it is elsewhere.
#[cfg(not(unix))]
pub(super) fn exit_after((): ()) -> Exit {
    Exit::OfProgram(130)
}
