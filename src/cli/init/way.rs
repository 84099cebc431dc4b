//! Looks at the way to the two addresses as soon as both are known, before anything else is asked.

use std::path::Path;

use super::answers::{Auth, Credential, Plan};
use super::{Stop, doctor, document};
use crate::config::paste::{PastedApi, PastedTokenEndpoint};
use crate::config::{Overrides, Setting, Surroundings};
use crate::doctor::{Check, DoctorOptions, Outcome};

/// What the doctor says of names, connections, certificates and metadata; nothing, if all of it is well.
pub(super) async fn trouble(
    api: &PastedApi,
    token: &PastedTokenEndpoint,
    surroundings: &Surroundings,
) -> Result<Option<String>, Stop> {
    let directory = tempfile::tempdir().map_err(|error| no_room(&error))?;
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, provisional(api, token, directory.path()))
        .map_err(|error| no_room(&error))?;
    let quickly = Setting {
        flag: "--set",
        key: "upstream.connect_timeout".to_owned(),
        text: "5s".to_owned(),
    };
    let overrides = Overrides {
        file: Some(file),
        settings: vec![quickly],
    };
    let options = DoctorOptions {
        overrides: &overrides,
        surroundings,
        path: None,
    };
    // There is no secret yet: no token is asked for, and the API is only connected to.
    let checks = Box::pin(crate::doctor::examine(&options, &mut |_| {})).await;
    let failed: Vec<&Check> = checks.iter().filter(|check| concerns(check)).collect();
    Ok((!failed.is_empty()).then(|| doctor::lines(&failed)))
}

fn no_room(error: &std::io::Error) -> Stop {
    Stop::Failed(format!(
        "the directory for temporary files cannot be used: {error}; name another with TMPDIR, or say --no-doctor"
    ))
}

fn concerns(check: &Check) -> bool {
    let is_of_the_way = check.id == "discovery"
        || check.id.starts_with("token_endpoint.")
        || check.id.starts_with("api.");
    is_of_the_way && matches!(check.finding.outcome, Outcome::Failed(_))
}

/// What is known, and something in the place of what is not.
fn provisional(api: &PastedApi, token: &PastedTokenEndpoint, directory: &Path) -> String {
    let plan = Plan {
        api: api.clone(),
        token: token.clone(),
        client_id: "not-asked-yet".to_owned(),
        auth: Auth::Basic,
        scope: None,
        read_only: false,
        listen: None,
        credential: Credential::File(directory.join("not-asked-yet")),
    };
    document::text(&plan, None)
}
