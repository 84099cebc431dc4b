//! Writes the configuration and its secret, and says what was written and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::answers::NewConfig;
use super::error::InitError;
use super::files::{self, Existing, PreviousFile};
use super::identity::{GrantChoice, NewIdentity, SecretLocation};
use super::keyring::PreviousEntry;
use super::overwritable::Overwritable;
use super::port::{PortState, PortStates};
use super::{document, keyring};
use crate::cli::output::say;
use crate::cli::quoting::shell_word;
use crate::cli::signals::HeldSignals;
use crate::cli::staged_file::{FileMode, StagedFile};
use crate::config::keys::CONFIG_VARIABLE;
use crate::config::{ConfigProblems, Overrides, Surroundings, is_same_file, load_text};
use crate::credentials::{FileError, Secret, SecretEcho, SecretSource, read_regular};
use crate::guard;

/// Why `cupbearer check` would reject the configuration. Each answer has been checked, but not all of them together.
pub(super) fn check(config: &NewConfig, path: &Path) -> Result<(), ConfigProblems> {
    let overrides = Overrides {
        file: Some(path.to_owned()),
        ..Overrides::default()
    };
    let text = document::text(config, path);
    load_text(&text, &overrides, &Surroundings::default()).map(drop)
}

/// Writes the secret and the configuration, or neither.
pub(super) async fn write(
    config: &NewConfig,
    path: &Path,
    overwritable: &mut Overwritable,
) -> Result<(), InitError> {
    files::check_destination(path, config)
        .map_err(|invalid| InitError::Usage(format!("{}: {}", invalid.problem, invalid.remedy)))?;
    let failed =
        |path: &Path, error: &io::Error| InitError::Failed(files::not_written(path, error));
    let existing = overwritable.existing(path);
    if files::is_kept(path, existing) {
        return Err(failed(path, &io::ErrorKind::AlreadyExists.into()));
    }
    let secrets = files::new_secret_files(path, config);
    for file in secrets.iter().map(PathBuf::as_path).chain([path]) {
        if overwritable.existing(file) == Existing::Replace
            && !overwritable.has_written(path)
            && repeats_secret(config, file, file == path).await
        {
            let shown = file.display();
            return Err(InitError::Usage(format!(
                "{shown} contains the secret, so nothing can be written there: write another name for the configuration"
            )));
        }
    }
    let target = files::target(path, existing).map_err(|error| failed(path, &error))?;
    for file in [path, &target] {
        files::make_parent(file).map_err(|error| failed(file, &error))?;
    }
    // Both are complete before either is moved to its place, so that a full disk leaves neither.
    let text = document::text(config, path);
    let configuration = stage(&target, text.as_bytes(), FileMode::Default)
        .and_then(|mut staged| {
            // A file that others could not read stays so.
            staged.take_permissions_of(&target)?;
            Ok(staged)
        })
        .map_err(|error| failed(path, &error))?;
    // From here on until all of it is written, or none of it.
    let _uninterrupted = HeldSignals::new();
    let mut replaced = ReplacedSecrets::default();
    let placed = match store_secrets(config, path, overwritable, &mut replaced).await {
        Ok(()) => {
            files::place(configuration, &target, existing).map_err(|error| failed(path, &error))
        }
        Err(error) => Err(error),
    };
    if placed.is_err() {
        replaced.restore().await;
        return placed;
    }
    overwritable.add_written(config, path);
    Ok(())
}

/// What was where secrets are now.
#[derive(Default)]
struct ReplacedSecrets {
    files: Vec<PreviousFile>,
    entry: Option<PreviousEntry>,
}

impl ReplacedSecrets {
    async fn restore(self) {
        self.files.into_iter().for_each(PreviousFile::restore);
        if let Some(entry) = self.entry
            && let Some(problem) = entry.restore().await
        {
            say(&format!("cupbearer init: {problem}"));
        }
    }
}

