//! Who requests tokens and how: the parts of `token.*` that differ from one identity to another.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::config::paste::PastedTokenEndpoint;
use crate::credentials::{KeyringEntry, Secret};

/// How the application authenticates at the token endpoint. The other methods need files that are prepared elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientAuthMethod {
    #[value(name = "client_secret_basic")]
    Basic,
    #[value(name = "client_secret_post")]
    Post,
    #[value(name = "client_secret_jwt")]
    SecretJwt,
    #[value(name = "private_key_jwt")]
    PrivateKeyJwt,
    #[value(name = "client_assertion")]
    ClientAssertion,
    #[value(name = "none")]
    None,
}

impl ClientAuthMethod {
    const ALL: [Self; 6] = [
        Self::Basic,
        Self::Post,
        Self::SecretJwt,
        Self::PrivateKeyJwt,
        Self::ClientAssertion,
        Self::None,
    ];

    /// The methods that can be used with the grant.
    pub(super) fn usable_with(grant: GrantChoice) -> Vec<Self> {
        let is_usable =
            |method: &Self| *method != Self::None || grant != GrantChoice::ClientCredentials;
        Self::ALL.into_iter().filter(is_usable).collect()
    }

    /// The value of `token.auth`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::ClientAssertion => "client_assertion",
            Self::None => "none",
        }
    }

    pub(super) const fn uses_secret(self) -> bool {
        match self {
            Self::Basic | Self::Post | Self::SecretJwt => true,
            Self::PrivateKeyJwt | Self::ClientAssertion | Self::None => false,
        }
    }
}

/// Where the secret is, or will be stored.
#[derive(Debug, Clone)]
pub(super) enum SecretLocation {
    /// An existing file.
    File(PathBuf),
    /// A program that prints it, and its arguments.
    Command(Vec<String>),
    /// An entry of the system's keyring, and the secret to store there, if any.
    Keyring(KeyringEntry, Option<Secret>),
    /// A new file beside the configuration, with this secret.
    NewFile(Secret),
}

/// The values of `token.grant` for which an authorization server grants tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GrantChoice {
    #[value(name = "client_credentials")]
    ClientCredentials,
    #[value(name = "authorization_code")]
    AuthorizationCode,
    #[value(name = "device_code")]
    DeviceCode,
    #[value(name = "jwt_bearer")]
    JwtBearer,
    #[value(name = "token_exchange")]
    TokenExchange,
}

impl GrantChoice {
    /// Whether a person signs in, to a client that is usually public.
    pub(super) const fn is_sign_in(self) -> bool {
        match self {
            Self::AuthorizationCode | Self::DeviceCode => true,
            Self::ClientCredentials | Self::JwtBearer | Self::TokenExchange => false,
        }
    }
}

/// The device on which a person signs in with a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignInDevice {
    /// The one that the proxy runs on.
    This,
    Another,
}

/// Whose tokens requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActingAs {
    /// An application's own: nobody has to be there.
    Machine,
    /// Those of the person who signs in.
    Person,
}

/// Where access tokens come from.
#[derive(Debug, Clone)]
pub(super) enum NewIdentity {
    /// An authorization server grants them.
    Client(Box<NewClient>),
    /// Something else obtains them (`token.source`).
    Source(NewSource),
}

/// A client of an authorization server.
#[derive(Debug, Clone)]
pub(super) struct NewClient {
    pub(super) token: PastedTokenEndpoint,
    /// `None` only if nothing authenticates the client.
    pub(super) id: Option<String>,
    pub(super) proof: ClientProof,
    pub(super) grant: NewGrant,
    pub(super) scope: Option<String>,
    /// `token.params`.
    pub(super) params: Vec<(String, String)>,
}

/// What the client authenticates with.
#[derive(Debug, Clone)]
pub(super) enum ClientProof {
    /// A secret, with one of the methods that need only that.
    Secret(ClientAuthMethod, SecretLocation),
    /// A file with the key that signs its assertions.
    PrivateKey(PathBuf),
    /// A file with a JWT that something else issues for it, and the JWT's type, if that is not the usual one.
    Assertion {
        file: PathBuf,
        kind: Option<String>,
    },
    Nothing,
}

