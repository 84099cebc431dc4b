//! What must be known, what is known, and what is right. Asks nobody and prints nothing.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{Init, Stop};
use crate::config::InvalidValue;
use crate::config::paste::{self, PastedApi, PastedTokenEndpoint};
use crate::credentials::{KeyringEntry, Secret};

/// How the application proves who it is; the methods that a secret is enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Auth {
    #[value(name = "client_secret_basic")]
    Basic,
    #[value(name = "client_secret_post")]
    Post,
    #[value(name = "client_secret_jwt")]
    SecretJwt,
}

impl Auth {
    pub(super) const ALL: [Self; 3] = [Self::Basic, Self::Post, Self::SecretJwt];

    /// As `token.auth` wants it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
        }
    }
}

/// Where the secret is, or the secret itself, to be put into a file.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// A file that is there already.
    File(PathBuf),
    /// A program that prints it, with its arguments.
    Command(Vec<String>),
    /// An entry of the system's keyring, and what is to be put there, if anything.
    Keyring(KeyringEntry, Option<Secret>),
    /// Goes into a new file beside the configuration.
    Typed(Secret),
}

/// What is known so far. What is known is not asked; what was asked before is the default.
#[derive(Default, Clone)]
pub(super) struct Answers {
    pub(super) api: Answer<PastedApi>,
    pub(super) token: Answer<PastedTokenEndpoint>,
    pub(super) client_id: Answer<String>,
    pub(super) auth: Answer<Auth>,
    pub(super) scope: Answer<Option<String>>,
    pub(super) read_only: Answer<bool>,
    pub(super) listen: Option<String>,
    pub(super) credential: Answer<Credential>,
}

/// One answer.
#[derive(Clone, Default)]
pub(super) enum Answer<T> {
    #[default]
    Open,
    /// Given before; may be changed.
    Default(T),
    /// Stands.
    Known(T),
}

impl<T: Clone> Answer<T> {
    pub(super) fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Default(_) | Self::Open => None,
        }
    }

    pub(super) fn default(&self) -> Option<&T> {
        match self {
            Self::Default(value) => Some(value),
            Self::Known(_) | Self::Open => None,
        }
    }

    fn of(value: Option<T>) -> Self {
        value.map_or(Self::Open, Self::Known)
    }

    pub(super) fn into_default(self) -> Self {
        match self {
            Self::Known(value) | Self::Default(value) => Self::Default(value),
            Self::Open => Self::Open,
        }
    }
}

/// All that is to be written.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) api: PastedApi,
    pub(super) token: PastedTokenEndpoint,
    pub(super) client_id: String,
    pub(super) auth: Auth,
    pub(super) scope: Option<String>,
    pub(super) read_only: bool,
    pub(super) listen: Option<String>,
    pub(super) credential: Credential,
}

impl Answers {
    /// What the flags say; all that is wrong with them at once.
    pub(super) fn of_flags(flags: &Init) -> Result<Self, Stop> {
        let mut wrong = Vec::new();
        let api = checked(
            &mut wrong,
            "--upstream",
            flags.upstream.as_deref(),
            PastedApi::read,
        );
        let token = checked(
            &mut wrong,
            "--token-endpoint",
            flags.token_endpoint.as_deref(),
            PastedTokenEndpoint::read,
        );
        let client_id = checked(
            &mut wrong,
            "--client-id",
            flags.client_id.as_deref(),
            |text| paste::client_id(text, token.as_ref()),
        );
        let listen = checked(
            &mut wrong,
            "--listen",
            flags.listen.as_deref(),
            paste::listen,
        );
        let command = checked(
            &mut wrong,
            "--secret-command",
            flags.secret_command.as_deref(),
            command,
        );
        let file = flags.secret_file.as_deref().map(absolute);
        // Without the doctor it may be meant for another machine.
        if let Some(path) = file
            .as_ref()
            .filter(|path| !flags.no_doctor && !path.exists())
        {
            wrong.push(format!("--secret-file: {} does not exist", path.display()));
        }
        let entry = checked(
            &mut wrong,
            "--secret-keyring",
            flags.secret_keyring.as_deref(),
            entry,
        );
        if !wrong.is_empty() {
            return Err(Stop::Usage(wrong.join("\ncupbearer init: ")));
        }
        Ok(Self {
            api: Answer::of(api),
            token: Answer::of(token),
            client_id: Answer::of(client_id),
            auth: Answer::of(flags.auth),
            scope: Answer::of(flags.scope.as_deref().map(some_scope)),
            read_only: Answer::of(flags.read_only),
            listen,
            credential: Answer::of(
                file.map(Credential::File)
                    .or(command.map(Credential::Command))
                    .or(entry.map(|entry| Credential::Keyring(entry, None))),
            ),
        })
    }

