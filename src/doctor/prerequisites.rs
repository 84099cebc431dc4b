//! The checks that send nothing: the configuration, the files that it names, and the secret.

use super::finding::{FailureKind, Finding};
use crate::config::{ClientAuth, Config, ConfigProblems, Loaded};
use crate::net::{client_config, system_store, with_client_certificate};
use crate::text::error_chain;
use crate::token::{Client, SingleGrant, check_private_key, client};

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
    let tls = client_config(&config.network).map_err(|error| error_chain(&error))?;
    let upstream_tls = with_client_certificate(&tls, config.upstream.client_certificate.as_ref())
        .map_err(|error| error_chain(&error))?;
    let client = client(tls.clone(), &config.network.proxy);
    let token_tls = with_client_certificate(&tls, config.token.certificate.as_ref())
        .map_err(|error| error_chain(&error))?;
    Ok((token_tls, upstream_tls, client))
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
    let plural = if count == 1 { "" } else { "s" };
    let failed = Finding::failed(
        FailureKind::Configuration,
        problems
            .introduction()
            .map_or_else(|| format!("{count} problem{plural}"), str::to_owned),
    );
    problems.iter().fold(failed, |finding, one| {
        let cause = format!("{} ({}) {}", one.key, one.source, one.problem);
        finding.also(cause, &one.remedy)
    })
}

/// Checks that the secret can be read and used, and who else can read it. Returns what the token request needs.
pub(super) async fn secret(config: &Config, client: Client) -> (Finding, Option<SingleGrant>) {
    let token = &config.token;
    let key = token.credential_key;
    let secret = match token.credential.read().await {
        Ok(secret) => secret,
        Err(error) => {
            let finding = Finding::failed(
                FailureKind::Configuration,
                format!("{key}: {}", error.in_full()),
            );
            return (finding.remedy(error.remedy()), None);
        }
    };
    let is_text = match token.auth {
        ClientAuth::PrivateKeyJwt => {
            if let Err(error) = check_private_key(&token.assertion, &secret) {
                let finding =
                    Finding::failed(FailureKind::Configuration, format!("{key}: {error}"));
                return (finding.remedy(error.remedy()), None);
            }
            false
        }
        ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt => true,
        ClientAuth::Tls => false,
    };
    // Exposed to find white space at its ends, which pasting can add. Nothing of it is kept or shown.
    let is_padded = is_text && secret.expose().trim_ascii() != secret.expose();
    let source = token.credential.describe();
    let finding = if token.credential.exposed().is_some() {
        Finding::note(format!(
            "{source} can be read by every user of this machine"
        ))
        .remedy("let only its owner read it, for example with chmod 600")
    } else if is_padded {
        Finding::note(format!(
            "{source} starts or ends with a space or a line end, which is sent as part of the secret"
        ))
        .remedy("remove it, unless it belongs to the secret")
    } else {
        Finding::ok(format!("{key} from {source}"))
    };
    let once = SingleGrant::new(token, client, secret);
    (finding, Some(once))
}
