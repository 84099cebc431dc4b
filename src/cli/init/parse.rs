//! Reads answers, whether they come from flags or were typed.

use std::path::{Path, PathBuf};

use super::answers::{AnswerSlot, Answers};
use super::args::InitArgs;
use super::error::InitError;
use super::flag_check;
use super::flag_values::{absolute, command, file_flag, flag};
use super::identity::SecretLocation;
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};
use crate::config::{InvalidValue, is_credential};
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
    let words = flags.secret_command.as_deref();
    let command = flag(problems, "--secret-command", words, command);
    let file = file_flag(problems, "--secret-file", flags.secret_file.as_deref());
    let scope = flag(problems, "--scope", flags.scope.as_deref(), paste::scope);
    let entry = flags.secret_keyring.as_deref();
    let entry = flag(problems, "--secret-keyring", entry, keyring_entry);
    let identity = flags
        .identity
        .read(api.as_ref(), flags.auth, flags.has_secret(), problems);
    // Without the doctor, the configuration may be for another machine.
    if !flags.no_doctor {
        check_file(problems, "--secret-file", file.as_deref());
        check_file(
            problems,
            "--private-key-file",
            flags.identity.private_key_file.as_deref(),
        );
    }
    let asks_who_acts = !flags.says_who_requests();
    let answers = Answers {
        asks_who_acts,
        server_flags: flags.server_flags(),
        api: AnswerSlot::of(api),
        token: AnswerSlot::of(token),
        client_id: AnswerSlot::of(client_id),
        auth: AnswerSlot::of(identity.auth),
        person_scope: AnswerSlot::of(scope.clone()),
        scope: AnswerSlot::of(scope),
        read_only: AnswerSlot::of(flags.read_only),
        listen,
        caller_key: AnswerSlot::of(flags.caller_key.then_some(true)),
        secret: AnswerSlot::of(
            file.map(SecretLocation::File)
                .or(command.map(SecretLocation::Command))
                .or(entry.map(|entry| SecretLocation::Keyring(entry, None))),
        ),
        private_key: AnswerSlot::of(identity.private_key),
        client_assertion: AnswerSlot::of(identity.client_assertion),
        client_assertion_type: identity.client_assertion_type,
        grant: identity.grant,
        params: identity.params,
        source: identity.source,
        field: flags.field.read(),
        ..Answers::default()
    };
    if invalid.is_empty() {
        invalid = flag_check::problems_in_identity(&answers);
    }
    (answers, invalid)
}

fn check_file(problems: &mut Vec<String>, flag: &str, path: Option<&Path>) {
    if let Some(path) = path
        && !is_credential(path) // it is there only while the unit runs
        && let Err(invalid) = check_secret_file(&absolute(path))
    {
        problems.push(format!("{flag}: {}: {}", invalid.problem, invalid.remedy));
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

/// A file that something else writes, perhaps only later.
pub(super) fn renewed_file(text: &str) -> Result<PathBuf, InvalidValue> {
    if text.trim().is_empty() {
        return Err(("this is not a path", "write the path of the file").into());
    }
    Ok(typed_path(text))
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
