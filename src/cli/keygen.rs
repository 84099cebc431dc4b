//! `cupbearer keygen`: a private key for `private_key_jwt` with its public JWK set, or with `--caller` a key for a
//! caller of this proxy.
//!
//! The private key is written to a new file of mode 0600 and nowhere else. A caller's key is written to such a file
//! too, or to standard output if no file is named. If one half of a pair cannot be written, or a signal comes before,
//! the other is not kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{say, stdout_is_null_device, write_stdout};
use super::quoting::toml_string;
use super::signals;
use super::staged_file::{FileMode, StagedFile, exists};
use crate::config::keys::on_system;
use crate::config::{Algorithm, is_caller_name};
use crate::guard;
use crate::token::{GeneratedKey, generate_key};

const DEFAULT_PRIVATE_KEY: &str = "private_key.pem";

/// Create a key for `private_key_jwt`, or with --caller one for a caller of this proxy
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "Example:\n  cupbearer keygen --out private_key.pem\n  cupbearer keygen --algorithm ES256 --out key.pem > jwks.json\n  cupbearer keygen --caller ci --out ci.key"
)]
pub(super) struct KeygenArgs {
    /// Where the key goes.
    #[arg(
        long,
        value_name = "FILE",
        help = "File for the key; an existing file is never overwritten [default: private_key.pem; with --caller, standard output]"
    )]
    out: Option<PathBuf>,
    /// Algorithm that the key will sign with
    #[arg(
        long,
        value_name = "NAME",
        default_value = "RS256",
        ignore_case = true,
        conflicts_with = "caller"
    )]
    algorithm: SigningAlgorithm,
    /// Create a key for a caller of this proxy instead, and show the configuration that admits it
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "ci",
        value_parser = caller_name
    )]
    caller: Option<String>,
}

pub(super) fn caller_name(text: &str) -> Result<String, &'static str> {
    let problem =
        "a caller's name has 1 to 32 of a-z, 0-9 and \"-\", with single \"_\" between them";
    is_caller_name(text).then(|| text.to_owned()).ok_or(problem)
}

/// The algorithms with a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SigningAlgorithm {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "RS384")]
    Rs384,
    #[value(name = "RS512")]
    Rs512,
    #[value(name = "ES256")]
    Es256,
}

impl From<SigningAlgorithm> for Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Rs256 => Self::Rs256,
            SigningAlgorithm::Rs384 => Self::Rs384,
            SigningAlgorithm::Rs512 => Self::Rs512,
            SigningAlgorithm::Es256 => Self::Es256,
        }
    }
}

impl KeygenArgs {
    /// The public JWK set or the caller's key goes to standard output, the advice to standard error.
    pub(super) fn execute(self, before: SettingsArgs) -> Exit {
        if let Err(exit) = Invocation::new(before, &SettingsArgs::default()).single() {
            return exit;
        }
        if let Some(problem) = self.lost_result().filter(|_| stdout_is_null_device()) {
            say(&format!("cupbearer keygen: {problem}"));
            return Exit::Failed;
        }
        let unfinished = UnfinishedKey::default();
        let at_signal = unfinished.clone();
        signals::end_at_signal_after(move || {
            if let Err(error) = at_signal.remove() {
                say(&format!(
                    "cupbearer keygen: interrupted, but the private key cannot be removed: {error}"
                ));
            }
        });
        self.create(&unfinished)
    }

    /// Why the keys are worth nothing without standard output, if they are.
    fn lost_result(&self) -> Option<&'static str> {
        match (&self.caller, &self.out) {
            (None, _) => Some(
                "standard output is closed or /dev/null, where the public JWK set would be lost; no key has been created: \
                 send standard output to a file, such as jwks.json",
            ),
            (Some(_), None) => Some(
                "standard output is closed or /dev/null, where the key would be lost; no key has been created: name a file \
                 with --out FILE",
            ),
            (Some(_), Some(_)) => None,
        }
    }

    fn create(&self, unfinished: &UnfinishedKey) -> Exit {
        let result = match &self.caller {
            Some(name) => create_caller_key(name, self.out.as_deref()),
            None => self.create_key_pair(unfinished),
        };
        match result {
            Ok(advice) => {
                say(&advice);
                Exit::Fine
            }
            Err(message) => {
                say(&format!("cupbearer keygen: {message}"));
                Exit::Failed
            }
        }
    }

    fn create_key_pair(&self, unfinished: &UnfinishedKey) -> Result<String, String> {
        let out = self
            .out
            .as_deref()
            .unwrap_or(Path::new(DEFAULT_PRIVATE_KEY));
        check_utf8(out)?;
        let algorithm = Algorithm::from(self.algorithm);
        let key = generate_key(algorithm).map_err(|error| error.to_string())?;
        let failed = |error| not_written(out, &error);
        {
            // A signal waits until the file is there and can be removed.
            let mut unfinished = unfinished.lock();
            // Exposed to be written to the file that the user chose.
            let staged = stage_new(out, key.private.expose()).map_err(failed)?;
            staged.place_new(out).map_err(failed)?;
            *unfinished = Some(out.to_owned());
        }
        // Only now, since this cannot be taken back. If the public half is lost, the private one is not kept.
        let printed = print_result(format!("{:#}\n", key.public).as_bytes()).and_then(|()| {
            let file = unfinished.lock().take();
            file.map(drop)
                .ok_or_else(|| "interrupted; no key has been created".to_owned())
        });
        if let Err(message) = printed {
            unfinished.remove().map_err(|error| {
                format!(
                    "{message}, but {} cannot be removed: {error}",
                    out.display()
                )
            })?;
            return Err(message);
        }
        Ok(key_pair_advice(out, algorithm, &key))
    }
}

