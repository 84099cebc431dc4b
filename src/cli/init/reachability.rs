//! Tries the two addresses as soon as both are known, before anything else is asked.

use std::path::Path;

use super::answers::{NewConfig, SecretAuthMethod, SecretLocation};
use super::document;
use super::error::InitError;
use crate::cli::doctor;
use crate::config::paste::{PastedApi, PastedTokenEndpoint};
use crate::config::{Overrides, Setting, Surroundings};
use crate::doctor::{Check, DoctorOptions, Outcome};

/// The doctor's failed checks of names, connections, certificates and metadata; `None` if there are none.
pub(super) async fn failures(
    api: &PastedApi,
    token: &PastedTokenEndpoint,
    surroundings: &Surroundings,
) -> Result<Option<String>, InitError> {
    let directory = tempfile::tempdir().map_err(|error| no_temporary_file(&error))?;
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, provisional_config(api, token, directory.path()))
        .map_err(|error| no_temporary_file(&error))?;
    let short_timeout = Setting {
        flag: "--set",
        key: "upstream.connect_timeout".to_owned(),
        text: "5s".to_owned(),
    };
    let overrides = Overrides {
        file: Some(file),
        settings: vec![short_timeout],
    };
    let options = DoctorOptions {
        overrides: &overrides,
        surroundings,
        path: None,
    };
    // Since there is no secret yet, no token is requested, and the API is only connected to.
    let checks = Box::pin(crate::doctor::examine(&options, &mut |_| {})).await;
    let failed: Vec<&Check> = checks.iter().filter(|check| is_failure(check)).collect();
    Ok((!failed.is_empty()).then(|| doctor::lines(&failed)))
}

fn no_temporary_file(error: &std::io::Error) -> InitError {
    InitError::Failed(format!(
        "the directory for temporary files cannot be used: {error}; choose another with TMPDIR, or use --no-doctor"
    ))
}

/// Whether a check of an address has failed. The others fail because the configuration is provisional.
fn is_failure(check: &Check) -> bool {
    let is_of_address = check.id == "discovery"
        || check.id.starts_with("token_endpoint.")
        || check.id.starts_with("api.");
    is_of_address && matches!(check.finding.outcome, Outcome::Failed(_))
}

/// The two addresses, and placeholders for the rest.
fn provisional_config(api: &PastedApi, token: &PastedTokenEndpoint, directory: &Path) -> String {
    let config = NewConfig {
        api: api.clone(),
        token: token.clone(),
        client_id: "not-asked-yet".to_owned(),
        auth: SecretAuthMethod::Basic,
        scope: None,
        read_only: false,
        listen: None,
        secret: SecretLocation::File(directory.join("not-asked-yet")),
    };
    document::text(&config, None)
}
