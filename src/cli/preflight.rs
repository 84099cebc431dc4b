//! Reads what a configuration names (the secret, keys, certificates) before anything starts, and reports all problems at
//! once.

use std::collections::BTreeSet;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::{
    self, ClientAuth, Config, ConfigProblems, Loaded, Overrides, Surroundings, TokenConfig,
};
use crate::credentials::{ClientCertificate, Secret, read_regular};
use crate::guard;
use crate::token::{PrivateKeyError, check_private_key};

/// The largest CA bundle that is read, in bytes.
const MAX_CA_FILE: u64 = 16 << 20;

/// Loads and examines the configuration of every proxy.
pub(super) async fn load_all(
    all: &[Overrides],
    surroundings: &Surroundings,
) -> Result<Vec<Loaded>, ConfigProblems> {
    let mut problems = ConfigProblems::default();
    let mut examined = Vec::new();
    for loaded in config::load_all(all, surroundings)? {
        match examine(loaded).await {
            Ok(loaded) => examined.push(loaded),
            Err(found) => problems.add(found),
        }
    }
    if problems.is_empty() {
        Ok(examined)
    } else {
        Err(problems)
    }
}

/// Loads and examines one configuration.
#[cfg(any(feature = "demo", test))]
pub(super) async fn load(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    examine(config::load(overrides, surroundings)?).await
}

/// The same without the keys of the configured callers, for a run in which none of them takes part: their keys may be on
/// another machine.
pub(super) async fn load_without_callers(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    let (loaded, problems) = examine_files(config::load(overrides, surroundings)?).await;
    result(loaded, problems)
}

/// Examines a configuration that has been loaded.
pub(super) async fn examine(loaded: Loaded) -> Result<Loaded, ConfigProblems> {
    let (mut loaded, mut problems) = examine_files(loaded).await;
    examine_callers(&mut loaded, &mut problems).await;
    result(loaded, problems)
}

fn result(loaded: Loaded, problems: ConfigProblems) -> Result<Loaded, ConfigProblems> {
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

async fn examine_files(mut loaded: Loaded) -> (Loaded, ConfigProblems) {
    let mut problems = ConfigProblems::default();
    let token = &loaded.config.token;
    let key = token.credential_key;
    match token.credential.read().await {
        Ok(credential) => {
            if let Err(error) = check_credential(token, &credential) {
                let remedy = error.remedy().to_owned();
                loaded.report(&mut problems, key, (error.to_string(), remedy));
            }
        }
        Err(error) => loaded.report(&mut problems, key, (error.in_full(), error.remedy())),
    }
    let upstream = &loaded.config.upstream;
    for files in [&token.certificate, &upstream.client_certificate]
        .into_iter()
        .flatten()
    {
        if let Err(error) = files.check() {
            let complaint = (error.to_string(), error.remedy());
            loaded.report(&mut problems, error.key(), complaint);
        }
    }
    if let Some(Err(complaint)) = loaded.config.network.ca_file.as_deref().map(check_ca_file) {
        loaded.report(&mut problems, "network.ca_file", complaint);
    }
    loaded.warnings.extend(exposed_files(&loaded.config));
    (loaded, problems)
}

async fn examine_callers(loaded: &mut Loaded, problems: &mut ConfigProblems) {
    let callers = loaded.config.guard.callers.clone();
    for (name, keys) in guard::check_keys(&callers).await {
        let key = format!("guard.callers.{name}.key");
        match keys {
            Ok(0) => loaded.warnings.push(format!(
                "{key} has no keys: all requests from {name} are rejected"
            )),
            Ok(_) => {}
            Err(problem) => {
                loaded.report(problems, &key, (problem.problem, problem.remedy));
            }
        }
    }
    let exposed = callers
        .iter()
        .filter_map(|caller| caller.key.as_ref()?.exposed());
    loaded.warnings.extend(exposed);
}

/// Whether a private key can be parsed and fits the configured algorithm. Any text can be a client secret.
fn check_credential(token: &TokenConfig, credential: &Secret) -> Result<(), PrivateKeyError> {
    match token.auth {
        ClientAuth::PrivateKeyJwt => check_private_key(&token.assertion, credential),
        ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt | ClientAuth::Tls => Ok(()),
    }
}

/// Whether the file has at least one certificate, and no broken one.
fn check_ca_file(path: &Path) -> Result<(), (String, String)> {
    let shown = path.display();
    let bytes = read_regular(path, MAX_CA_FILE)
        .map_err(|error| (format!("{shown}: {error}"), error.remedy()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        certificate.map_err(|_| {
            let problem = format!("{shown}: certificate {} is broken", count + 1);
            (problem, "export it again as PEM".to_owned())
        })?;
        count += 1;
    }
    if count == 0 {
        let remedy = "export the certificate of the certification authority as PEM (-----BEGIN CERTIFICATE-----)";
        return Err((format!("{shown}: has no certificate"), remedy.to_owned()));
    }
    Ok(())
}

/// Files with secrets that other users can read. These are warnings, not errors: Kubernetes mounts secrets with mode 0644
/// by default.
fn exposed_files(config: &Config) -> BTreeSet<String> {
    let certificates = [
        &config.token.certificate,
        &config.upstream.client_certificate,
    ];
    let certificates = certificates.into_iter().flatten();
    certificates
        .filter_map(ClientCertificate::exposed)
        .chain(config.token.credential.exposed())
        .collect()
}

#[cfg(test)]
mod tests;
