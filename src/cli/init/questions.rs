//! The questions, in the order in which they are asked.

use std::path::{Path, PathBuf};

use super::answers::{AnswerSlot, Answers, NewConfig};
use super::error::InitError;
use super::files;
use super::flag_check::needs_client_as_issuer;
use super::identity::{
    ActingAs, ClientAuthMethod, ClientProof, GrantChoice, NewClient, NewGrant, NewIdentity,
};
use super::overwritable::Overwritable;
use super::person_questions::{LET_SERVER_CHOOSE, SCOPES};
use super::prompts::{ask, ask_optional, choose, confirm, explain};
use super::terminal::Dialogue;
use super::{parse, person_questions, reachability, secret_question};
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};
use crate::config::{InvalidValue, Surroundings};

pub(super) const WELCOME: &str = "\
This asks a few questions, then writes a configuration and tries it. Enter accepts the value in [brackets].
Ctrl-C ends it at any time; nothing is written before the last answer. For tokens from a command, a file or a metadata
server, and for other grants, there are flags (cupbearer init --help).
";

/// Asks for everything that is not known yet. With `surroundings`, the addresses are tried as soon as both are known.
pub(super) async fn interview(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    overwritable: &Overwritable,
    surroundings: Option<&Surroundings>,
) -> Result<NewConfig, InitError> {
    let is_person = answers.asks_who_acts
        && person_questions::acting_as(dialogue, &mut answers.acting_as)? == ActingAs::Person;
    let (api, identity) = if is_person {
        person(dialogue, answers, surroundings).await?
    } else if let Some(source) = answers.source.clone() {
        let api = api(dialogue, &mut answers.api)?;
        (api, NewIdentity::Source(source))
    } else {
        let (api, token) = addresses(dialogue, answers, surroundings).await?;
        let client = client(dialogue, answers, token, overwritable).await?;
        (api, NewIdentity::Client(Box::new(client)))
    };
    let read_only = read_only(dialogue, &mut answers.read_only, &api)?;
    let is_linux = cfg!(target_os = "linux");
    let caller_key = person_questions::caller_key(dialogue, answers, &identity, is_linux)?;
    Ok(NewConfig {
        api,
        identity,
        field: answers.field.clone(),
        read_only,
        listen: answers.listen.clone(),
        caller_key,
    })
}

/// The API, and who signs in to it: a person, as an answer has said.
async fn person(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    surroundings: Option<&Surroundings>,
) -> Result<(PastedApi, NewIdentity), InitError> {
    let pasted = api(dialogue, &mut answers.api)?;
    let Some(id) = person_questions::public_client(dialogue, answers)? else {
        let source = person_questions::copied_token(dialogue, answers, &pasted)?;
        return Ok((pasted, NewIdentity::Source(source)));
    };
    let device = person_questions::device(dialogue, &mut answers.device)?;
    let (api, token) = addresses(dialogue, answers, surroundings).await?;
    let client = person_questions::sign_in_client(dialogue, answers, id, device, token)?;
    Ok((api, NewIdentity::Client(Box::new(client))))
}

async fn client(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    token: PastedTokenEndpoint,
    overwritable: &Overwritable,
) -> Result<NewClient, InitError> {
    let mut grant = answers.grant.clone();
    if let NewGrant::SignIn { device, endpoint } = &mut grant
        && endpoint.is_none()
    {
        *endpoint = person_questions::sign_in_endpoint(dialogue, answers, *device, &token)?;
    }
    let choice = grant.choice();
    // Nobody may have to authenticate, and then there need be no client id.
    let is_open = choice != GrantChoice::ClientCredentials;
    let early = is_open.then(|| auth(dialogue, &mut answers.auth, choice));
    let early = early.transpose()?;
    let needs_no_id = !choice.is_sign_in() && !needs_client_as_issuer(&grant);
    let id = match early {
        Some(ClientAuthMethod::None) if needs_no_id => answers.client_id.known().cloned(),
        Some(_) | None => Some(client_id(dialogue, &mut answers.client_id, &token)?),
    };
    let method = match early {
        Some(method) => method,
        None => auth(dialogue, &mut answers.auth, choice)?,
    };
    let scope = if choice.is_sign_in() {
        person_questions::sign_in_scope(dialogue, &mut answers.scope)?
    } else {
        scope(dialogue, &mut answers.scope, &token)?
    };
    let proof = match method {
        ClientAuthMethod::PrivateKeyJwt => {
            ClientProof::PrivateKey(private_key(dialogue, &mut answers.private_key)?)
        }
        ClientAuthMethod::ClientAssertion => {
            let file = client_assertion(dialogue, &mut answers.client_assertion)?;
            let kind = answers.client_assertion_type.clone();
            ClientProof::Assertion { file, kind }
        }
        ClientAuthMethod::None => ClientProof::Nothing,
        ClientAuthMethod::Basic | ClientAuthMethod::Post | ClientAuthMethod::SecretJwt => {
            let id = id.as_deref().unwrap_or_default();
            let secret = &mut answers.secret;
            let secret = secret_question::secret(dialogue, secret, id, overwritable).await?;
            ClientProof::Secret(method, secret)
        }
    };
    Ok(NewClient {
        token,
        id,
        proof,
        grant,
        scope,
        params: answers.params.clone(),
    })
}

