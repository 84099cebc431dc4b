//! Checks what only flags say about an identity, and about the field for the token, as the configuration itself will be
//! checked, before anything is asked.

use std::path::{Path, PathBuf};

use super::answers::{AnswerSlot, Answers};
use super::document;
use super::identity::{ClientAuthMethod, NewGrant, NewSource, SecretLocation};
use crate::config::paste::{PastedApi, PastedTokenEndpoint};
use crate::config::{Assertion, ConfigProblem, Overrides, Surroundings, load_text};
use crate::credentials::{Secret, read_regular};
use crate::token::{PrivateKeyError, check_private_key};

/// What is wrong with these flags. Placeholders stand for what is not known yet.
pub(super) fn problems_in_identity(answers: &Answers) -> Vec<String> {
    let is_usual = answers.source.is_none()
        && answers.params.is_empty()
        && answers.client_assertion_type.is_none()
        && answers.field.is_default()
        && matches!(answers.grant, NewGrant::ClientCredentials);
    if is_usual {
        return Vec::new();
    }
    let Ok(config) = with_placeholders(answers).complete() else {
        return Vec::new(); // something is missing, which is reported elsewhere
    };
    let overrides = Overrides {
        file: Some("cupbearer.toml".into()),
        ..Overrides::default()
    };
    let text = document::text(&config, Path::new("cupbearer.toml"));
    match load_text(&text, &overrides, &Surroundings::default()) {
        Ok(_) if answers.client_id.known().is_none() && lacks_issuer(answers) => {
            let remedy = "add --claim iss=…, or --client-id";
            vec![format!(
                "--private-key-file: it would sign an assertion without an issuer: {remedy}"
            )]
        }
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .filter_map(|problem| described(problem, answers))
            .collect(),
    }
}

/// Whether nobody has to authenticate, and nothing says who issues the assertion that a key signs.
fn lacks_issuer(answers: &Answers) -> bool {
    let is_open = matches!(answers.auth.known(), Some(ClientAuthMethod::None));
    is_open && needs_client_as_issuer(&answers.grant)
}

/// Whether neither the claims nor the file of the key say who issues the assertion that it signs, so that the client
/// must be the issuer. Of a file that is not here yet, nobody knows.
pub(super) fn needs_client_as_issuer(grant: &NewGrant) -> bool {
    const LONGEST: u64 = 64 << 10;
    let NewGrant::Signed { key, claims } = grant else {
        return false;
    };
    let signing = Assertion {
        algorithm: None,
        key_id: None,
        audience: String::new(),
        has_issuer: false,
    };
    let is_silent = |key: Secret| {
        let checked = check_private_key(&signing, &key);
        matches!(checked, Err(PrivateKeyError::NoIssuer))
    };
    let has_claim = claims.iter().any(|(name, _)| name == "iss");
    !has_claim && read_regular(key, LONGEST).is_ok_and(|key| is_silent(Secret::new(&key[..])))
}

fn with_placeholders(answers: &Answers) -> Answers {
    let mut filled = answers.clone();
    let file = PathBuf::from("/dev/null/not-asked-yet");
    fill(
        &mut filled.api,
        PastedApi::read("https://api.example.com").ok(),
    );
    fill(
        &mut filled.token,
        // An issuer's metadata names the other endpoints.
        PastedTokenEndpoint::read(match answers.grant {
            NewGrant::SignIn { .. } => "https://as.example.com",
            _ => "https://as.example.com/token",
        })
        .ok(),
    );
    if let NewGrant::SignIn {
        endpoint: endpoint @ None,
        ..
    } = &mut filled.grant
    {
        *endpoint = Some("https://as.example.com/not-asked-yet".to_owned());
    }
    fill(&mut filled.client_id, Some("not-asked-yet".to_owned()));
    fill(&mut filled.secret, Some(SecretLocation::File(file.clone())));
    fill(&mut filled.private_key, Some(file.clone()));
    fill(&mut filled.client_assertion, Some(file));
    filled
}

fn fill<T: Clone>(slot: &mut AnswerSlot<T>, placeholder: Option<T>) {
    if slot.known().is_none() {
        *slot = AnswerSlot::of(placeholder);
    }
}

/// The problem of a key that only flags set, with the flag in place of the key.
fn described(problem: &ConfigProblem, answers: &Answers) -> Option<String> {
    let flag = match problem.key.as_str() {
        "token.source" => match answers.source.as_ref()? {
            NewSource::Command(_) => "--token-command",
            NewSource::File(_) => "--token-file",
            NewSource::Http { .. } => "--token-http",
            NewSource::Person { .. } => "--paste",
        },
        "token.login_url" => "--login-url",
        "token.authorization_url" => "--authorization-url",
        "token.device_url" => "--device-url",
        "token.header" => "--token-header",
        "token.prefix" => "--token-prefix",
        "token.keep_authorization" => "--keep-authorization",
        "token.client_assertion_type" => "--client-assertion-type",
        "token.params" => "--param",
        "token.claims" => "--claim",
        "token.assertion" => "--assertion-file",
        "token.subject_token" => "--subject-token-file",
        "token.subject_token_type" => "--subject-token-type",
        "token.actor_token" => "--actor-token-file",
        "token.actor_token_type" => "--actor-token-type",
        _ => return None,
    };
    Some(format!("{flag}: {}: {}", problem.problem, problem.remedy))
}
