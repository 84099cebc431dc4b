//! The questions, in their order. Each answer is checked at once and asked again until it is right.
//!
//! `keeping` asks for the secret and where it is kept.

use std::path::{Path, PathBuf};

use super::answers::{self, Answer, Answers, Auth, Credential, Plan};
use super::files::{self, Existing};
use super::own::Own;
use super::person::Person;
use super::{Stop, keeping, way};
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};
use crate::config::{InvalidValue, Surroundings};

pub(super) const WELCOME: &str = "\
A few questions, then a configuration is written and tried. Enter takes what stands in [brackets];
Ctrl-C ends it at any time, and nothing is written before the last answer.
";

/// Everything that is not known yet. With `surroundings`, the addresses are tried as soon as both are known.
pub(super) async fn interview(
    person: &mut dyn Person,
    answers: &mut Answers,
    own: &Own,
    surroundings: Option<&Surroundings>,
) -> Result<Plan, Stop> {
    let (api, token) = addresses(person, answers, surroundings).await?;
    let client_id = client_id(person, &mut answers.client_id, &token)?;
    let auth = auth(person, &mut answers.auth)?;
    let scope = scope(person, &mut answers.scope, &token)?;
    let credential = keeping::credential(person, &mut answers.credential, &client_id, own).await?;
    let read_only = read_only(person, &mut answers.read_only, &api)?;
    Ok(Plan {
        api,
        token,
        client_id,
        auth,
        scope,
        read_only,
        listen: answers.listen.clone(),
        credential,
    })
}

async fn addresses(
    person: &mut dyn Person,
    answers: &mut Answers,
    surroundings: Option<&Surroundings>,
) -> Result<(PastedApi, PastedTokenEndpoint), Stop> {
    loop {
        let api = api(person, &mut answers.api)?;
        let token = token(person, &mut answers.token)?;
        let Some(surroundings) = surroundings else {
            return Ok((api, token));
        };
        person.tell("\nTrying both addresses ...");
        let Some(trouble) = way::trouble(&api, &token, surroundings).await? else {
            person.tell("  Both can be reached.");
            return Ok((api, token));
        };
        person.tell(&trouble);
        if yes(person, "Go on with these addresses all the same?", false)? {
            return Ok((api, token));
        }
        answers.api = answers.api.clone().into_default();
        answers.token = answers.token.clone().into_default();
    }
}

fn api(person: &mut dyn Person, answer: &mut Answer<PastedApi>) -> Result<PastedApi, Stop> {
    if let Some(api) = answer.known() {
        return Ok(api.clone());
    }
    let default = answer.default().map(|api| api.url.clone());
    let api = question(
        person,
        "The API. Paste the address of its /docs page, or any other on it:",
        default.as_deref(),
        PastedApi::read,
    )?;
    person.tell(&format!("  = {}", api.url));
    if let Some(value) = api.xsrf_header() {
        person.tell(&format!(
            "  It wants a fixed header, X-XSRF-Header: {value}, which will be sent."
        ));
    }
    *answer = Answer::Known(api.clone());
    Ok(api)
}

fn token(
    person: &mut dyn Person,
    answer: &mut Answer<PastedTokenEndpoint>,
) -> Result<PastedTokenEndpoint, Stop> {
    if let Some(place) = answer.known() {
        return Ok(place.clone());
    }
    let default = answer.default().map(PastedTokenEndpoint::address);
    let place = question(
        person,
        "\nThe authorization server. Paste the application's Token Endpoint (PingOne: the application's\n\
         Configuration tab), or an issuer:",
        default.as_deref(),
        PastedTokenEndpoint::read,
    )?;
    person.tell(&format!("  = {}", place.describe()));
    *answer = Answer::Known(place.clone());
    Ok(place)
}

fn client_id(
    person: &mut dyn Person,
    answer: &mut Answer<String>,
    place: &PastedTokenEndpoint,
) -> Result<String, Stop> {
    if let Some(id) = answer.known() {
        return Ok(id.clone());
    }
    let default = answer.default().cloned();
    let id = question(
        person,
        "\nThe application's Client ID:",
        default.as_deref(),
        |text| paste::client_id(text, Some(place)),
    )?;
    *answer = Answer::Known(id.clone());
    Ok(id)
}

fn auth(person: &mut dyn Person, answer: &mut Answer<Auth>) -> Result<Auth, Stop> {
    if let Some(auth) = answer.known() {
        return Ok(*auth);
    }
    let default = answer.default().copied().unwrap_or(Auth::Basic);
    let before = Auth::ALL
        .iter()
        .position(|auth| *auth == default)
        .unwrap_or(0);
    let names = Auth::ALL.map(Auth::name);
    let at = choice(
        person,
        "\nIts Token Endpoint Authentication Method, as set at the authorization server:",
        &names,
        before,
    )?;
    *answer = Answer::Known(Auth::ALL[at]);
    Ok(Auth::ALL[at])
}