/// Stores the client's secret and the callers' key where they belong. `replaced` receives what was there.
async fn store_secrets(
    config: &NewConfig,
    path: &Path,
    overwritable: &Overwritable,
    replaced: &mut ReplacedSecrets,
) -> Result<(), InitError> {
    let mut place = |file: &Path, content: &[u8]| {
        let existing = overwritable.existing(file);
        let failed = |error: io::Error| InitError::Failed(files::not_written(file, &error));
        let staged = stage(file, content, FileMode::Owner).map_err(failed)?;
        let previous = PreviousFile::of(file, existing).map_err(failed)?;
        if let Err(error) = files::place(staged, file, existing) {
            previous.restore_if_moved();
            return Err(failed(error));
        }
        replaced.files.push(previous);
        Ok(())
    };
    if config.caller_key {
        let key = guard::new_key().map_err(|error| InitError::Failed(error.to_string()))?;
        let line = Zeroizing::new(format!("{}\n", *key));
        place(&files::caller_key_path(path), line.as_bytes())?;
    }
    match config.identity.secret() {
        // Exposed to be written to a file that only its owner can read.
        Some(SecretLocation::NewFile(secret)) => place(&files::secret_path(path), secret.expose()),
        Some(SecretLocation::Keyring(entry, Some(secret))) => {
            replaced.entry = Some(PreviousEntry::of(entry).await?);
            keyring::store(entry, secret).await
        }
        Some(
            SecretLocation::Keyring(_, None) | SecretLocation::File(_) | SecretLocation::Command(_),
        )
        | None => Ok(()),
    }
}

/// Whether the file contains the secret in any encoding, and so is likely to be where it comes from, however a command
/// names it. A secret that is typed or read from standard input may replace itself in a file of its own.
async fn repeats_secret(config: &NewConfig, path: &Path, is_configuration: bool) -> bool {
    const LONGEST: u64 = 1 << 20;
    let command = config.identity.command();
    let given = match config.identity.secret() {
        Some(SecretLocation::NewFile(secret)) if is_configuration => Some(secret),
        _ => None,
    };
    if command.is_none() && given.is_none() {
        return false;
    }
    let content = match read_regular(path, LONGEST) {
        Ok(content) => content,
        Err(FileError::TooLong { .. }) => return true, // no configuration is
        Err(_) => return false,
    };
    // Exposed to look for it.
    let is_there = |secret: &Secret| SecretEcho::of(secret.expose()).is_in(&content);
    if let Some(secret) = given {
        return is_there(secret);
    }
    let Some(words) = command else {
        return false;
    };
    // The command may be one of another machine.
    let printed = SecretSource::Command(words.to_owned()).read().await;
    printed.is_ok_and(|printed| is_there(&printed))
}

fn stage(path: &Path, bytes: &[u8], mode: FileMode) -> io::Result<StagedFile> {
    let mut staged = StagedFile::create(path, mode)?;
    staged.write(bytes)?;
    Ok(staged)
}

pub(super) fn summary(config: &NewConfig, path: &Path) -> String {
    let secret = match config.identity.secret() {
        Some(SecretLocation::NewFile(_)) => format!(
            "\nThe secret is in {}, which only you can read.",
            files::secret_path(path).display()
        ),
        Some(SecretLocation::Keyring(entry, Some(_))) => {
            format!("\nThe secret is in the keyring, as {entry}.")
        }
        Some(
            SecretLocation::Keyring(_, None) | SecretLocation::File(_) | SecretLocation::Command(_),
        )
        | None => String::new(),
    };
    let key = if config.caller_key {
        let file = files::caller_key_path(path);
        format!(
            "\nThe callers' key is in {}, which only you can read.",
            file.display()
        )
    } else {
        String::new()
    };
    format!("The configuration is in {}.{secret}{key}", path.display())
}

