//! The answers so far, and the complete set of them that a configuration is made of. Asks nothing and prints nothing.

use std::path::PathBuf;

use super::identity::{
    ActingAs, ClientAuthMethod, ClientProof, GrantChoice, NewClient, NewGrant, NewIdentity,
    NewSource, NewTokenField, SecretLocation, SignInDevice,
};
use crate::config::paste::{PastedApi, PastedTokenEndpoint};

/// The answers so far.
#[derive(Default, Clone)]
pub(super) struct Answers {
    /// Whether no flag says who acts: a machine or a person.
    pub(super) asks_who_acts: bool,
    /// The flags for an authorization server. They are not used if a person copies tokens.
    pub(super) server_flags: Vec<&'static str>,
    pub(super) acting_as: AnswerSlot<ActingAs>,
    /// The client id of a person's public client; `None` if the person copies tokens.
    pub(super) public_client: AnswerSlot<Option<String>>,
    /// `token.login_url`, unless it is the one that is known.
    pub(super) login_url: AnswerSlot<Option<String>>,
    /// Where the person's browser is.
    pub(super) device: AnswerSlot<SignInDevice>,
    pub(super) authorization_url: AnswerSlot<String>,
    pub(super) device_url: AnswerSlot<String>,
    pub(super) api: AnswerSlot<PastedApi>,
    pub(super) token: AnswerSlot<PastedTokenEndpoint>,
    pub(super) client_id: AnswerSlot<String>,
    pub(super) auth: AnswerSlot<ClientAuthMethod>,
    pub(super) scope: AnswerSlot<Option<String>>,
    /// The same if "as yourself" is an answer. A machine never takes it over, nor the other way round.
    pub(super) person_scope: AnswerSlot<Option<String>>,
    pub(super) read_only: AnswerSlot<bool>,
    pub(super) listen: Option<String>,
    /// Whether callers need a key.
    pub(super) caller_key: AnswerSlot<bool>,
    pub(super) secret: AnswerSlot<SecretLocation>,
    /// The file with the key that the client authenticates with.
    pub(super) private_key: AnswerSlot<PathBuf>,
    /// The file with a JWT that something else issues for the client.
    pub(super) client_assertion: AnswerSlot<PathBuf>,
    /// `token.client_assertion_type`. Only flags say that.
    pub(super) client_assertion_type: Option<String>,
    /// What is exchanged for a token. Only flags say that.
    pub(super) grant: NewGrant,
    /// `token.params`. Only flags say that.
    pub(super) params: Vec<(String, String)>,
    /// What obtains tokens in place of an authorization server. Only flags say that.
    pub(super) source: Option<NewSource>,
    /// How requests to the API carry the token. Only flags say that.
    pub(super) field: NewTokenField,
}

/// The state of one question.
#[derive(Clone, Default)]
pub(super) enum AnswerSlot<T> {
    /// It has not been answered.
    #[default]
    Open,
    /// A flag answers it, so it is not asked.
    Given(T),
    /// A flag has answered it in an earlier round: it is asked again, if at all, with this as the default.
    GivenBefore(T),
    /// It will be asked again, with the earlier answer as the default.
    Default(T),
    /// It has been answered, and is not asked.
    Known(T),
}

impl<T: Clone> AnswerSlot<T> {
    pub(super) fn of(value: Option<T>) -> Self {
        value.map_or(Self::Open, Self::Given)
    }

    pub(super) fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) | Self::Given(value) => Some(value),
            Self::Default(_) | Self::GivenBefore(_) | Self::Open => None,
        }
    }

    /// What a flag says, also in another round, unless an answer has replaced it.
    pub(super) fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) | Self::GivenBefore(value) => Some(value),
            Self::Known(_) | Self::Default(_) | Self::Open => None,
        }
    }

    pub(super) fn default(&self) -> Option<&T> {
        match self {
            Self::Default(value) | Self::GivenBefore(value) => Some(value),
            Self::Known(_) | Self::Given(_) | Self::Open => None,
        }
    }

    pub(super) fn into_default(self) -> Self {
        match self {
            Self::Known(value) | Self::Default(value) => Self::Default(value),
            Self::Given(value) | Self::GivenBefore(value) => Self::GivenBefore(value),
            Self::Open => Self::Open,
        }
    }
}

/// Everything that the configuration is made of.
#[derive(Debug, Clone)]
pub(super) struct NewConfig {
    pub(super) api: PastedApi,
    pub(super) identity: NewIdentity,
    pub(super) field: NewTokenField,
    pub(super) read_only: bool,
    pub(super) listen: Option<String>,
    /// Whether a key is created that callers need.
    pub(super) caller_key: bool,
}

impl Answers {
    /// The known answers, and defaults for optional ones.
    ///
    /// # Errors
    /// Names the flags for the answers that are missing.
    pub(super) fn complete(&self) -> Result<NewConfig, String> {
        let missing = || self.missing_flags();
        let api = self.api.known().ok_or_else(missing)?;
        let identity = match &self.source {
            Some(source) => NewIdentity::Source(source.clone()),
            None => NewIdentity::Client(Box::new(self.client().ok_or_else(missing)?)),
        };
        Ok(NewConfig {
            api: api.clone(),
            identity,
            field: self.field.clone(),
            read_only: self
                .read_only
                .known()
                .copied()
                .unwrap_or(api.is_production()),
            listen: self.listen.clone(),
            caller_key: self.caller_key.known().copied().unwrap_or_default(),
        })
    }