/// What is requested, and what is exchanged for a token.
#[derive(Debug, Clone, Default)]
pub(super) enum NewGrant {
    #[default]
    ClientCredentials,
    /// A person signs in with a browser. The endpoint for that is needed only if no metadata names it.
    SignIn {
        device: SignInDevice,
        endpoint: Option<String>,
    },
    /// `jwt_bearer` with a file that has the assertion.
    Assertion(PathBuf),
    /// `jwt_bearer` with an assertion that is signed here.
    Signed {
        key: PathBuf,
        claims: Vec<(String, String)>,
    },
    Exchange {
        subject: TypedToken,
        actor: Option<TypedToken>,
    },
}

/// A file with a token, and the token's type (RFC 8693 section 3).
#[derive(Debug, Clone)]
pub(super) struct TypedToken {
    pub(super) file: PathBuf,
    pub(super) kind: String,
}

/// What obtains access tokens in place of an authorization server.
#[derive(Debug, Clone)]
pub(super) enum NewSource {
    /// A program that prints them, and its arguments.
    Command(Vec<String>),
    /// A file that something else writes.
    File(PathBuf),
    /// The address of a metadata server, and the header fields that it requires.
    Http {
        url: String,
        headers: Vec<(String, String)>,
    },
    /// A person, who copies them: from this page, if it is not the one that is known for the API.
    Person { login_url: Option<String> },
}

/// How requests to the API carry the token, where that is not the default.
#[derive(Debug, Clone, Default)]
pub(super) struct NewTokenField {
    /// `token.header`.
    pub(super) header: Option<String>,
    /// `token.prefix`.
    pub(super) prefix: Option<String>,
    /// `token.keep_authorization`.
    pub(super) keeps_authorization: bool,
}

impl NewTokenField {
    pub(super) const fn is_default(&self) -> bool {
        self.header.is_none() && self.prefix.is_none() && !self.keeps_authorization
    }
}

impl NewGrant {
    pub(super) const fn choice(&self) -> GrantChoice {
        match self {
            Self::ClientCredentials => GrantChoice::ClientCredentials,
            Self::SignIn { device, .. } => match device {
                SignInDevice::This => GrantChoice::AuthorizationCode,
                SignInDevice::Another => GrantChoice::DeviceCode,
            },
            Self::Assertion(_) | Self::Signed { .. } => GrantChoice::JwtBearer,
            Self::Exchange { .. } => GrantChoice::TokenExchange,
        }
    }

    fn files(&self) -> Vec<&Path> {
        match self {
            Self::ClientCredentials | Self::SignIn { .. } => Vec::new(),
            Self::Assertion(file) | Self::Signed { key: file, .. } => vec![file],
            Self::Exchange { subject, actor } => {
                let actor = actor.as_ref().map(|actor| actor.file.as_path());
                std::iter::once(subject.file.as_path())
                    .chain(actor)
                    .collect()
            }
        }
    }
}

impl NewIdentity {
    /// Whether a person signs in.
    pub(super) fn is_person(&self) -> bool {
        match self {
            Self::Source(source) => matches!(source, NewSource::Person { .. }),
            Self::Client(client) => client.grant.choice().is_sign_in(),
        }
    }

    /// Where the client's secret is, if it has one.
    pub(super) const fn secret(&self) -> Option<&SecretLocation> {
        match self {
            Self::Client(client) => match &client.proof {
                ClientProof::Secret(_, location) => Some(location),
                ClientProof::PrivateKey(_)
                | ClientProof::Assertion { .. }
                | ClientProof::Nothing => None,
            },
            Self::Source(_) => None,
        }
    }

    /// The program, with its arguments, that prints a secret or a token.
    pub(super) fn command(&self) -> Option<&[String]> {
        match (self, self.secret()) {
            (_, Some(SecretLocation::Command(words)))
            | (Self::Source(NewSource::Command(words)), _) => Some(words),
            _ => None,
        }
    }

    /// The existing files that secrets and tokens are read from.
    pub(super) fn files(&self) -> Vec<&Path> {
        match self {
            Self::Source(NewSource::File(file)) => vec![file],
            Self::Source(
                NewSource::Command(_) | NewSource::Http { .. } | NewSource::Person { .. },
            ) => Vec::new(),
            Self::Client(client) => {
                let proof = match &client.proof {
                    ClientProof::Secret(_, SecretLocation::File(file))
                    | ClientProof::PrivateKey(file)
                    | ClientProof::Assertion { file, .. } => Some(file.as_path()),
                    ClientProof::Secret(..) | ClientProof::Nothing => None,
                };
                proof.into_iter().chain(client.grant.files()).collect()
            }
        }
    }
}