pub(super) fn after_failure(path: &Path) -> String {
    format!(
        "\nThe configuration has been kept. Fix what is shown above, then run:\n  cupbearer doctor --config {}",
        shell_word(path)
    )
}

/// The commands to type next. `ports` is what is known about the ports that the proxy would use.
pub(super) fn next_steps(
    config: &NewConfig,
    path: &Path,
    surroundings: &Surroundings,
    ports: &PortStates,
) -> String {
    // A command in a file that was only found in the working directory does not run.
    let runs_command = config.identity.command().is_some();
    let is_named = surroundings.variable(CONFIG_VARIABLE).is_some();
    let is_here = is_same_file(&surroundings.working_directory.join("cupbearer.toml"), path);
    let needs_name = runs_command && is_here && !is_named;
    let flag = if is_found_without_flag(path, surroundings) && !needs_name {
        String::new()
    } else {
        format!(" --config {}", shell_word(path))
    };
    let url = match config.listen.as_deref() {
        None => Some("http://localhost:6749".to_owned()),
        Some(listen) if listen.ends_with(":0") || listen.starts_with("unix:") => None,
        Some(listen) => Some(format!("http://{listen}")),
    };
    let needs = needs(config, path);
    let usage = |url| usage(url, &needs);
    let flags = flag + &ports.flags();
    let commands = match &ports.listen {
        PortState::Free => format!("\nNow run:\n  cupbearer{flags}\nand {}", usage(url)),
        PortState::RunsThis { .. } => format!(
            "\nA proxy with this configuration is already running: {}\nTo run another one beside it:\n  cupbearer{flags}",
            usage(url)
        ),
        PortState::Taken { by, free } => {
            let words = usage(Some(format!("http://localhost:{free}")));
            format!(
                "\n{by}. Use another port for this proxy. Now run:\n  cupbearer{flags}\nand {words}"
            )
        }
    };
    commands + &sign_in(&config.identity, &flags)
}

/// What a person who signs in does next.
fn sign_in(identity: &NewIdentity, flag: &str) -> String {
    let is_elsewhere = matches!(identity, NewIdentity::Client(client)
        if client.grant.choice() == GrantChoice::DeviceCode);
    if is_elsewhere {
        return format!(
            "\nNobody is signed in at first: run this too.\n  cupbearer login --device{flag}"
        );
    }
    if !identity.is_person() {
        return String::new();
    }
    format!(
        "\nNobody is signed in at first: run this too, or open the page that the proxy prints.\n  cupbearer login{flag}"
    )
}

/// Whether `cupbearer` finds the file by itself, from this directory.
fn is_found_without_flag(path: &Path, surroundings: &Surroundings) -> bool {
    if let Some(named) = surroundings.variable(CONFIG_VARIABLE) {
        return is_same_file(&named, path);
    }
    let here = surroundings.working_directory.join("cupbearer.toml");
    if here.exists() {
        return is_same_file(&here, path);
    }
    let user = surroundings.user_configuration.as_ref();
    user.is_some_and(|directory| {
        let found = directory.join("cupbearer").join("config.toml");
        found.exists() && is_same_file(&found, path)
    })
}

/// What requests need to be admitted.
fn needs(config: &NewConfig, path: &Path) -> String {
    if !config.caller_key {
        return "they need no authorization".to_owned();
    }
    let ways = if config.field.keeps_authorization {
        "X-Cupbearer-Key: KEY"
    } else {
        "Authorization: Bearer KEY, or in a browser as the password"
    };
    let file = files::caller_key_path(path);
    format!("they need the key in {}, as {ways}", file.display())
}

fn usage(url: Option<String>, needs: &str) -> String {
    match url {
        None => format!("send your requests to the address that it prints; {needs}."),
        Some(url) => format!(
            "send the requests of Postman, curl or a browser to {url}; {needs}.\n\
             The documentation of the API, if it serves one there, is at {url}/docs."
        ),
    }
}
