//! Reads what a configuration names (the secret, keys, certificates) before anything starts, and reports all problems
//! at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use crate::config::{
    self, CallerConfig, ConfigProblems, InvalidConfig, Loaded, NamedSources, Overrides,
    RequestSource, SecretForm, Surroundings, TokenOrigin, TokenPlace, is_confidential_field,
};
use crate::credentials::{CertificateFiles, SecretSource, find_program};
use crate::guard;
use crate::net::{read_ca_file, store_warnings};
use crate::token::{
    PresentedTokenDefect, RequestSecrets, check_output, check_presented, check_private_key,
    is_awaited,
};

/// Loads and examines the configuration of every proxy. What an invalid one names is examined too.
///
/// # Errors
/// All problems, of the configuration and of what it names.
pub async fn load_all(
    all: &[Overrides],
    surroundings: &Surroundings,
) -> Result<Vec<Loaded>, ConfigProblems> {
    let loaded = match config::load_all(all, surroundings) {
        Ok(loaded) => loaded,
        Err(invalid) => return Err(all_problems(invalid, LeftOut::Nothing).await),
    };
    let mut problems = ConfigProblems::default();
    let mut examined = Vec::new();
    for loaded in loaded {
        match examine(loaded).await {
            Ok(loaded) => examined.push(loaded),
            Err(found) => problems.add(found),
        }
    }
    if let Some(first) = examined.first_mut() {
        first.warnings.extend(store_warnings()); // the store belongs to the process
    }
    if problems.is_empty() {
        Ok(examined)
    } else {
        Err(problems)
    }
}

/// Loads and examines one configuration.
///
/// # Errors
/// All problems, of the configuration and of what it names.
#[cfg(any(feature = "demo", test))]
pub async fn load(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    match config::load_or_named(overrides, surroundings) {
        Ok(loaded) => examine(loaded).await,
        Err(invalid) => Err(all_problems(invalid, LeftOut::Nothing).await),
    }
}

/// The same without the keys of the configured callers, for a run in which none of them takes part: their keys may be
/// on another machine.
///
/// # Errors
/// All problems, of the configuration and of what it names.
pub async fn load_without_callers(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    match config::load_or_named(overrides, surroundings) {
        Ok(loaded) => examine_with(loaded, LeftOut::CallerKeys).await,
        Err(invalid) => Err(all_problems(invalid, LeftOut::CallerKeys).await),
    }
}

/// Examines everything but the secrets of token requests, which the doctor reads in a check of its own.
pub(super) async fn examine_all_but_request_secrets(
    loaded: Loaded,
) -> Result<Loaded, ConfigProblems> {
    examine_with(loaded, LeftOut::RequestSecrets).await
}

/// Examines a configuration that has been loaded.
///
/// # Errors
/// All problems, of the configuration and of what it names.
pub async fn examine(loaded: Loaded) -> Result<Loaded, ConfigProblems> {
    examine_with(loaded, LeftOut::Nothing).await
}

/// The same for a configuration that was rejected and has not changed. Programs and keyrings, which may ask a person,
/// are left alone.
///
/// # Errors
/// All problems that can be found so.
pub async fn examine_again(loaded: Loaded) -> Result<Loaded, ConfigProblems> {
    examine_with(loaded, LeftOut::Elsewhere).await
}

/// What is left out of the examination.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    Nothing,
    CallerKeys,
    RequestSecrets,
    /// What [`SecretSource::asks_elsewhere`].
    Elsewhere,
}

impl LeftOut {
    fn admits(self, source: &SecretSource) -> bool {
        self != Self::Elsewhere || !source.asks_elsewhere()
    }
}

