//! `cupbearer check`: the effective configuration, offline.
//!
//! Reads what the proxy would read at start, the secret too, and prints none of it.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::Exit;
use crate::config::{
    self, ClientAuth, Config, ConfigProblems, Loaded, Overrides, Surroundings, TokenConfig, table,
};
use crate::credentials::{ClientCertificate, Secret, read_regular};
use crate::guard;
use crate::token::{KeyError, check_key};

/// Checks, prints, and says how it went: the table or the JSON on standard output, problems and
/// warnings for people on standard error.
pub(super) async fn check(all: &[Overrides], surroundings: &Surroundings, as_json: bool) -> Exit {
    let checked = examine_all(all, surroundings).await;
    let exit = match &checked {
        Ok(_) => Exit::Fine,
        Err(_) => Exit::Configuration,
    };
    let (out, err) = if as_json {
        (format!("{:#}\n", to_json(&checked)), String::new())
    } else {
        to_text(&checked)
    };
    // A closed pipe (`check | head`) says nothing about the configuration.
    let _closed = io::stdout().write_all(out.as_bytes());
    let _closed = io::stderr().write_all(err.as_bytes());
    exit
}

/// Every proxy's configuration, and that the files it names can be used.
pub(super) async fn examine_all(
    all: &[Overrides],
    surroundings: &Surroundings,
) -> Result<Vec<Loaded>, ConfigProblems> {
    let mut problems = ConfigProblems::default();
    let mut examined = Vec::new();
    for loaded in config::load_all(all, surroundings)? {
        match examine_files(loaded).await {
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

/// The demo's.
#[cfg(any(feature = "demo", test))]
pub(super) async fn examine(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    examine_files(config::load(overrides, surroundings)?).await
}

/// Whether the files that a configuration names can be used.
pub(super) async fn examine_files(loaded: Loaded) -> Result<Loaded, ConfigProblems> {
    let (mut loaded, mut problems) = look(loaded).await;
    examine_callers(&mut loaded, &mut problems).await;
    usable(loaded, problems)
}

/// The same for a run in which no configured caller takes part: their keys may be elsewhere.
pub(super) async fn examine_without_callers(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    let (loaded, problems) = look(config::load(overrides, surroundings)?).await;
    usable(loaded, problems)
}

fn usable(loaded: Loaded, problems: ConfigProblems) -> Result<Loaded, ConfigProblems> {
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

async fn look(mut loaded: Loaded) -> (Loaded, ConfigProblems) {
    let mut problems = ConfigProblems::default();
    let token = &loaded.config.token;
    let key = token.credential_key();
    match token.credential.read().await {
        Ok(credential) => {
            if let Err(error) = fits(token, &credential) {
                let remedy = error.remedy().to_owned();
                loaded.complain(&mut problems, key, (error.to_string(), remedy));
            }
        }
        Err(error) => loaded.complain(&mut problems, key, (error.in_full(), error.remedy())),
    }
    let upstream = &loaded.config.upstream;
    for files in [&token.certificate, &upstream.client_certificate]
        .into_iter()
        .flatten()
    {
        if let Err(error) = files.check() {
            let complaint = (error.to_string(), error.remedy());
            loaded.complain(&mut problems, error.key(), complaint);
        }
    }
    if let Some(Err(complaint)) = loaded.config.network.ca_file.as_deref().map(certificates) {
        loaded.complain(&mut problems, "network.ca_file", complaint);
    }
    loaded.warnings.extend(exposed(&loaded.config));
    (loaded, problems)
}

/// Whether every caller's keys can be read, and are its own.
async fn examine_callers(loaded: &mut Loaded, problems: &mut ConfigProblems) {
    let callers = loaded.config.guard.callers.clone();
    for (name, keys) in guard::check_keys(&callers).await {
        let key = format!("guard.callers.{name}.key");
        match keys {
            Ok(0) => loaded
                .warnings
                .push(format!("{key} holds no key: nobody can be {name}")),
            Ok(_) => {}
            Err(problem) => {
                loaded.complain(problems, &key, (problem.problem, problem.remedy));
            }
        }
    }
    let exposed = callers
        .iter()
        .filter_map(|caller| caller.key.as_ref()?.exposed());
    loaded.warnings.extend(exposed);
}

/// Whether a private key is one, and signs what is configured; any text is a client secret.
fn fits(token: &TokenConfig, credential: &Secret) -> Result<(), KeyError> {
    match token.auth {
        ClientAuth::PrivateKeyJwt => check_key(&token.assertion, credential),
        ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt | ClientAuth::Tls => Ok(()),
    }
}

/// Whether a file holds at least one certificate and nothing broken.
fn certificates(path: &Path) -> Result<(), (String, String)> {
    const LONGEST: u64 = 16 << 20;
    let shown = path.display();
    let bytes = read_regular(path, LONGEST)
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
        let remedy = "export the authority's certificate as PEM (-----BEGIN CERTIFICATE-----)";
        return Err((format!("{shown}: holds no certificate"), remedy.to_owned()));
    }
    Ok(())
}

/// Warnings, not errors: Kubernetes mounts secrets with mode 0644 unless it is told otherwise.
fn exposed(config: &Config) -> BTreeSet<String> {
    let keys = [
        &config.token.certificate,
        &config.upstream.client_certificate,
    ];
    let keys = keys.into_iter().flatten();
    keys.filter_map(ClientCertificate::exposed)
        .chain(config.token.credential.exposed())
        .collect()
}

/// One proxy's object as it is; of several, a list of them.
fn to_json(checked: &Result<Vec<Loaded>, ConfigProblems>) -> Value {
    let object = |loaded: &Loaded| {
        json!({
            "ok": true,
            "file": loaded.file,
            "effective": loaded.effective,
            "token_endpoint": loaded.config.token.endpoint.as_str(),
            "warnings": loaded.warnings,
        })
    };
    match checked.as_deref() {
        Ok([only]) => object(only),
        Ok(several) => {
            json!({ "ok": true, "proxies": several.iter().map(object).collect::<Vec<_>>() })
        }
        Err(problems) => json!({ "ok": false, "problems": problems }),
    }
}

fn to_text(checked: &Result<Vec<Loaded>, ConfigProblems>) -> (String, String) {
    match checked {
        Ok(all) => all.iter().map(text_of).unzip(),
        Err(problems) => (String::new(), format!("{problems}\n")),
    }
}

fn text_of(loaded: &Loaded) -> (String, String) {
    let file = loaded
        .file
        .as_ref()
        .map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let out = format!(
        "{}\ntoken endpoint: {}\nconfiguration: fine ({file}); the secret can be read\n",
        table(&loaded.effective),
        loaded.config.token.endpoint,
    );
    let warnings = loaded
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}\n"));
    (out, warnings.collect())
}

#[cfg(test)]
mod tests;
