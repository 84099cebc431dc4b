//! Tries the two addresses as soon as both are known, before anything else is asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::answers::NewConfig;
use super::document;
use super::identity::{
    ClientAuthMethod, ClientProof, NewClient, NewGrant, NewIdentity, NewTokenField, SecretLocation,
};
use crate::cli::doctor;
use crate::config::paste::{PastedApi, PastedTokenEndpoint};
use crate::config::{Overrides, Setting, Surroundings};
use crate::doctor::{Check, DoctorOptions, Outcome};

/// The doctor's failed checks of names, connections, certificates and metadata; `None` if all passed.
///
/// Writes no file, so that nothing is left behind if Ctrl-C ends it.
pub(super) async fn failures(
    api: &PastedApi,
    token: &PastedTokenEndpoint,
    surroundings: &Surroundings,
) -> Option<String> {
    let short_timeout = Setting {
        flag: "--set",
        key: "upstream.connect_timeout".to_owned(),
        text: "5s".to_owned(),
    };
    let overrides = Overrides {
        file: Some("cupbearer.toml".into()),
        settings: vec![short_timeout],
        ..Overrides::default()
    };
    let options = DoctorOptions {
        overrides: &overrides,
        text: Some(&provisional_config(api, token)),
        surroundings: &without_answers(surroundings),
        path: None,
    };
    // Since there is no secret yet, no token is requested, and the API is only connected to.
    let checks = Box::pin(crate::doctor::examine(&options, &mut |_| {})).await;
    let failed: Vec<&Check> = checks.iter().filter(|check| is_failure(check)).collect();
    (!failed.is_empty()).then(|| doctor::lines(&failed))
}

/// Without the variables that would replace what is tried here, such as another secret.
fn without_answers(surroundings: &Surroundings) -> Surroundings {
    let is_answer = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("CUPBEARER_TOKEN__") || name == "CUPBEARER_UPSTREAM__URL"
    };
    let mut without = surroundings.clone();
    without.variables.retain(|(name, _)| !is_answer(name));
    without
}

/// Whether a check of an address has failed. The others fail because the configuration is provisional.
fn is_failure(check: &Check) -> bool {
    let is_of_address = check.id == "discovery"
        || check.id.starts_with("token_endpoint.")
        || check.id.starts_with("api.");
    is_of_address && matches!(check.finding.outcome, Outcome::Failed(_))
}

/// The two addresses, and placeholders for the rest.
fn provisional_config(api: &PastedApi, token: &PastedTokenEndpoint) -> String {
    // Nothing can be below a file, so there is certainly no secret.
    let no_secret = SecretLocation::File(PathBuf::from("/dev/null/not-asked-yet"));
    let config = NewConfig {
        api: api.clone(),
        identity: NewIdentity::Client(Box::new(NewClient {
            token: token.clone(),
            id: Some("not-asked-yet".to_owned()),
            proof: ClientProof::Secret(ClientAuthMethod::Basic, no_secret),
            grant: NewGrant::ClientCredentials,
            scope: None,
            params: Vec::new(),
        })),
        field: NewTokenField::default(),
        read_only: false,
        listen: None,
        caller_key: false,
    };
    document::text(&config, Path::new("cupbearer.toml"))
}
