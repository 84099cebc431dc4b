//! Writes the configuration and its secret, and says what was written and what to do next.

use std::io;
use std::path::Path;

use super::answers::{NewConfig, SecretLocation};
use super::error::InitError;
use super::files::{self, Existing, FileMode};
use super::overwritable::Overwritable;
use super::{document, keyring};
use crate::config::Surroundings;

/// Writes the secret first, since a configuration that names a missing secret is useless.
pub(super) async fn write(
    config: &NewConfig,
    path: &Path,
    overwritable: &mut Overwritable,
) -> Result<(), InitError> {
    let existing = overwritable.existing(path);
    let failed =
        |path: &Path, error: &io::Error| InitError::Failed(files::not_written(path, error));
    if existing == Existing::Keep && files::exists(path) {
        return Err(failed(path, &io::ErrorKind::AlreadyExists.into()));
    }
    files::make_parent(path).map_err(|error| failed(path, &error))?;
    let mut secret_file = None;
    match &config.secret {
        SecretLocation::NewFile(secret) => {
            let file = files::secret_path(path);
            let existing = overwritable.existing(&file);
            // Exposed to be written to a file that only its owner can read.
            files::write(&file, secret.expose(), FileMode::Owner, existing)
                .map_err(|error| failed(&file, &error))?;
            secret_file = Some(file);
        }
        SecretLocation::Keyring(entry, Some(secret)) => keyring::store(entry, secret).await?,
        SecretLocation::Keyring(_, None) | SecretLocation::File(_) | SecretLocation::Command(_) => {
        }
    }
    let text = document::text(config, secret_file.as_deref());
    files::write(path, text.as_bytes(), FileMode::Default, existing)
        .map_err(|error| failed(path, &error))?;
    overwritable.add_written(config, path);
    Ok(())
}

pub(super) fn summary(config: &NewConfig, path: &Path) -> String {
    let secret = match &config.secret {
        SecretLocation::NewFile(_) => format!(
            "\nThe secret is in {}, which only you can read.",
            files::secret_path(path).display()
        ),
        SecretLocation::Keyring(entry, Some(_)) => {
            format!("\nThe secret is in the keyring, as {entry}.")
        }
        SecretLocation::Keyring(_, None) | SecretLocation::File(_) | SecretLocation::Command(_) => {
            String::new()
        }
    };
    format!("The configuration is in {}.{secret}", path.display())
}

pub(super) fn after_failure(path: &Path) -> String {
    format!(
        "\nThe configuration has been kept. Fix what is shown above, then run:\n  cupbearer doctor --config {}",
        path.display()
    )
}

/// The commands to type next.
pub(super) fn next_steps(config: &NewConfig, path: &Path, surroundings: &Surroundings) -> String {
    let here = surroundings.working_directory.join("cupbearer.toml");
    let is_default = if here.exists() {
        files::is_same(&here, path)
    } else {
        surroundings
            .user_configuration
            .as_ref()
            .is_some_and(|directory| {
                files::is_same(&directory.join("cupbearer").join("config.toml"), path)
            })
    };
    let flag = if is_default {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    let url = match config.listen.as_deref() {
        None => Some("http://localhost:6749".to_owned()),
        Some(listen) if listen.ends_with(":0") || listen.starts_with("unix:") => None,
        Some(listen) => Some(format!("http://{listen}")),
    };
    let usage = url.map_or_else(
        || "and send your requests to the address that it prints.".to_owned(),
        |url| {
            format!(
                "and send the requests of Postman, curl or a browser to {url}; they need no authorization.\n\
                 The documentation of the API, if it serves one there, is at {url}/docs."
            )
        },
    );
    format!("\nNow run:\n  cupbearer{flag}\n{usage}")
}