async fn examine_with(mut loaded: Loaded, left_out: LeftOut) -> Result<Loaded, ConfigProblems> {
    let (problems, warnings) = examine_sources(&loaded.named, left_out).await;
    loaded.warnings.extend(warnings);
    let exposed = exposed_field(&loaded);
    loaded.warnings.extend(exposed);
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

/// The problems of a configuration, then those of what it names.
async fn all_problems(invalid: InvalidConfig, left_out: LeftOut) -> ConfigProblems {
    let mut problems = invalid.problems;
    for named in &invalid.named {
        let (found, _) = examine_sources(named, left_out).await;
        problems.add(found);
    }
    problems
}

/// What is wrong with the sources, and warnings.
async fn examine_sources(named: &NamedSources, left_out: LeftOut) -> (ConfigProblems, Vec<String>) {
    let mut problems = ConfigProblems::default();
    let mut report = |key: &str, problem: (String, String)| {
        problems.push(key, named.source_of(key), problem);
    };
    let requests = named.requests.iter();
    let requests: Vec<&RequestSource> = requests
        .filter(|request| left_out != LeftOut::RequestSecrets && left_out.admits(&request.source))
        .collect();
    let mut warnings: Vec<String> = exposed_files(named, &requests).into_iter().collect();
    for request in requests {
        match examine_request_source(request).await {
            Ok(warning) => warnings.extend(warning),
            Err(problem) => report(request.key, problem),
        }
    }
    if let Some(program) = &named.token_program
        && find_program(program).is_none()
    {
        let problem = format!("there is no program {program} that this user may run");
        let remedy = "check its name, and that it is in PATH".to_owned();
        report(config::SOURCE_KEY, (problem, remedy));
    }
    for certificate in &named.certificates {
        match certificate.check() {
            Ok(warning) => warnings.extend(warning),
            Err(errors) => {
                for error in errors {
                    report(error.key(), (error.to_string(), error.remedy()));
                }
            }
        }
    }
    for (key, file) in [
        ("network.ca_file", &named.ca_file),
        ("tls.client_ca_file", &named.client_ca_file),
    ] {
        match file.as_deref().map(|file| check_ca_file(key, file)) {
            Some(Err(problem)) => report(key, problem),
            Some(Ok(warning)) => warnings.extend(warning),
            None => {}
        }
    }
    if left_out != LeftOut::CallerKeys {
        let has_admitted_key = |caller: &&CallerConfig| {
            let key = caller.key.as_ref();
            key.is_some_and(|key| left_out.admits(key))
        };
        let callers = named.callers.iter().filter(has_admitted_key).cloned();
        let callers: Vec<CallerConfig> = callers.collect();
        for (name, keys) in guard::check_keys(&callers).await {
            let key = format!("guard.callers.{name}.key");
            match keys {
                Ok(0) => warnings.push(format!(
                    "{key} has no keys: all requests from {name} are rejected"
                )),
                Ok(_) => {}
                Err(problem) => report(&key, (problem.problem, problem.remedy)),
            }
        }
        let keys = callers.iter().filter_map(|caller| caller.key.as_ref());
        warnings.extend(keys.filter_map(SecretSource::exposed));
    }
    (problems, warnings)
}

/// Whether a secret of token requests can be read, and used where this can be told. Returns a warning if someone else
/// must write or renew it first.
async fn examine_request_source(
    request: &RequestSource,
) -> Result<Option<String>, (String, String)> {
    let key = request.key;
    let secrets = match RequestSecrets::read(std::slice::from_ref(request), None).await {
        Ok(secrets) => secrets,
        Err((_, error)) if is_awaited(request, &error) => {
            let error = error.in_full();
            return Ok(Some(format!(
                "{key}: {error}; there is no access token until it is written"
            )));
        }
        Err((_, error)) => return Err((error.in_full(), error.remedy())),
    };
    let Some(secret) = secrets.get(request.role) else {
        return Ok(None);
    };
    match &request.form {
        // Any text can be a client secret, but not a private key.
        SecretForm::PrivateKey(signs) => check_private_key(signs, secret)
            .map(|()| None)
            .map_err(|error| (error.to_string(), error.remedy().to_owned())),
        SecretForm::Jwt | SecretForm::Token => {
            match check_presented(request, secret.expose(), SystemTime::now()) {
                Ok(_) => Ok(None),
                Err(defect @ PresentedTokenDefect::Expired { .. }) => {
                    let place = request.source.describe();
                    Ok(Some(format!(
                        "{key}: {defect} ({place}); {}",
                        defect.remedy()
                    )))
                }
                Err(defect) => Err((defect.to_string(), defect.remedy().to_owned())),
            }
        }
        SecretForm::AccessToken => {
            let checked = check_output(secret.expose(), SystemTime::now());
            Ok(checked.err().map(|defect| {
                let place = request.source.describe();
                format!("{key}: {defect} ({place}); {}", defect.remedy())
            }))
        }
        SecretForm::Text | SecretForm::CertificateKey => Ok(None),
    }
}

/// Whether the file has at least one certificate, and no broken one. Returns a warning if it contains anything else.
fn check_ca_file(key: &str, path: &Path) -> Result<Option<String>, (String, String)> {
    let shown = path.display();
    let read =
        read_ca_file(path).map_err(|error| (format!("{error} ({shown})"), error.remedy()))?;
    Ok((!read.other_labels.is_empty()).then(|| {
        let labels = read.other_labels.join(", ");
        format!("{key}: only its certificates are used, not {labels} ({shown})")
    }))
}

/// Files with secrets that other users can read. These are warnings, not errors: Kubernetes mounts secrets with mode
/// 0644 by default.
fn exposed_files(named: &NamedSources, requests: &[&RequestSource]) -> BTreeSet<String> {
    named
        .certificates
        .iter()
        .filter_map(CertificateFiles::exposed)
        .chain(requests.iter().filter_map(|one| one.source.exposed()))
        .collect()
}

/// A warning if a header field of `token.source` contains a credential, and others can read the configuration file.
fn exposed_field(loaded: &Loaded) -> Option<String> {
    let TokenOrigin::Source(source) = &loaded.config.token.origin else {
        return None;
    };
    let TokenPlace::Http { headers, .. } = &source.place else {
        return None;
    };
    let mut fields = headers.iter();
    let is_confidential = |(name, value): &(&http::HeaderName, &http::HeaderValue)| {
        is_confidential_field(name.as_str(), value.as_bytes())
    };
    let (name, _) = fields.find(is_confidential)?;
    let file = loaded.file.clone()?;
    // The variable or the flag may set it instead.
    let set_in = loaded.named.source_of(config::SOURCE_KEY);
    let is_in_file = set_in.starts_with(&*file.display().to_string());
    let exposed = SecretSource::File(file).exposed().filter(|_| is_in_file)?;
    Some(format!(
        "{}: the header field {name} may contain a credential, and {exposed}",
        config::SOURCE_KEY
    ))
}

#[cfg(test)]
mod tests;
