//! `cupbearer keygen`: a private key for `private_key_jwt`, and its public half for the authorization server.
//!
//! The private half goes into a new file of mode 0600 and nowhere else.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Exit, say};
use crate::config::Algorithm;
use crate::token::{NewKey, new_key};

/// What is to be made, and where it goes.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct Keygen {
    /// Where the private key goes; an existing file is never overwritten
    #[arg(long, value_name = "FILE", default_value = "private_key.pem")]
    out: PathBuf,
    /// What it will sign with
    #[arg(long, value_name = "NAME", default_value = "RS256", ignore_case = true)]
    algorithm: Signing,
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

/// Makes the key: the public JWK set on standard output, what to do with it on standard error.
pub(super) fn keygen(wanted: &Keygen) -> Exit {
    let algorithm = Algorithm::from(wanted.algorithm);
    let key = match new_key(algorithm) {
        Ok(key) => key,
        Err(error) => {
            say(&format!("cupbearer keygen: {error}"));
            return Exit::Failed;
        }
    };
    if let Err(error) = write_new(&wanted.out, &key) {
        say(&refusal(&wanted.out, &error));
        return Exit::Failed;
    }
    if let Err(error) = writeln!(io::stdout(), "{:#}", key.public) {
        say(&format!("cupbearer keygen: standard output: {error}"));
        return Exit::Failed;
    }
    say(&advice(&wanted.out, algorithm, &key));
    Exit::Fine
}

/// `create_new` refuses an existing file and a symbolic link, also a dangling one.
fn write_new(path: &Path, key: &NewKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // Exposed to be written to the file that was asked for.
    file.write_all(key.private.expose())?;
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
            out: out.to_owned(),
            algorithm: Signing::Es256,
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