    /// The plan, with defaults where there are some; else what is missing, as flags.
    pub(super) fn complete(&self) -> Result<Plan, String> {
        let (Some(api), Some(token), Some(client_id), Some(credential)) = (
            self.api.known(),
            self.token.known(),
            self.client_id.known(),
            self.credential.known(),
        ) else {
            return Err(self.missing());
        };
        Ok(Plan {
            api: api.clone(),
            token: token.clone(),
            client_id: client_id.clone(),
            auth: self.auth.known().copied().unwrap_or(Auth::Basic),
            scope: self.scope.known().cloned().flatten(),
            read_only: self
                .read_only
                .known()
                .copied()
                .unwrap_or(api.is_production()),
            listen: self.listen.clone(),
            credential: credential.clone(),
        })
    }

    fn missing(&self) -> String {
        let flags = [
            (self.api.known().is_none(), "--upstream"),
            (self.token.known().is_none(), "--token-endpoint"),
            (self.client_id.known().is_none(), "--client-id"),
            (
                self.credential.known().is_none(),
                "and one of --secret-file, --secret-command, --secret-keyring or --secret-stdin",
            ),
        ];
        let missing: Vec<&str> = flags
            .into_iter()
            .filter_map(|(is_missing, flag)| is_missing.then_some(flag))
            .collect();
        format!(
            "there is nobody to ask, and these have no default: {}; give them, or run it on a terminal without --yes",
            missing.join(", ")
        )
    }

    /// The same, to be asked again.
    pub(super) fn into_defaults(self) -> Self {
        Self {
            api: self.api.into_default(),
            token: self.token.into_default(),
            client_id: self.client_id.into_default(),
            auth: self.auth.into_default(),
            scope: self.scope.into_default(),
            read_only: self.read_only.into_default(),
            listen: self.listen,
            credential: self.credential.into_default(),
        }
    }
}

fn checked<T>(
    wrong: &mut Vec<String>,
    flag: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Option<T> {
    match read(text?) {
        Ok(value) => Some(value),
        Err(complaint) => {
            wrong.push(format!(
                "{flag}: {}: {}",
                complaint.problem, complaint.remedy
            ));
            None
        }
    }
}

/// No scope is no text of length zero.
pub(super) fn some_scope(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A command as it is typed into a shell, or as a list in TOML. It is run without a shell.
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
        Some(words) if words.first().is_some_and(|program| !program.is_empty()) => Ok(words),
        Some(_) | None => Err((
            "that is no command",
            "write the program and its arguments: op read op://vault/item/field",
        )
            .into()),
    }
}

/// The same as it could have been typed; nothing, if a shell could not say it.
pub(super) fn as_typed(words: &[String]) -> Option<String> {
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

/// `SERVICE/ACCOUNT`, as `token.client_secret = { keyring = … }` has it.
fn entry(text: &str) -> Result<KeyringEntry, InvalidValue> {
    KeyringEntry::parse(text.trim()).ok_or_else(|| {
        (
            "that is no entry of a keyring",
            "write SERVICE/ACCOUNT, such as cupbearer/my-client",
        )
            .into()
    })
}

/// A typed secret, and what is most likely wrong with it.
pub(super) fn secret(typed: Secret, client_id: &str) -> Result<Secret, InvalidValue> {
    // Exposed to look for the mistakes of copying.
    let bytes = typed.expose();
    let is_blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let problem = if bytes.is_empty() {
        "nothing was typed"
    } else if bytes == client_id.as_bytes() {
        "that is the client id"
    } else if is_blank(bytes.first()) || is_blank(bytes.last()) {
        "it begins or ends with a blank"
    } else if bytes.iter().any(u8::is_ascii_control) {
        "there is a control character in it"
    } else {
        return Ok(typed);
    };
    Err((
        problem,
        "copy the application's Client Secret again; one that is really so goes into a file of its own",
    )
        .into())
}

/// Relative names start where `init` runs; `run` may start elsewhere.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