fn private_key(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<PathBuf>,
) -> Result<PathBuf, InitError> {
    let question = "\nWhich file has the private key? (cupbearer keygen makes one)";
    file(dialogue, answer, question, parse::existing_file)
}

/// The file may not exist yet, since something else writes it.
fn client_assertion(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<PathBuf>,
) -> Result<PathBuf, InitError> {
    let question =
        "\nWhich file has the JWT that something else issues for this client and renews?";
    file(dialogue, answer, question, parse::renewed_file)
}

fn file(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<PathBuf>,
    question: &str,
    read: fn(&str) -> Result<PathBuf, InvalidValue>,
) -> Result<PathBuf, InitError> {
    if let Some(path) = answer.known() {
        return Ok(path.clone());
    }
    let default = answer.default().map(|path| path.display().to_string());
    let path = ask(dialogue, question, default.as_deref(), read)?;
    *answer = AnswerSlot::Known(path.clone());
    Ok(path)
}

async fn addresses(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    surroundings: Option<&Surroundings>,
) -> Result<(PastedApi, PastedTokenEndpoint), InitError> {
    loop {
        let api = api(dialogue, &mut answers.api)?;
        let token = token(dialogue, &mut answers.token)?;
        let Some(surroundings) = surroundings else {
            return Ok((api, token));
        };
        dialogue.show("\nTrying both addresses ...");
        let Some(failures) = reachability::failures(&api, &token, surroundings).await else {
            dialogue.show("  Both can be reached.");
            return Ok((api, token));
        };
        dialogue.show(&failures);
        if confirm(dialogue, "Continue with these addresses anyway?", false)? {
            return Ok((api, token));
        }
        answers.api = answers.api.clone().into_default();
        answers.token = answers.token.clone().into_default();
    }
}

fn api(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<PastedApi>,
) -> Result<PastedApi, InitError> {
    if let Some(api) = answer.known() {
        return Ok(api.clone());
    }
    let default = answer.default().map(|api| api.url.clone());
    let api = ask(
        dialogue,
        "The API. Paste the URL of its /docs page, or any other URL on it:",
        default.as_deref(),
        PastedApi::read,
    )?;
    dialogue.show(&format!("  = {}", api.url));
    if let Some(value) = api.xsrf_header() {
        dialogue.show(&format!(
            "  This API requires the header X-XSRF-Header: {value}, which cupbearer will send."
        ));
    }
    *answer = AnswerSlot::Known(api.clone());
    Ok(api)
}

fn token(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<PastedTokenEndpoint>,
) -> Result<PastedTokenEndpoint, InitError> {
    if let Some(endpoint) = answer.known() {
        return Ok(endpoint.clone());
    }
    let default = answer.default().map(PastedTokenEndpoint::address);
    let endpoint = ask(
        dialogue,
        "\nThe authorization server. Paste the application's Token Endpoint (in PingOne: on the\n\
         application's Configuration tab), or an issuer:",
        default.as_deref(),
        PastedTokenEndpoint::read,
    )?;
    dialogue.show(&format!("  = {}", endpoint.describe()));
    *answer = AnswerSlot::Known(endpoint.clone());
    Ok(endpoint)
}

