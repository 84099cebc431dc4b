//! Runs the program: with which environment, and where signals go while it runs.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

use crate::cli::exit::Exit;
use crate::cli::signals::{ProcessSignal, SignalListener};
use crate::config::Config;
use crate::credentials::{SecretSource, withhold_private_variables};

/// The environment variables with the secrets of this configuration. The user can read them anyway, but the program has
/// no need for them, and might log them or pass them on.
pub(super) fn secret_variables(config: &Config) -> Vec<String> {
    let callers = config.guard.callers.iter();
    let sources = callers.filter_map(|caller| caller.key.as_ref());
    let requests = config.token.requests();
    sources
        .chain(requests.iter().map(|one| &one.source))
        .filter_map(|source| match source {
            SecretSource::Env(name) => Some(name.clone()),
            SecretSource::File(_)
            | SecretSource::Command(_)
            | SecretSource::Keyring(_)
            | SecretSource::Value(_) => None,
        })
        .collect()
}

/// Runs the program to its end, with our standard input and outputs. `added` are variables for it, `withheld` those
/// that it does not get.
pub(super) async fn run(
    command: &[OsString],
    added: &[(&str, &str)],
    withheld: &[String],
    signals: &mut SignalListener,
) -> io::Result<ExitStatus> {
    let program = command.first().map(OsString::as_os_str).unwrap_or_default();
    let mut command_to_run = Command::new(program);
    command_to_run.args(command.iter().skip(1));
    withhold_private_variables(command_to_run.as_std_mut());
    for name in withheld {
        command_to_run.env_remove(name);
    }
    command_to_run.envs(added.iter().copied());
    let mut child = command_to_run.spawn()?;
    loop {
        tokio::select! {
            // First, so that the Ctrl-C which ended the program does not also end what follows it.
            biased;
            signal = signals.next() => pass_on(&child, signal),
            status = child.wait() => return status,
        }
    }
}

/// A terminal sends its Ctrl-C to the program too, and a second one makes many programs exit without cleaning up.
#[cfg(unix)]
fn pass_on(child: &Child, signal: ProcessSignal) {
    use std::io::IsTerminal as _;

    use rustix::process::{Pid, Signal, kill_process};

    let signal = match signal {
        ProcessSignal::Interrupt if io::stdin().is_terminal() => return,
        ProcessSignal::Interrupt => Signal::INT,
        ProcessSignal::Terminate => Signal::TERM,
        ProcessSignal::Hangup => Signal::HUP,
    };
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // Fails only if the program has just ended, which `run` notices next.
        let _ = kill_process(pid, signal);
    }
}

/// The console sends Ctrl-C to the program too.
#[cfg(not(unix))]
fn pass_on(_child: &Child, _signal: ProcessSignal) {}

/// The exit code of the program unless it is 0. After a signal, it is 128 plus the number of the signal, as in a shell.
pub(super) fn exit_of(status: ExitStatus) -> Option<Exit> {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or(signal).unwrap_or(1);
    let code = u8::try_from(code & 0xff).unwrap_or(1);
    (!status.success()).then_some(Exit::OfProgram(code.max(1)))
}
