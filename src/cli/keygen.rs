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
mod tests {
    use super::*;

    fn wanted(out: &Path) -> Keygen {
        Keygen {
            out: Some(out.to_owned()),
            algorithm: Signing::Es256,
            caller: None,
        }
    }

    #[test]
    fn a_callers_key_is_one_line_in_a_file_and_the_advice_is_configuration_without_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ci.key");
        let caller = Keygen {
            caller: Some("ci".to_owned()),
            ..wanted(&path)
        };

        assert_eq!(keygen(&caller), Exit::Fine);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("cbk_") && text.ends_with('\n'), "{text}");
        assert_eq!(guard::keys_in(text.as_bytes()).unwrap().len(), 1);
        assert_eq!(keygen(&caller), Exit::Failed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

        let advice = advice_for_caller("ci", Some(&path));
        assert!(!advice.contains(text.trim_end()));
        let (_, block) = advice.split_once("\n\n").unwrap();
        let (block, _) = block.rsplit_once("\n\n").unwrap();
        let block: toml::Value = toml::from_str(block).unwrap();
        let file = &block["guard"]["callers"]["ci"]["key"]["file"];
        assert_eq!(file.as_str(), path.to_str());
    }

    #[test]
    fn a_caller_has_a_name_that_can_be_configured() {
        assert!(caller_name("ci-2").is_ok());
        for name in ["", "CI", "a.b", "a b"] {
            assert!(caller_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_key_is_written_once_for_its_owner_only_and_never_over_anything() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");

        assert_eq!(keygen(&wanted(&path)), Exit::Fine);
        let first = std::fs::read_to_string(&path).unwrap();
        assert!(first.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(keygen(&wanted(&path)), Exit::Failed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_mode_600_and_a_link_is_not_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        assert_eq!(keygen(&wanted(&path)), Exit::Fine);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &link).unwrap();
        assert_eq!(keygen(&wanted(&link)), Exit::Failed);
        assert!(!directory.path().join("elsewhere").exists());
    }

    #[test]
    fn what_is_printed_holds_no_private_part() {
        let key = new_key(Algorithm::Es256).unwrap();
        let text = format!(
            "{:#}{}",
            key.public,
            advice(Path::new("k"), Algorithm::Es256, &key)
        );
        assert!(!text.contains("\"d\"") && !text.contains("BEGIN"), "{text}");
        assert!(text.contains(&key.id));
    }
}
