//! Checks that ask nobody: the configuration, the files it names, the secret.

use super::finding::{Blame, Finding};
use crate::config::{self, ClientAuth, Config, ConfigProblems, Loaded, Overrides, Surroundings};
use crate::net::{client_config, with_client_certificate};
use crate::text::error_chain;
use crate::token::{Client, Once, check_key, client};

/// What every later check needs.
pub(super) struct Ready {
    pub(super) loaded: Loaded,
    /// For the token endpoint, with the certificate that it may want.
    pub(super) token_tls: rustls::ClientConfig,
    /// For the upstream, with the certificate that it may want.
    pub(super) upstream_tls: rustls::ClientConfig,
    pub(super) client: Client,
}

/// Whether it can be used, files included.
pub(super) fn configuration(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> (Finding, Option<Ready>) {
    let loaded = match config::load(overrides, surroundings) {
        Ok(loaded) => loaded,
        Err(problems) => return (refused(&problems), None),
    };
    match tools(&loaded.config) {
        Ok((token_tls, upstream_tls, client)) => {
            let finding = accepted(&loaded);
            let ready = Ready {
                loaded,
                token_tls,
                upstream_tls,
                client,
            };
            (finding, Some(ready))
        }
        Err(cause) => {
            let finding = Finding::failed(Blame::Configuration, cause)
                .remedy("cupbearer check names the key and where it was set");
            (finding, None)
        }
    }
}

type Tools = (rustls::ClientConfig, rustls::ClientConfig, Client);

fn tools(config: &Config) -> Result<Tools, String> {
    let tls = client_config(&config.network).map_err(|error| error_chain(&error))?;
    let upstream_tls = with_client_certificate(&tls, config.upstream.client_certificate.as_ref())
        .map_err(|error| error_chain(&error))?;
    let client = client(tls.clone(), &config.network.proxy).map_err(|error| error_chain(&error))?;
    let token_tls = with_client_certificate(&tls, config.token.certificate.as_ref())
        .map_err(|error| error_chain(&error))?;
    Ok((token_tls, upstream_tls, client))
}

fn accepted(loaded: &Loaded) -> Finding {
    let file = match &loaded.file {
        Some(path) => path.display().to_string(),
        None => "no file, the environment and flags alone".to_owned(),
    };
    if loaded.warnings.is_empty() {
        return Finding::ok(file);
    }
    Finding::note(format!("{file}: {}", loaded.warnings.join("; ")))
        .remedy("mend what is meant otherwise")
}

fn refused(problems: &ConfigProblems) -> Finding {
    let count = problems.iter().count();
    let plural = if count == 1 { "" } else { "s" };
    let failed = Finding::failed(Blame::Configuration, format!("{count} problem{plural}"));
    problems.iter().fold(failed, |finding, one| {
        let cause = format!("{} ({}) {}", one.key, one.source, one.problem);
        finding.also(cause, &one.remedy)
    })
}

/// Whether there is one, who else can read it, and whether it can be used; the means to ask for a token.
pub(super) async fn secret(config: &Config, client: Client) -> (Finding, Option<Once>) {
    let token = &config.token;
    let key = token.credential_key();
    let secret = match token.credential.read().await {
        Ok(secret) => secret,
        Err(error) => {
            let finding =
                Finding::failed(Blame::Configuration, format!("{key}: {}", error.in_full()));
            return (finding.remedy(error.remedy()), None);
        }
    };
    let is_text = match token.auth {
        ClientAuth::PrivateKeyJwt => {
            if let Err(error) = check_key(&token.assertion, &secret) {
                let finding = Finding::failed(Blame::Configuration, format!("{key}: {error}"));
                return (finding.remedy(error.remedy()), None);
            }
            false
        }
        ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt => true,
        ClientAuth::Tls => false,
    };
    // Looked at for spaces at its ends, which a paste brings along; nothing of it is kept or shown.
    let is_padded = is_text && secret.expose().trim_ascii() != secret.expose();
    let finding = match token.credential.exposed() {
        Some(warning) => match warning.rsplit_once(": ") {
            Some((said, remedy)) => Finding::note(said).remedy(remedy),
            None => Finding::note(warning),
        },
        None if is_padded => Finding::note(format!(
            "{} starts or ends with a space or a line end, which is sent as part of the secret",
            token.credential.describe()
        ))
        .remedy("remove it, unless it belongs to the secret"),
        None => Finding::ok(format!("{key} from {}", token.credential.describe())),
    };
    let once = Once::new(token, client, secret);
    (finding, Some(once))
}