    fn client(&self) -> Option<NewClient> {
        let proof = self.proof()?;
        let is_sign_in = self.grant.choice().is_sign_in();
        let needs_id = is_sign_in || !matches!(proof, ClientProof::Nothing);
        let id = self.client_id.known().cloned();
        if needs_id && id.is_none() {
            return None;
        }
        Some(NewClient {
            token: self.token.known()?.clone(),
            id,
            proof,
            grant: self.grant.clone(),
            scope: self.scope.known().cloned().flatten(),
            params: self.params.clone(),
        })
    }

    fn proof(&self) -> Option<ClientProof> {
        let method = self.auth.known().copied();
        Some(match method.unwrap_or(ClientAuthMethod::Basic) {
            ClientAuthMethod::PrivateKeyJwt => {
                ClientProof::PrivateKey(self.private_key.known()?.clone())
            }
            ClientAuthMethod::ClientAssertion => {
                let file = self.client_assertion.known()?.clone();
                let kind = self.client_assertion_type.clone();
                ClientProof::Assertion { file, kind }
            }
            ClientAuthMethod::None => ClientProof::Nothing,
            method @ (ClientAuthMethod::Basic
            | ClientAuthMethod::Post
            | ClientAuthMethod::SecretJwt) => {
                ClientProof::Secret(method, self.secret.known()?.clone())
            }
        })
    }

    fn missing_flags(&self) -> String {
        let missing = MissingFlags {
            api: self.api.known().is_none(),
            token: self.token.known().is_none(),
            client_id: self.client_id.known().is_none(),
            proof: self.proof().is_none(),
            auth: self.auth.known().copied(),
            grant: self.grant.choice(),
            has_source: self.source.is_some(),
            sign_in_endpoint: None,
        };
        missing.describe().unwrap_or_default()
    }

    /// The same answers as defaults, for another round of questions.
    pub(super) fn into_defaults(self) -> Self {
        Self {
            asks_who_acts: self.asks_who_acts,
            server_flags: self.server_flags,
            acting_as: self.acting_as.into_default(),
            public_client: self.public_client.into_default(),
            login_url: self.login_url.into_default(),
            device: self.device.into_default(),
            authorization_url: self.authorization_url.into_default(),
            device_url: self.device_url.into_default(),
            api: self.api.into_default(),
            token: self.token.into_default(),
            client_id: self.client_id.into_default(),
            auth: self.auth.into_default(),
            scope: self.scope.into_default(),
            person_scope: self.person_scope.into_default(),
            read_only: self.read_only.into_default(),
            listen: self.listen,
            caller_key: self.caller_key.into_default(),
            secret: self.secret.into_default(),
            private_key: self.private_key.into_default(),
            client_assertion: self.client_assertion.into_default(),
            client_assertion_type: self.client_assertion_type,
            grant: self.grant,
            params: self.params,
            source: self.source,
            field: self.field,
        }
    }
}

/// Which answers are missing where there is no terminal to ask on.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an answer of its own"
)]
pub(super) struct MissingFlags {
    pub(super) api: bool,
    pub(super) token: bool,
    pub(super) client_id: bool,
    /// What the client authenticates with.
    pub(super) proof: bool,
    pub(super) auth: Option<ClientAuthMethod>,
    pub(super) grant: GrantChoice,
    /// Something else obtains the tokens, so that only the API is needed.
    pub(super) has_source: bool,
    /// The flag for the endpoint where a person's sign-in begins.
    pub(super) sign_in_endpoint: Option<&'static str>,
}

impl MissingFlags {
    /// Names the flags for them, if there are any.
    pub(super) fn describe(&self) -> Option<String> {
        let needs_id = self.auth != Some(ClientAuthMethod::None) || self.grant.is_sign_in();
        let flags = [
            (self.api, "--upstream"),
            (!self.has_source && self.token, "--token-endpoint"),
            (
                !self.has_source && needs_id && self.client_id,
                "--client-id",
            ),
            (!self.has_source && self.proof, self.proof_flags()),
        ];
        let missing = flags
            .into_iter()
            .filter_map(|(is_missing, flag)| is_missing.then_some(flag))
            .chain(self.sign_in_endpoint);
        let missing: Vec<&str> = missing.collect();
        (!missing.is_empty()).then(|| {
            format!(
                "without a terminal to ask on, these are missing: {}; give them, or run the command on a terminal without --yes",
                missing.join(", ")
            )
        })
    }

    const fn proof_flags(&self) -> &'static str {
        match (self.auth, self.grant) {
            (Some(ClientAuthMethod::PrivateKeyJwt), _) => "--private-key-file",
            (Some(ClientAuthMethod::ClientAssertion), _) => "--client-assertion-file",
            (Some(_), _) => {
                "one of --secret-file, --secret-command, --secret-keyring or --secret-stdin"
            }
            (None, GrantChoice::ClientCredentials) => {
                "one of --secret-file, --secret-command, --secret-keyring, --secret-stdin, --private-key-file or --client-assertion-file"
            }
            (
                None,
                GrantChoice::AuthorizationCode
                | GrantChoice::DeviceCode
                | GrantChoice::JwtBearer
                | GrantChoice::TokenExchange,
            ) => {
                "one of --secret-file, --secret-command, --secret-keyring, --secret-stdin, --client-assertion-file or --auth none"
            }
        }
    }
}