/// The file with a private key whose public half has yet to be printed.
#[derive(Clone, Default)]
struct UnfinishedKey(Arc<Mutex<Option<PathBuf>>>);

impl UnfinishedKey {
    fn lock(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the file, if there is one.
    fn remove(&self) -> io::Result<()> {
        let mut unfinished = self.lock();
        unfinished.take().map_or(Ok(()), std::fs::remove_file)
    }
}

fn create_caller_key(name: &str, out: Option<&Path>) -> Result<String, String> {
    out.map_or(Ok(()), check_utf8)?;
    let key = guard::new_key().map_err(|error| error.to_string())?;
    let line = Zeroizing::new(format!("{}\n", *key));
    match out {
        Some(path) => stage_new(path, line.as_bytes())
            .and_then(|staged| staged.place_new(path))
            .map_err(|error| not_written(path, &error))?,
        None => print_result(line.as_bytes())?,
    }
    Ok(caller_advice(name, out))
}

/// A configuration could not name another path.
fn check_utf8(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if absolute(path).to_str().is_none() {
        return Err(format!(
            "{shown} is not UTF-8, so no configuration can name it: choose another file with --out FILE"
        ));
    }
    Ok(())
}

/// Unlike what other commands print, this must arrive: a closed pipe is an error too.
fn print_result(bytes: &[u8]) -> Result<(), String> {
    write_stdout(bytes)
        .map_err(|error| format!("standard output: {error}; no key has been created"))
}

/// The path is absolute, since a relative one starts where the proxy is started.
fn caller_advice(name: &str, out: Option<&Path>) -> String {
    let (location, file) = if let Some(path) = out {
        let path = absolute(path);
        let location = format!(
            "The key is in {}, which only its owner can read.",
            path.display()
        );
        (location, path)
    } else {
        let location =
            "The key above is stored nowhere else: put it into a file for the proxy.".to_owned();
        let file = on_system(&format!("/run/secrets/{name}.key"), cfg!(unix));
        (location, PathBuf::from(file))
    };
    let file = toml_string(&file);
    format!(
        "{location} The caller sends it as
Authorization: Bearer, as the Basic password (curl -u x:KEY) or as X-Cupbearer-Key.
To admit the caller, add to the configuration:

[guard.callers.{name}]
key = {{ file = {file} }}
# read_only = true
# allow = [\"GET /api/v1/**\"]

To revoke the key, write # before it in its file: this takes effect within 3 s, without a restart."
    )
}

/// Writes the key aside, unless the file exists; a symbolic link counts, even a dangling one.
fn stage_new(path: &Path, key: &[u8]) -> io::Result<StagedFile> {
    if exists(path) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut staged = StagedFile::create(path, FileMode::Owner)?;
    staged.write(key)?;
    Ok(staged)
}

/// A relative path would start where the proxy is started.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn not_written(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{shown} exists and is not overwritten: choose another file with --out FILE")
        }
        _ => format!("{shown} cannot be written: {error}"),
    }
}

fn key_pair_advice(path: &Path, algorithm: Algorithm, key: &GeneratedKey) -> String {
    let path = absolute(path);
    let (shown, file) = (path.display(), toml_string(&path));
    let (algorithm, id) = (algorithm.as_str(), &key.id);
    let algorithm_line = match algorithm {
        "RS256" | "ES256" => String::new(),
        other => format!("\nalgorithm = {other:?}"),
    };
    format!(
        "The private key is in {shown}, which only its owner can read.
Register the JWK set above at the authorization server, for the client (in PingOne: the application) whose
token endpoint authentication method is private_key_jwt. Then add to the configuration, in its table [token] if it
has one, and without token.client_secret:

[token]
auth = \"private_key_jwt\"
private_key = {{ file = {file} }}{algorithm_line}

The key id (kid) is {id}; it is sent without further configuration."
    )
}

#[cfg(test)]
mod tests;
