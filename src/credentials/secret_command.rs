//! Runs a program that prints a secret or a token, bounded in time and in length.
//!
//! It runs in `/`, without the variables that are meant for this process alone, and in a process group of its own,
//! which is killed as a whole.

#[cfg(unix)]
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
#[cfg(unix)]
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::child_process::withhold_private_variables;
use super::program::find_program;
use super::secret_error::SecretError;
use super::stderr_line::{self, KEPT_BYTES};

/// How long a command may run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end of its outputs is waited for when it has ended. A program that it has left behind may keep them
/// open.
const OUTPUT_GRACE: Duration = Duration::from_millis(200);

/// What a command has printed.
pub struct CommandOutput {
    /// Its standard output.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The last line of its standard error, without what looks like a token: for the log and the doctor only.
    pub said: Option<String>,
}

/// Runs a command, and returns what it prints. It is killed when 30 s have passed, and when the returned future is
/// dropped.
///
/// # Errors
/// It cannot be started, fails, does not end in time, or prints more than `limit` bytes.
pub async fn run_command(words: &[String], limit: u64) -> Result<CommandOutput, SecretError> {
    let started = start(words)?;
    let mut running = RunningCommand {
        stderr: Zeroizing::new(Vec::with_capacity(2 * KEPT_BYTES)),
        stdout: Zeroizing::new(Vec::with_capacity(capacity(limit))),
        started,
    };
    let ended = timeout(COMMAND_TIMEOUT, running.run(limit)).await;
    let said = running.said();
    match ended {
        Ok(Ok(status)) if status.success() => Ok(CommandOutput {
            stdout: std::mem::take(&mut running.stdout),
            said,
        }),
        Ok(Ok(status)) => Err(SecretError::CommandFailed {
            program: program(words),
            status,
            said,
        }),
        Ok(Err(None)) => Err(SecretError::TooLong(format!("command {}", program(words)))),
        Ok(Err(Some(source))) => Err(SecretError::CommandStart {
            program: program(words),
            source,
        }),
        Err(_) => Err(SecretError::CommandTimeout {
            program: program(words),
            limit: COMMAND_TIMEOUT,
            said,
        }),
    }
}

/// The name of the program, without its arguments: these may be confidential.
pub(super) fn program(words: &[String]) -> String {
    words.first().cloned().unwrap_or_default()
}

fn start(words: &[String]) -> Result<StartedCommand, SecretError> {
    let failed_to_start = |source| SecretError::CommandStart {
        program: program(words),
        source,
    };
    let file = find_program(&program(words));
    let file = file.ok_or_else(|| failed_to_start(std::io::ErrorKind::NotFound.into()))?;
    let child = command(file, words).spawn().map_err(failed_to_start)?;
    Ok(StartedCommand::new(child))
}

/// The process groups of the commands that are running, so that none outlives this process: what waits for one may be
/// in a thread that the end of the process does not wait for.
#[cfg(unix)]
static RUNNING_GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

#[cfg(unix)]
fn running_groups() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING_GROUPS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Kills the commands that are still running, before this process ends.
pub fn kill_running_commands() {
    #[cfg(unix)]
    for group in running_groups().iter() {
        kill_group(*group);
    }
}

/// Fails only if all of its processes have ended.
#[cfg(unix)]
fn kill_group(group: i32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = Pid::from_raw(group) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// A command whose whole process group is killed when this is dropped before the command has ended.
struct StartedCommand {
    child: Child,
    #[cfg(unix)]
    group: Option<i32>,
}

impl StartedCommand {
    fn new(child: Child) -> Self {
        #[cfg(unix)]
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        #[cfg(unix)]
        running_groups().extend(group);
        Self {
            child,
            #[cfg(unix)]
            group,
        }
    }

    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        #[cfg(unix)]
        {
            // Its number may be another group's now.
            if let Some(group) = self.group.take() {
                running_groups().remove(&group);
            }
        }
        Ok(status)
    }
}

#[cfg(unix)]
impl Drop for StartedCommand {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            running_groups().remove(&group);
            kill_group(group);
        }
    }
}

/// A command that runs, and what it has printed so far.
struct RunningCommand {
    stderr: Zeroizing<Vec<u8>>,
    stdout: Zeroizing<Vec<u8>>,
    started: StartedCommand,
}

impl RunningCommand {
    /// Reads both outputs until the command has ended. `None` as the error if it prints too much.
    async fn run(&mut self, limit: u64) -> Result<ExitStatus, Option<std::io::Error>> {
        let Self {
            stderr: end_of_stderr,
            stdout: bytes,
            started,
        } = self;
        let child = &mut started.child;
        let stdout = child.stdout.take().expect("its standard output is piped");
        let mut stderr = child.stderr.take().expect("its standard error is piped");
        let mut stdout = stdout.take(limit + 1);
        let reading = async {
            match stdout.read_to_end(bytes).await {
                Ok(read) if read as u64 <= limit => Ok(()),
                Ok(_) => Err(None),
                Err(error) => Err(Some(error)),
            }
        };
        let listening = keep_end(&mut stderr, end_of_stderr);
        tokio::pin!(reading, listening);
        let (mut has_read, mut has_listened) = (false, false);
        let status = loop {
            tokio::select! {
                status = started.wait() => break status.map_err(Some),
                read = &mut reading, if !has_read => {
                    has_read = true;
                    if let Err(error) = read {
                        break Err(error);
                    }
                }
                () = &mut listening, if !has_listened => has_listened = true,
            }
        };
        // Either may stay open, so neither must delay what has come from the other.
        let rest_of_stdout = async {
            if has_read {
                Ok(())
            } else {
                timeout(OUTPUT_GRACE, reading).await.unwrap_or(Ok(()))
            }
        };
        let rest_of_stderr = async {
            if !has_listened {
                let _ = timeout(OUTPUT_GRACE, listening).await;
            }
        };
        let (read, ()) = tokio::join!(rest_of_stdout, rest_of_stderr);
        read.and(status)
    }

    fn said(&self) -> Option<String> {
        stderr_line::last_line(&self.stderr, &self.stdout)
    }
}

/// Reads to the end, and keeps only the last part.
async fn keep_end(stderr: &mut ChildStderr, kept: &mut Vec<u8>) {
    let mut chunk = Zeroizing::new(vec![0; 1024]);
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > KEPT_BYTES {
            kept.drain(..kept.len() - KEPT_BYTES);
        }
    }
}

/// Allocated once: a vector that grows leaves copies behind that are not wiped.
fn capacity(limit: u64) -> usize {
    usize::try_from(limit + 1).expect("64 KiB fit into memory")
}

fn command(file: PathBuf, words: &[String]) -> Command {
    let mut command = Command::new(file);
    command
        .args(words.iter().skip(1))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Also keeps a Ctrl-C in the terminal from it: cupbearer decides when it ends.
    #[cfg(unix)]
    command.process_group(0);
    withhold_private_variables(command.as_std_mut());
    command
}

#[cfg(all(test, unix))]
mod tests;
