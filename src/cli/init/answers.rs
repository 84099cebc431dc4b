//! The answers so far, and the complete set of them that a configuration is made of. Asks nothing and prints nothing.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::config::paste::{PastedApi, PastedTokenEndpoint};
use crate::credentials::{KeyringEntry, Secret};

/// How the application authenticates at the token endpoint. These are the methods that need only a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretAuthMethod {
    #[value(name = "client_secret_basic")]
    Basic,
    #[value(name = "client_secret_post")]
    Post,
    #[value(name = "client_secret_jwt")]
    SecretJwt,
}

impl SecretAuthMethod {
    pub(super) const ALL: [Self; 3] = [Self::Basic, Self::Post, Self::SecretJwt];

    /// The value of `token.auth`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
        }
    }
}

/// Where the secret is, or will be stored.
#[derive(Debug, Clone)]
pub(super) enum SecretLocation {
    /// A file with a JWT that something else issues for this client. There is no secret.
    Assertion(PathBuf),
    /// An existing file.
    File(PathBuf),
    /// A program that prints it, and its arguments.
    Command(Vec<String>),
    /// An entry of the system's keyring, and the secret to store there, if any.
    Keyring(KeyringEntry, Option<Secret>),
    /// A new file beside the configuration, with this secret.
    NewFile(Secret),
}

/// The answers so far.
#[derive(Default, Clone)]
pub(super) struct Answers {
    pub(super) api: AnswerSlot<PastedApi>,
    pub(super) token: AnswerSlot<PastedTokenEndpoint>,
    pub(super) client_id: AnswerSlot<String>,
    pub(super) auth: AnswerSlot<SecretAuthMethod>,
    pub(super) scope: AnswerSlot<Option<String>>,
    pub(super) read_only: AnswerSlot<bool>,
    pub(super) listen: Option<String>,
    pub(super) secret: AnswerSlot<SecretLocation>,
    /// The command that prints access tokens. There is no authorization server then.
    pub(super) token_command: Option<Vec<String>>,
}

/// The state of one question.
#[derive(Clone, Default)]
pub(super) enum AnswerSlot<T> {
    /// It has not been answered.
    #[default]
    Open,
    /// It will be asked again, with the earlier answer as the default.
    Default(T),
    /// It has been answered, and is not asked.
    Known(T),
}

impl<T: Clone> AnswerSlot<T> {
    pub(super) fn of(value: Option<T>) -> Self {
        value.map_or(Self::Open, Self::Known)
    }

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

    pub(super) fn into_default(self) -> Self {
        match self {
            Self::Known(value) | Self::Default(value) => Self::Default(value),
            Self::Open => Self::Open,
        }
    }
}

/// Everything that the configuration is made of.
#[derive(Debug, Clone)]
pub(super) struct NewConfig {
    pub(super) api: PastedApi,
    pub(super) client: Option<NewClient>,
    pub(super) read_only: bool,
    pub(super) listen: Option<String>,
    /// Where the client's secret is; without a client, the command that prints access tokens.
    pub(super) secret: SecretLocation,
}

/// A client of an authorization server.
#[derive(Debug, Clone)]
pub(super) struct NewClient {
    pub(super) token: PastedTokenEndpoint,
    pub(super) id: String,
    pub(super) auth: SecretAuthMethod,
    pub(super) scope: Option<String>,
}

impl Answers {
    /// The known answers, and defaults for optional ones.
    ///
    /// # Errors
    /// Names the flags for the answers that are missing.
    pub(super) fn complete(&self) -> Result<NewConfig, String> {
        let api = self.api.known().ok_or_else(|| self.missing_flags())?;
        let (client, secret) = if let Some(words) = &self.token_command {
            (None, SecretLocation::Command(words.clone()))
        } else {
            let (client, secret) = self.client().ok_or_else(|| self.missing_flags())?;
            (Some(client), secret)
        };
        Ok(NewConfig {
            api: api.clone(),
            client,
            read_only: self
                .read_only
                .known()
                .copied()
                .unwrap_or(api.is_production()),
            listen: self.listen.clone(),
            secret,
        })
    }

    fn client(&self) -> Option<(NewClient, SecretLocation)> {
        let auth = self.auth.known().copied();
        let client = NewClient {
            token: self.token.known()?.clone(),
            id: self.client_id.known()?.clone(),
            auth: auth.unwrap_or(SecretAuthMethod::Basic),
            scope: self.scope.known().cloned().flatten(),
        };
        Some((client, self.secret.known()?.clone()))
    }

    fn missing_flags(&self) -> String {
        let needs_client = self.token_command.is_none();
        let missing = missing_flags([
            self.api.known().is_none(),
            needs_client && self.token.known().is_none(),
            needs_client && self.client_id.known().is_none(),
            needs_client && self.secret.known().is_none(),
        ]);
        missing.unwrap_or_default()
    }

    /// The same answers as defaults, for another round of questions.
    pub(super) fn into_defaults(self) -> Self {
        Self {
            api: self.api.into_default(),
            token: self.token.into_default(),
            client_id: self.client_id.into_default(),
            auth: self.auth.into_default(),
            scope: self.scope.into_default(),
            read_only: self.read_only.into_default(),
            listen: self.listen,
            secret: match self.secret {
                // Given by a flag, and not among what can be chosen.
                known @ AnswerSlot::Known(SecretLocation::Assertion(_)) => known,
                other => other.into_default(),
            },
            token_command: self.token_command,
        }
    }
}

/// Names the flags that are missing: for the API, the token endpoint, the client id and the secret.
pub(super) fn missing_flags(are_missing: [bool; 4]) -> Option<String> {
    let flags = [
        "--upstream",
        "--token-endpoint",
        "--client-id",
        "one of --secret-file, --secret-command, --secret-keyring, --secret-stdin or --client-assertion-file",
    ];
    let missing = flags.into_iter().zip(are_missing);
    let missing: Vec<&str> = missing
        .filter_map(|(flag, is_missing)| is_missing.then_some(flag))
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "without a terminal to ask on, these are missing: {}; give them, or run the command on a terminal without --yes",
            missing.join(", ")
        )
    })
}