fn client_id(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<String>,
    endpoint: &PastedTokenEndpoint,
) -> Result<String, InitError> {
    if let Some(id) = answer.known() {
        return Ok(id.clone());
    }
    let default = answer.default().cloned();
    let id = ask(
        dialogue,
        "\nThe application's Client ID:",
        default.as_deref(),
        |text| paste::client_id(text, Some(endpoint)),
    )?;
    *answer = AnswerSlot::Known(id.clone());
    Ok(id)
}

fn auth(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<ClientAuthMethod>,
    grant: GrantChoice,
) -> Result<ClientAuthMethod, InitError> {
    if let Some(auth) = answer.known() {
        return Ok(*auth);
    }
    let methods = ClientAuthMethod::usable_with(grant);
    let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
    let default = answer.default().copied().unwrap_or(ClientAuthMethod::Basic);
    let default = methods.iter().position(|method| *method == default);
    let index = choose(
        dialogue,
        "\nThe Token Endpoint Authentication Method that is set at the authorization server:",
        &names,
        default.unwrap_or(0),
    )?;
    *answer = AnswerSlot::Known(methods[index]);
    Ok(methods[index])
}

/// `PingOne` needs no answer: without a scope, it grants all scopes of the application's only resource.
fn scope(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<Option<String>>,
    endpoint: &PastedTokenEndpoint,
) -> Result<Option<String>, InitError> {
    if let Some(scope) = answer.known() {
        return Ok(scope.clone());
    }
    match endpoint {
        PastedTokenEndpoint::PingOne(_) => Ok(answer.given().cloned().flatten()),
        PastedTokenEndpoint::Url(_) | PastedTokenEndpoint::Issuer(_) => {
            let default = answer.default().cloned().flatten().unwrap_or_default();
            let (question, empty_means) = (SCOPES, LET_SERVER_CHOOSE);
            let scope = ask_optional(dialogue, question, empty_means, &default, paste::scope)?;
            *answer = AnswerSlot::Known(scope.clone());
            Ok(scope)
        }
    }
}

fn read_only(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<bool>,
    api: &PastedApi,
) -> Result<bool, InitError> {
    if let Some(read_only) = answer.known() {
        return Ok(*read_only);
    }
    if !api.is_production() {
        return Ok(answer.given().copied().unwrap_or(false));
    }
    let default = answer.default().copied().unwrap_or(true);
    let read_only = confirm(
        dialogue,
        "\nThis looks like production. Allow only requests that read (guard.read_only)?",
        default,
    )?;
    *answer = AnswerSlot::Known(read_only);
    Ok(read_only)
}

/// Where the configuration is written: `chosen`, if there is one. Asks before it overwrites a file, unless that is
/// allowed already.
pub(super) fn destination(
    dialogue: &mut dyn Dialogue,
    chosen: Option<PathBuf>,
    proposed: PathBuf,
    config: &NewConfig,
    overwritable: &mut Overwritable,
) -> Result<PathBuf, InitError> {
    let mut is_chosen = chosen.is_some();
    let mut path = chosen.unwrap_or(proposed);
    loop {
        if !is_chosen {
            let default = path.display().to_string();
            path = ask(
                dialogue,
                "\nWhere should the configuration be written?",
                Some(&default),
                |text| {
                    let path = parse::typed_path(text);
                    files::check_destination(&path, config).map(|()| path)
                },
            )?;
        }
        if let Err(invalid) = files::check_destination(&path, config) {
            dialogue.show(&explain(&invalid));
            is_chosen = false;
            continue;
        }
        let existing = existing_files(&path, config, overwritable);
        if existing.is_empty() {
            return Ok(path);
        }
        let shown: Vec<String> = existing
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let question = match &shown[..] {
            [only] => format!("\n{only} already exists. Overwrite it?"),
            several => format!("\n{} already exist. Overwrite them?", several.join(" and ")),
        };
        if confirm(dialogue, &question, false)? {
            for path in &existing {
                overwritable.add(path);
            }
            return Ok(path);
        }
        is_chosen = false;
    }
}

/// The files that would be overwritten and must not be without asking.
fn existing_files(path: &Path, config: &NewConfig, overwritable: &Overwritable) -> Vec<PathBuf> {
    std::iter::once(path.to_owned())
        .chain(files::new_secret_files(path, config))
        .filter(|path| files::is_kept(path, overwritable.existing(path)))
        .collect()
}
