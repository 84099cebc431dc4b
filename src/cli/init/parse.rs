//! Reads answers, whether they come from flags or were typed.

use std::path::{Path, PathBuf};

use super::answers::{AnswerSlot, Answers, SecretLocation};
use super::args::InitArgs;
use super::error::InitError;
use crate::config::InvalidValue;
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};
use crate::credentials::{KeyringEntry, Secret, SecretSource};

/// The answers in the flags.
///
/// # Errors
/// Reports all invalid flags at once.
pub(super) fn answers_in_flags(flags: &InitArgs) -> Result<Answers, InitError> {
    match answers_and_problems(flags) {
        (answers, problems) if problems.is_empty() => Ok(answers),
        (_, problems) => Err(InitError::of_flags(&problems)),
    }
}

/// The answers in the valid flags, and what is wrong with the others.
pub(super) fn answers_and_problems(flags: &InitArgs) -> (Answers, Vec<String>) {
    let mut invalid = Vec::new();
    let problems = &mut invalid;
    let api = flag(
        problems,
        "--upstream",
        flags.upstream.as_deref(),
        PastedApi::read,
    );
    let endpoint = flags.token_endpoint.as_deref();
    let token = flag(
        problems,
        "--token-endpoint",
        endpoint,
        PastedTokenEndpoint::read,
    );
    let client_id = flag(
        problems,
        "--client-id",
        flags.client_id.as_deref(),
        |text| paste::client_id(text, token.as_ref()),
    );
    let listen = flag(problems, "--listen", flags.listen.as_deref(), paste::listen);
    let words = flags.token_command.as_deref();
    let token_command = flag(problems, "--token-command", words, command);
    let words = flags.secret_command.as_deref();
    let command = flag(problems, "--secret-command", words, command);
    let file = flags.secret_file.as_deref().map(absolute);
    if let Some(path) = file.as_ref().filter(|path| path.to_str().is_none()) {
        let shown = path.display();
        problems.push(format!(
            "--secret-file: {shown} is not UTF-8: rename the file"
        ));
    }
    // Without the doctor, the configuration may be for another machine.
    if let Some(path) = file.as_ref().filter(|_| !flags.no_doctor)
        && let Err(invalid) = check_secret_file(path)
    {
        problems.push(format!(
            "--secret-file: {}: {}",
            invalid.problem, invalid.remedy
        ));
    }
    let scope = flag(problems, "--scope", flags.scope.as_deref(), paste::scope);
    let assertion = flags.client_assertion_file.as_deref().map(absolute);
    let entry = flags.secret_keyring.as_deref();
    let entry = flag(problems, "--secret-keyring", entry, keyring_entry);
    let answers = Answers {
        api: AnswerSlot::of(api),
        token: AnswerSlot::of(token),
        client_id: AnswerSlot::of(client_id),
        auth: AnswerSlot::of(flags.auth),
        scope: AnswerSlot::of(scope),
        read_only: AnswerSlot::of(flags.read_only),
        listen,
        secret: AnswerSlot::of(
            file.map(SecretLocation::File)
                .or(assertion.map(SecretLocation::Assertion))
                .or(command.map(SecretLocation::Command))
                .or(entry.map(|entry| SecretLocation::Keyring(entry, None))),
        ),
        token_command,
    };
    (answers, invalid)
}

fn flag<T>(
    problems: &mut Vec<String>,
    flag: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Option<T> {
    match read(text?) {
        Ok(value) => Some(value),
        Err(invalid_value) => {
            problems.push(format!(
                "{flag}: {}: {}",
                invalid_value.problem, invalid_value.remedy
            ));
            None
        }
    }
}

/// A command as it would be typed into a shell, or as a list in TOML. It is run without a shell.
pub(super) fn command(text: &str) -> Result<Vec<String>, InvalidValue> {
    let text = text.trim();
    let words = if text.starts_with('[') {
        let table: Option<toml::Table> = toml::from_str(&format!("words = {text}")).ok();
        let words = table.and_then(|mut table| table.remove("words"));
        words.and_then(|words| words.try_into::<Vec<String>>().ok())
    } else {
        shlex::split(text)
    };
    match words {
        Some(words)
            if words.first().is_some_and(|program| !program.is_empty())
                && !words.iter().any(|word| word.contains('\0')) =>
        {
            Ok(words)
        }
        Some(_) | None => Err((
            "this is not a command",
            "write the program and its arguments: op read op://vault/item/field",
        )
            .into()),
    }
}

/// The command as it would be typed into a shell, if that is possible.
pub(super) fn command_text(words: &[String]) -> Option<String> {
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

/// `SERVICE/ACCOUNT`, as in `token.client_secret = { keyring = … }`.
fn keyring_entry(text: &str) -> Result<KeyringEntry, InvalidValue> {
    KeyringEntry::parse(text.trim()).ok_or_else(|| {
        (
            "this is not an entry of a keyring",
            "write SERVICE/ACCOUNT, such as cupbearer/my-client",
        )
            .into()
    })
}

/// Refuses a typed secret that is most likely a mistake.
pub(super) fn secret(typed: Secret, client_id: &str) -> Result<Secret, InvalidValue> {
    const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFE\xFF", b"\xFF\xFE"];
    // Exposed to look for mistakes in copying.
    let bytes = typed.expose();
    let is_space = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let has_mark = BYTE_ORDER_MARKS.iter().any(|mark| bytes.starts_with(mark));
    let problem = if bytes.is_empty() {
        "the secret is empty"
    } else if has_mark {
        "the secret begins with a byte order mark"
    } else if bytes == client_id.as_bytes() {
        "this is the client id"
    } else if is_space(bytes.first()) || is_space(bytes.last()) {
        "the secret begins or ends with white space"
    } else if bytes.iter().any(u8::is_ascii_control) {
        "the secret contains a control character"
    } else {
        return Ok(typed);
    };
    Err((
        problem,
        "copy the application's Client Secret again; if the secret really looks like this, put it in a file and use that",
    )
        .into())
}

pub(super) fn existing_file(text: &str) -> Result<PathBuf, InvalidValue> {
    let path = typed_path(text);
    check_secret_file(&path)?;
    Ok(path)
}

/// Whether the file has a secret, as far as `cupbearer check` would notice.
fn check_secret_file(path: &Path) -> Result<(), InvalidValue> {
    SecretSource::check_file(path).map_err(|error| (error.in_full(), error.remedy()).into())
}

/// A path as a person types it: `~` is the home directory.
pub(super) fn typed_path(text: &str) -> PathBuf {
    let text = text.trim();
    let below_home = text.strip_prefix("~/").or((text == "~").then_some(""));
    match (below_home, std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => absolute(Path::new(text)),
    }
}

/// A relative path starts where `init` runs, but `run` may be started elsewhere.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
