//! Runs a program that prints a secret, bounded in time and in length.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::child_process::withhold_private_variables;
use super::secret_error::SecretError;

/// How long a command may run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// What the command prints on its standard output, or `None` if that is longer than `limit` bytes. It is killed
/// when 30 s have passed, and when the returned future is dropped.
pub(super) async fn output(
    words: &[String],
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
    tokio::time::timeout(COMMAND_TIMEOUT, run(words, limit))
        .await
        .unwrap_or_else(|_| {
            Err(SecretError::CommandTimeout {
                program: program(words),
                limit: COMMAND_TIMEOUT,
            })
        })
}

/// The name of the program, without its arguments: these may be confidential.
pub(super) fn program(words: &[String]) -> String {
    words.first().cloned().unwrap_or_default()
}

async fn run(words: &[String], limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
    let failed_to_start = |source| SecretError::CommandStart {
        program: program(words),
        source,
    };
    let mut child = command(words).spawn().map_err(failed_to_start)?;
    let stdout = child.stdout.take().expect("its standard output is piped");
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity(limit)));
    stdout
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(failed_to_start)?;
    if bytes.len() as u64 > limit {
        return Ok(None);
    }
    let status = child.wait().await.map_err(failed_to_start)?;
    if !status.success() {
        return Err(SecretError::CommandFailed {
            program: program(words),
            status,
        });
    }
    Ok(Some(bytes))
}

/// Allocated once: a vector that grows leaves copies behind that are not wiped.
fn capacity(limit: u64) -> usize {
    usize::try_from(limit + 1).expect("64 KiB fit into memory")
}

/// Standard error is discarded: a script that traces itself (`set -x`) writes the secret there.
fn command(words: &[String]) -> Command {
    let mut command = Command::new(program(words));
    command
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    withhold_private_variables(&mut command);
    command
}
