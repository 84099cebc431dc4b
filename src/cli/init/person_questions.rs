//! The first question, whether a machine or a person acts, and those that only a person who signs in is asked.

use super::answers::{AnswerSlot, Answers};
use super::error::InitError;
use super::identity::{
    ActingAs, ClientProof, NewClient, NewGrant, NewIdentity, NewSource, SignInDevice,
};
use super::prompts::{ask, ask_optional, choose, confirm};
use super::terminal::Dialogue;
use crate::config::InvalidValue;
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};

const CHOICES: [&str; 2] = [
    "as a machine: a client with a secret or a key, for anything that runs unattended",
    "as yourself: you sign in, and the API's log shows that you acted",
];

const DEVICES: [&str; 2] = [
    "with a browser on this machine (cupbearer login)",
    "with a browser on another device, where you enter a code (cupbearer login --device)",
];

/// Asks whether a machine or a person acts.
pub(super) fn acting_as(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<ActingAs>,
) -> Result<ActingAs, InitError> {
    if let Some(acting) = answer.known() {
        return Ok(*acting);
    }
    let default = usize::from(answer.default() == Some(&ActingAs::Person));
    let question = "How should requests be authorized?";
    let acting = match choose(dialogue, question, &CHOICES, default)? {
        0 => ActingAs::Machine,
        _ => ActingAs::Person,
    };
    dialogue.show("");
    *answer = AnswerSlot::Known(acting);
    Ok(acting)
}

/// The client id of a public client, or `None` if the person copies tokens.
///
/// # Errors
/// The person copies tokens, but there are flags for an authorization server.
pub(super) fn public_client(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
) -> Result<Option<String>, InitError> {
    if let Some(id) = answers.public_client.known() {
        return Ok(id.clone());
    }
    let default = answers.public_client.default().cloned().flatten();
    let id = ask_optional(
        dialogue,
        "\nThe Client ID of a public (native) application that you can sign in to with a browser. Without one, you copy a\n\
         token from a page, about once an hour",
        "if you have none",
        &default.unwrap_or_default(),
        |text| match text {
            "" => Ok(None),
            text => paste::client_id(text, None).map(Some),
        },
    )?;
    if id.is_none() && !answers.server_flags.is_empty() {
        return Err(InitError::Usage(format!(
            "{} would not be used, since a token that you copy is not requested from a server: leave out these flags, or \
             give the Client ID of a public application",
            answers.server_flags.join(", ")
        )));
    }
    answers.public_client = AnswerSlot::Known(id.clone());
    Ok(id)
}

/// Asks where the person's browser is.
pub(super) fn device(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<SignInDevice>,
) -> Result<SignInDevice, InitError> {
    if let Some(device) = answer.known() {
        return Ok(*device);
    }
    let default = usize::from(answer.default() == Some(&SignInDevice::Another));
    let device = match choose(dialogue, "\nWhere will you sign in?", &DEVICES, default)? {
        0 => SignInDevice::This,
        _ => SignInDevice::Another,
    };
    *answer = AnswerSlot::Known(device);
    Ok(device)
}

/// The public client that the person signs in to.
pub(super) fn sign_in_client(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    id: String,
    device: SignInDevice,
    token: PastedTokenEndpoint,
) -> Result<NewClient, InitError> {
    let endpoint = sign_in_endpoint(dialogue, answers, device, &token)?;
    let scope = sign_in_scope(dialogue, &mut answers.person_scope)?;
    Ok(NewClient {
        token,
        id: Some(id),
        proof: ClientProof::Nothing,
        grant: NewGrant::SignIn { device, endpoint },
        scope,
        params: answers.params.clone(),
    })
}

/// The scopes that a person grants.
pub(super) fn sign_in_scope(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<Option<String>>,
) -> Result<Option<String>, InitError> {
    if let Some(scope) = answer.known() {
        return Ok(scope.clone());
    }
    let default = match answer.default() {
        Some(before) => before.clone().unwrap_or_default(),
        None => "openid profile".to_owned(),
    };
    let scope = ask_optional(dialogue, SCOPES, LET_SERVER_CHOOSE, &default, paste::scope)?;
    *answer = AnswerSlot::Known(scope.clone());
    Ok(scope)
}

