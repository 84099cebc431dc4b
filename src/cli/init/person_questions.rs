//! The first question, whether a machine or a person acts, and those that only a person who signs in is asked.

use url::Url;

use super::answers::{AnswerSlot, Answers};
use super::error::InitError;
use super::identity::{ActingAs, NewSource};
use super::prompts::{ask, choose};
use super::terminal::Dialogue;
use crate::config::InvalidValue;
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};

const CHOICES: [&str; 2] = [
    "as a machine: a client with a secret or a key, for anything that runs unattended",
    "as yourself: you sign in, and the API's log shows that you acted",
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
pub(super) fn public_client(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<Option<String>>,
) -> Result<Option<String>, InitError> {
    if let Some(id) = answer.known() {
        return Ok(id.clone());
    }
    let default = answer.default().cloned().flatten().unwrap_or_default();
    let id = ask(
        dialogue,
        "\nThe Client ID of a public (native) application that you can sign in to with a browser. Leave it empty if you\n\
         have none: then you copy a token from a page, about once an hour.",
        Some(&default),
        |text| match text.trim() {
            "" => Ok(None),
            text => paste::client_id(text, None).map(Some),
        },
    )?;
    *answer = AnswerSlot::Known(id.clone());
    Ok(id)
}

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
        let chosen = ask(
            dialogue,
            "\nThe application that you sign in to: self-service, pingaccess, pingfederate, ...",
            Some(application),
            application_name,
        )?;
        // The usual one needs no key.
        (chosen != application)
            .then(|| api.login_url(&chosen))
            .flatten()
    } else {
        let default = answers.login_url.default().cloned().flatten();
        ask(
            dialogue,
            "\nThe address of the page where you copy a token (leave empty if you know it):",
            Some(&default.unwrap_or_default()),
            |text| {
                let text = Some(text.trim()).filter(|text| !text.is_empty());
                text.map(paste::login_url).transpose()
            },
        )?
    };
    answers.login_url = AnswerSlot::Known(login_url.clone());
    Ok(NewSource::Person { login_url })
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

/// Needed only beside a token endpoint: an issuer's metadata names it.
pub(super) fn authorization_url(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<String>,
    endpoint: &PastedTokenEndpoint,
) -> Result<Option<String>, InitError> {
    match (answer.known(), endpoint) {
        (Some(url), _) => return Ok(Some(url.clone())),
        (None, PastedTokenEndpoint::Url(_)) => {}
        (None, PastedTokenEndpoint::PingOne(_) | PastedTokenEndpoint::Issuer(_)) => {
            return Ok(None);
        }
    }
    let default = answer.default().cloned();
    let url = ask(
        dialogue,
        "\nThe authorization server's Authorization Endpoint:",
        default.as_deref(),
        |text| match Url::parse(text.trim()) {
            Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(url.to_string()),
            Ok(_) | Err(_) => Err((
                "this is not an address",
                "paste one such as https://as.example.com/authorize",
            )
                .into()),
        },
    )?;
    *answer = AnswerSlot::Known(url.clone());
    Ok(Some(url))
}
