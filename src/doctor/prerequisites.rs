//! The checks that send nothing: the configuration, the files that it names, and the secret.

use std::time::SystemTime;

use super::finding::{FailureKind, Finding};
use super::presented_claims;
use crate::config::{
    Config, ConfigProblems, Loaded, RequestSource, SOURCE_KEY, SecretForm, TokenOrigin,
};
use crate::credentials::Secret;
use crate::net::{client_config_for, system_store, upstream_tls, with_client_certificate};
use crate::text::{counted, error_chain};
use crate::token::{
    Client, RequestSecrets, SingleGrant, check_presented, check_private_key, client,
};

/// What every later check needs.
pub(super) struct Prerequisites {
    pub(super) loaded: Loaded,
    /// For the token endpoint, with the client certificate for it.
    pub(super) token_tls: rustls::ClientConfig,
    /// For the upstream, with the client certificate for it.
    pub(super) upstream_tls: rustls::ClientConfig,
    pub(super) client: Client,
}

/// Checks that the configuration and the files that it names can be used.
pub(super) fn configuration(
    loaded: Result<Loaded, ConfigProblems>,
) -> (Finding, Option<Prerequisites>) {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => return (rejected(&problems), None),
    };
    match clients(&loaded.config) {
        Ok((token_tls, upstream_tls, client)) => {
            let finding = accepted(&loaded);
            let prerequisites = Prerequisites {
                loaded,
                token_tls,
                upstream_tls,
                client,
            };
            (finding, Some(prerequisites))
        }
        Err(cause) => {
            let finding = Finding::failed(FailureKind::Configuration, cause)
                .remedy("run cupbearer check, which names the key and where it was set");
            (finding, None)
        }
    }
}

type Clients = (rustls::ClientConfig, rustls::ClientConfig, Client);

fn clients(config: &Config) -> Result<Clients, String> {
    let tls = client_config_for(config).map_err(|error| error_chain(&error))?;
    let of_upstream = upstream_tls(&tls, &config.network, &config.upstream)
        .map_err(|error| error_chain(&error))?;
    let client = client(tls.clone(), &config.network.proxy);
    let certificate = config
        .token
        .grant()
        .and_then(|grant| grant.certificate.as_ref());
    let token_tls =
        with_client_certificate(&tls, certificate).map_err(|error| error_chain(&error))?;
    Ok((token_tls.config, of_upstream.config, client))
}

fn accepted(loaded: &Loaded) -> Finding {
    let file = match &loaded.file {
        Some(path) => path.display().to_string(),
        None => "no file, only the environment and flags".to_owned(),
    };
    let store = system_store();
    let warnings: Vec<&str> = loaded
        .warnings
        .iter()
        .chain(
            store
                .warnings
                .iter()
                .filter(|found| !loaded.warnings.contains(found)),
        )
        .map(String::as_str)
        .collect();
    if warnings.is_empty() {
        return Finding::ok(format!("{file}; trusts {store}"));
    }
    Finding::note(format!("{file}; trusts {store}: {}", warnings.join("; ")))
        .remedy("correct the keys that are not intended")
}

fn rejected(problems: &ConfigProblems) -> Finding {
    let count = problems.iter().count();
    let failed = Finding::failed(
        FailureKind::Configuration,
        problems
            .introduction()
            .map_or_else(|| counted(count, "problem"), str::to_owned),
    );
    problems.iter().fold(failed, |finding, one| {
        let cause = format!("{} ({}) {}", one.key, one.source, one.problem);
        finding.also(cause, &one.remedy)
    })
}

/// Checks that the secrets can be read and used, and who else can read them. Returns what the token request needs.
pub(super) async fn secret(config: &Config, client: Client) -> (Finding, Option<SingleGrant>) {
    let token = &config.token;
    let sources = token.requests();
    let secrets = match RequestSecrets::read(&sources, None).await {
        Ok(secrets) => secrets,
        Err((source, error)) => {
            let said = error.said().map(|said| format!("; it said: {said}"));
            let said = said.unwrap_or_default();
            let cause = format!("{}: {}{said}", source.key, error.in_full());
            let finding = Finding::failed(FailureKind::Configuration, cause);
            return (finding.remedy(error.remedy()), None);
        }
    };
    let mut places = Vec::with_capacity(sources.len());
    for source in &sources {
        let secret = secrets.get(source.role);
        match secret.map_or(SourceDoubt::None, |secret| doubt(source, secret)) {
            SourceDoubt::None => {
                let claims = secret.and_then(|secret| {
                    let (grant, now) = (token.grant(), SystemTime::now());
                    presented_claims::describe(source, grant, secret.expose(), now)
                });
                let claims = claims
                    .map(|claims| format!(" ({claims})"))
                    .unwrap_or_default();
                let place = source.source.describe();
                places.push(format!("{} from {place}{claims}", source.key));
            }
            SourceDoubt::Note(finding) => {
                return (finding, Some(SingleGrant::new(token, client, secrets)));
            }
            SourceDoubt::Unusable(finding) => return (finding, None),
        }
    }
    let finding = match &token.origin {
        TokenOrigin::Grant(_) => Finding::ok(places.join(", ")),
        TokenOrigin::Source(source) => Finding::ok(format!("{SOURCE_KEY} is {}", source.place)),
        TokenOrigin::SignIn(_) => Finding::ok("none: a person signs in".to_owned()),
    };
    (finding, Some(SingleGrant::new(token, client, secrets)))
}

/// What is doubtful about one secret.
enum SourceDoubt {
    None,
    /// It can be used.
    Note(Finding),
    /// It cannot.
    Unusable(Finding),
}

fn doubt(source: &RequestSource, secret: &Secret) -> SourceDoubt {
    let place = source.source.describe();
    let is_text = match &source.form {
        SecretForm::PrivateKey(signs) => {
            if let Err(error) = check_private_key(signs, secret) {
                let cause = format!("{}: {error}", source.key);
                let finding = Finding::failed(FailureKind::Configuration, cause);
                return SourceDoubt::Unusable(finding.remedy(error.remedy()));
            }
            false
        }
        SecretForm::Jwt | SecretForm::Token => {
            if let Err(defect) = check_presented(source, secret.expose(), SystemTime::now()) {
                let cause = format!("{}: {defect} ({place})", source.key);
                let finding = Finding::failed(FailureKind::Configuration, cause);
                return SourceDoubt::Unusable(finding.remedy(defect.remedy()));
            }
            false
        }
        SecretForm::Text => true,
        SecretForm::CertificateKey | SecretForm::AccessToken => false,
    };
    if let Some(readers) = source.source.other_readers() {
        let finding = Finding::note(format!("{place} can be read by {readers}"));
        return SourceDoubt::Note(
            finding.remedy("let only its owner read it, for example with chmod 600"),
        );
    }
    // Exposed to find white space at its ends, which pasting can add. Nothing of it is kept or shown.
    if is_text && secret.expose().trim_ascii() != secret.expose() {
        let finding = Finding::note(format!(
            "{place} starts or ends with a space or a line end, which is sent as part of the secret"
        ));
        return SourceDoubt::Note(finding.remedy("remove it, unless it belongs to the secret"));
    }
    SourceDoubt::None
}
