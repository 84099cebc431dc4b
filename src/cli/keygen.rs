//! `cupbearer keygen`: a private key for `private_key_jwt`, and its public half for the authorization server;
//! with `--caller`, a key for a caller of this proxy.
//!
//! The private half goes into a new file of mode 0600 and nowhere else; a caller's key too, or to standard
//! output where no file is named.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::{Exit, say};
use crate::config::{Algorithm, is_caller_name};
use crate::guard;
use crate::token::{NewKey, new_key};

/// What is to be made, and where it goes.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct Keygen {
    /// Where the key goes; an existing file is never overwritten [default: `private_key.pem`; with
    /// --caller, standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What it will sign with
    #[arg(
        long,
        value_name = "NAME",
        default_value = "RS256",
        ignore_case = true,
        conflicts_with = "caller"
    )]
    algorithm: Signing,
    /// Make a key for a caller of this proxy instead, and show the lines that let it in
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "ci",
        value_parser = caller_name
    )]
    caller: Option<String>,
}

/// Where a private key goes where nothing is said.
const PRIVATE_KEY: &str = "private_key.pem";

pub(super) fn caller_name(text: &str) -> Result<String, &'static str> {
    let problem = "a caller's name is 1 to 32 of a-z, 0-9, \"-\" and single \"_\" between them";
    is_caller_name(text).then(|| text.to_owned()).ok_or(problem)
}

/// Algorithms that have a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Signing {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "RS384")]
    Rs384,
    #[value(name = "RS512")]
    Rs512,
    #[value(name = "ES256")]
    Es256,
}

impl From<Signing> for Algorithm {
    fn from(signing: Signing) -> Self {
        match signing {
            Signing::Rs256 => Self::Rs256,
            Signing::Rs384 => Self::Rs384,
            Signing::Rs512 => Self::Rs512,
            Signing::Es256 => Self::Es256,
        }
    }
}

/// Makes the key: the public JWK set or the caller's key on standard output, what to do with it on standard
/// error.
pub(super) fn keygen(wanted: &Keygen) -> Exit {
    match &wanted.caller {
        Some(name) => key_of_caller(name, wanted.out.as_deref()),
        None => key_pair(wanted),
    }
}

fn key_of_caller(name: &str, out: Option<&Path>) -> Exit {
    let key = match guard::new_key() {
        Ok(key) => key,
        Err(error) => {
            say(&format!("cupbearer keygen: {error}"));
            return Exit::Failed;
        }
    };
    let line = Zeroizing::new(format!("{}\n", *key));
    let written = match out {
        Some(path) => write_new(path, line.as_bytes()).map_err(|error| refusal(path, &error)),
        None => io::stdout()
            .write_all(line.as_bytes())
            .map_err(|error| format!("cupbearer keygen: standard output: {error}")),
    };
    match written {
        Ok(()) => {
            say(&advice_for_caller(name, out));
            Exit::Fine
        }
        Err(complaint) => {
            say(&complaint);
            Exit::Failed
        }
    }
}

/// The lines for the configuration: with an absolute path, since relative ones start where the proxy is started.
fn advice_for_caller(name: &str, out: Option<&Path>) -> String {
    let (where_it_is, file) = if let Some(path) = out {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let said = format!("The key is in {}, for its owner only.", path.display());
        (said, path.display().to_string())
    } else {
        let said = "The key stands above, and nowhere else: put it into a file for the proxy.";
        (said.to_owned(), format!("/run/secrets/{name}.key"))
    };
    format!(
        "{where_it_is} The caller sends it as Authorization: Bearer, as the
Basic password (curl -u x:KEY) or as X-Cupbearer-Key. To let it in, write:

[guard.callers.{name}]
key = {{ file = {file:?} }}
# read_only = true
# allow = [\"GET /api/v1/**\"]

To revoke it, write # before it in the file: that counts within 3 s, without a restart."
    )
}

fn key_pair(wanted: &Keygen) -> Exit {
    let out = wanted.out.as_deref().unwrap_or(Path::new(PRIVATE_KEY));
    let algorithm = Algorithm::from(wanted.algorithm);
    let key = match new_key(algorithm) {
        Ok(key) => key,
        Err(error) => {
            say(&format!("cupbearer keygen: {error}"));
            return Exit::Failed;
        }
    };
    // Exposed to be written to the file that was asked for.
    if let Err(error) = write_new(out, key.private.expose()) {
        say(&refusal(out, &error));
        return Exit::Failed;
    }
    if let Err(error) = writeln!(io::stdout(), "{:#}", key.public) {
        say(&format!("cupbearer keygen: standard output: {error}"));
        return Exit::Failed;
    }
    say(&advice(out, algorithm, &key));
    Exit::Fine
}

/// `create_new` refuses an existing file and a symbolic link, also a dangling one.
fn write_new(path: &Path, key: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

fn refusal(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "cupbearer keygen: {shown} exists and is not overwritten: choose another with --out FILE"
        ),
        _ => format!("cupbearer keygen: {shown} cannot be written: {error}"),
    }
}

fn advice(path: &Path, algorithm: Algorithm, key: &NewKey) -> String {
    let path = path.display();
    let (algorithm, id) = (algorithm.as_str(), &key.id);
    let usual = match algorithm {
        "RS256" | "ES256" => String::new(),
        other => format!("\n  token.algorithm = {other:?}"),
    };
    format!(
        "The private key is in {path}, for its owner only.
Give the JWK set above to the authorization server: it belongs to the client (in PingOne the application)
whose token endpoint authentication method is private_key_jwt. Then write here:
  token.auth = \"private_key_jwt\"
  token.private_key = {{ file = \"{path}\" }}{usual}
The key's id (kid) is {id}, and is sent without further configuration."
    )
}

#[cfg(test)]
mod tests;