/// `PingOne` grants all scopes of the application's one resource where none is asked for.
fn scope(
    person: &mut dyn Person,
    answer: &mut Answer<Option<String>>,
    place: &PastedTokenEndpoint,
) -> Result<Option<String>, Stop> {
    if let Some(scope) = answer.known() {
        return Ok(scope.clone());
    }
    let scope = match place {
        PastedTokenEndpoint::PingOne(_) => answer.default().cloned().flatten(),
        PastedTokenEndpoint::Url(_) | PastedTokenEndpoint::Issuer(_) => {
            let default = answer.default().cloned().flatten().unwrap_or_default();
            question(
                person,
                "\nScopes to ask for, with a space between (none: the server chooses):",
                Some(&default),
                |text| Ok(answers::some_scope(text)),
            )?
        }
    };
    *answer = Answer::Known(scope.clone());
    Ok(scope)
}

fn read_only(
    person: &mut dyn Person,
    answer: &mut Answer<bool>,
    api: &PastedApi,
) -> Result<bool, Stop> {
    if let Some(read_only) = answer.known() {
        return Ok(*read_only);
    }
    let read_only = if api.is_production() {
        let default = answer.default().copied().unwrap_or(true);
        yes(
            person,
            "\nThis looks like production. Let only reading requests through (guard.read_only)?",
            default,
        )?
    } else {
        answer.default().copied().unwrap_or(false)
    };
    *answer = Answer::Known(read_only);
    Ok(read_only)
}

/// Where the configuration goes: to what is `chosen` already, if anything. Asks before anything is overwritten that is
/// not our own.
pub(super) fn destination(
    person: &mut dyn Person,
    chosen: Option<PathBuf>,
    proposed: PathBuf,
    plan: &Plan,
    own: &mut Own,
) -> Result<PathBuf, Stop> {
    let mut is_settled = chosen.is_some();
    let mut path = chosen.unwrap_or(proposed);
    loop {
        if !is_settled {
            let default = path.display().to_string();
            path = question(
                person,
                "\nWhere does the configuration go?",
                Some(&default),
                |text| Ok(PathBuf::from(text.trim())),
            )?;
        }
        let in_the_way = in_the_way(&path, plan, own);
        if in_the_way.is_empty() {
            return Ok(path);
        }
        let shown: Vec<String> = in_the_way
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let words = format!("\n{} exists. Overwrite it?", shown.join(" and "));
        if yes(person, &words, false)? {
            for path in &in_the_way {
                own.add(path);
            }
            return Ok(path);
        }
        is_settled = false;
    }
}

/// What would be overwritten, and is not our own.
fn in_the_way(path: &Path, plan: &Plan, own: &Own) -> Vec<PathBuf> {
    let is_typed = matches!(plan.credential, Credential::Typed(_));
    [
        Some(path.to_owned()),
        is_typed.then(|| files::secret_path(path)),
    ]
    .into_iter()
    .flatten()
    .filter(|path| files::is_there(path) && own.existing(path) == Existing::Keep)
    .collect()
}

/// Asks until the answer is one.
pub(super) fn question<T>(
    person: &mut dyn Person,
    words: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, InvalidValue>,
) -> Result<T, Stop> {
    person.tell(words);
    let prompt = match default {
        Some(default) => format!("  [{default}] "),
        None => "  > ".to_owned(),
    };
    loop {
        let typed = person.line(&prompt)?.ok_or(Stop::Left)?;
        let text = match default {
            Some(default) if typed.trim().is_empty() => default,
            Some(_) | None => &typed,
        };
        match read(text) {
            Ok(value) => return Ok(value),
            Err(complaint) => person.tell(&shown(&complaint)),
        }
    }
}

/// One of several, by its number or its name; the place in `ways`.
pub(super) fn choice(
    person: &mut dyn Person,
    words: &str,
    ways: &[&str],
    default: usize,
) -> Result<usize, Stop> {
    let list: Vec<String> = ways
        .iter()
        .enumerate()
        .map(|(index, way)| format!("\n  {}  {way}", index + 1))
        .collect();
    let list = list.concat();
    let number = (default + 1).to_string();
    question(person, &format!("{words}{list}"), Some(&number), |text| {
        let text = text.trim();
        let by_number = text
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1));
        by_number
            .filter(|index| *index < ways.len())
            .or_else(|| ways.iter().position(|way| *way == text))
            .ok_or_else(|| {
                let remedy = format!("write a number from 1 to {}", ways.len());
                ("that is none of them".to_owned(), remedy).into()
            })
    })
}

/// Yes or no.
pub(super) fn yes(person: &mut dyn Person, words: &str, default: bool) -> Result<bool, Stop> {
    let default = if default { "yes" } else { "no" };
    question(person, words, Some(default), |text| {
        match text.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err(("that is neither yes nor no", "write yes or no").into()),
        }
    })
}

pub(super) fn shown(complaint: &InvalidValue) -> String {
    format!("  {}: {}", complaint.problem, complaint.remedy)
}