/// The question for scopes, and what it means to give none.
pub(super) const SCOPES: &str = "\nScopes to request, separated by spaces";
pub(super) const LET_SERVER_CHOOSE: &str = "to let the server choose";

/// Where tokens are copied: the application of `PingOne` Advanced Services, or else the address of a page.
pub(super) fn copied_token(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    api: &PastedApi,
) -> Result<NewSource, InitError> {
    if let Some(login_url) = answers.login_url.known() {
        let login_url = login_url.clone();
        return Ok(NewSource::Person { login_url });
    }
    let login_url = if let Some(application) = api.application() {
        let before = answers.login_url.default().cloned().flatten();
        let before = before.and_then(|url| application_of(api, &url));
        let chosen = ask(
            dialogue,
            "\nThe application that you sign in to: self-service, pingaccess, pingfederate, ...",
            Some(before.as_deref().unwrap_or(application)),
            application_name,
        )?;
        // The usual one needs no key.
        (chosen != application)
            .then(|| api.login_url(&chosen))
            .flatten()
    } else {
        let default = answers.login_url.default().cloned().flatten();
        ask_optional(
            dialogue,
            "\nThe address of the page where you copy a token",
            "if you know it",
            &default.unwrap_or_default(),
            |text| {
                let text = Some(text).filter(|text| !text.is_empty());
                text.map(paste::login_url).transpose()
            },
        )?
    };
    answers.login_url = AnswerSlot::Known(login_url.clone());
    Ok(NewSource::Person { login_url })
}

/// The application whose login page has this address.
fn application_of(api: &PastedApi, url: &str) -> Option<String> {
    let (_, name) = url.rsplit_once('/')?;
    (api.login_url(name).as_deref() == Some(url)).then(|| name.to_owned())
}

/// The last part of the address of a login page.
pub(super) fn application_name(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_part) {
        let remedy = "write the last part of the address of its login page, such as self-service";
        return Err(("this is not the name of an application", remedy).into());
    }
    Ok(text.to_owned())
}

/// Where a sign-in begins. Needed only beside a token endpoint: an issuer's metadata names it.
pub(super) fn sign_in_endpoint(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    device: SignInDevice,
    token: &PastedTokenEndpoint,
) -> Result<Option<String>, InitError> {
    match token {
        PastedTokenEndpoint::Url(_) => {}
        PastedTokenEndpoint::PingOne(_) | PastedTokenEndpoint::Issuer(_) => return Ok(None),
    }
    let (answer, question) = match device {
        SignInDevice::This => (
            &mut answers.authorization_url,
            "\nThe authorization server's Authorization Endpoint:",
        ),
        SignInDevice::Another => (
            &mut answers.device_url,
            "\nThe authorization server's Device Authorization Endpoint:",
        ),
    };
    if let Some(url) = answer.known() {
        return Ok(Some(url.clone()));
    }
    let default = answer.default().cloned();
    let url = ask(
        dialogue,
        question,
        default.as_deref(),
        paste::login_endpoint,
    )?;
    *answer = AnswerSlot::Known(url.clone());
    Ok(Some(url))
}

/// Offers a key for callers where other users of this machine could act as the person who has signed in.
pub(super) fn caller_key(
    dialogue: &mut dyn Dialogue,
    answers: &mut Answers,
    identity: &NewIdentity,
    tells_users_apart: bool,
) -> Result<bool, InitError> {
    if let Some(wants_key) = answers.caller_key.known() {
        return Ok(*wants_key);
    }
    let is_socket = answers
        .listen
        .as_deref()
        .is_some_and(|listen| listen.starts_with("unix:"));
    if tells_users_apart || is_socket || !identity.is_person() {
        return Ok(answers.caller_key.given().copied().unwrap_or_default());
    }
    let default = answers.caller_key.default().copied().unwrap_or(true);
    let wants_key = confirm(
        dialogue,
        "\nThis system does not tell cupbearer which user sends a request: while you are signed in, every user of this\n\
         machine can act as you. Admit only requests with a key, which is written to a new file?",
        default,
    )?;
    answers.caller_key = AnswerSlot::Known(wants_key);
    Ok(wants_key)
}
