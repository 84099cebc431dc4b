//! The flags of `init` for every identity but a client with a secret, and which of them fit together.

use std::path::PathBuf;

use clap::Args;

use super::flag_values::{
    OF_SERVER, command, file_flag, flag, pairs, reject_confidential_fields,
    reject_confidential_params,
};
use super::identity::{
    ClientAuthMethod, GrantChoice, NewGrant, NewSource, SignInDevice, TypedToken,
};
use super::person_args::PersonArgs;
use crate::config::paste::PastedApi;

const HTTP_HEADER: &str = "--token-http-header";

#[derive(Args, Debug, Clone, Default)]
#[group(skip)]
#[command(next_help_heading = "Without a client secret")]
pub(crate) struct IdentityArgs {
    /// A file with a JWT for this client.
    #[arg(
        long,
        value_name = "FILE",
        group = "secret",
        help = "A file with a JWT for this client that something else renews, such as a Kubernetes service account token"
    )]
    pub(super) client_assertion_file: Option<PathBuf>,
    /// Its type.
    #[arg(
        long,
        value_name = "TYPE",
        requires = "client_assertion_file",
        help = "Its type, such as urn:ietf:params:oauth:client-assertion-type:jwt-spiffe for Keycloak with SPIFFE [default: urn:ietf:params:oauth:client-assertion-type:jwt-bearer]"
    )]
    pub(super) client_assertion_type: Option<String>,
    /// A file with a private key.
    #[arg(
        long,
        value_name = "FILE",
        help = "A file with the private key that the client authenticates with (private_key_jwt), or that signs the assertion of --grant jwt_bearer"
    )]
    pub(super) private_key_file: Option<PathBuf>,
    /// The value of `token.grant`.
    #[arg(
        long,
        value_name = "GRANT",
        help = "How tokens are requested [default: client_credentials, or what the flags below imply]"
    )]
    pub(super) grant: Option<GrantChoice>,
    /// A file with a JWT that the server accepts for an access token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["claim", "subject_token_file"])]
    pub(super) assertion_file: Option<PathBuf>,
    /// A claim of the assertion that the private key signs.
    #[arg(
        long,
        value_name = "NAME=VALUE",
        requires = "private_key_file",
        conflicts_with = "subject_token_file",
        help = "A claim of the assertion that the private key signs (jwt_bearer), such as iss, sub, aud or scope; may be repeated"
    )]
    pub(super) claim: Vec<String>,
    /// A file with the token that is exchanged for an access token
    #[arg(long, value_name = "FILE", requires = "subject_token_type")]
    pub(super) subject_token_file: Option<PathBuf>,
    /// Its type, such as urn:ietf:params:oauth:token-type:jwt
    #[arg(long, value_name = "TYPE", requires = "subject_token_file")]
    pub(super) subject_token_type: Option<String>,
    /// A file with the token of the party that acts for the subject
    #[arg(long, value_name = "FILE", requires_all = ["subject_token_file", "actor_token_type"])]
    pub(super) actor_token_file: Option<PathBuf>,
    /// Its type
    #[arg(long, value_name = "TYPE", requires = "actor_token_file")]
    pub(super) actor_token_type: Option<String>,
    /// A parameter of the token request, such as audience=payments; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) param: Vec<String>,
    /// A command that prints access tokens.
    #[arg(
        long,
        value_name = "COMMAND",
        group = "token_source",
        conflicts_with_all = OF_SERVER,
        help = "Instead of an authorization server and a client: a command that prints access tokens, such as 'gcloud config config-helper --format json'"
    )]
    pub(super) token_command: Option<String>,
    /// Likewise: a file with an access token that something else renews
    #[arg(long, value_name = "FILE", group = "token_source", conflicts_with_all = OF_SERVER)]
    pub(super) token_file: Option<PathBuf>,
    /// Likewise: the address of a metadata server that returns access tokens
    #[arg(long, value_name = "URL", group = "token_source", conflicts_with_all = OF_SERVER)]
    pub(super) token_http: Option<String>,
    /// A header field that the metadata server requires.
    #[arg(
        long,
        value_name = "NAME: VALUE",
        requires = "token_http",
        help = "A header field that the metadata server requires, such as 'Metadata: true'; may be repeated; other users can see it, so no credential"
    )]
    pub(super) token_http_header: Vec<String>,
    #[command(flatten)]
    pub(super) person: PersonArgs,
}

/// What the flags say about the identity.
#[derive(Default)]
pub(super) struct IdentityAnswers {
    pub(super) source: Option<NewSource>,
    pub(super) grant: NewGrant,
    pub(super) auth: Option<ClientAuthMethod>,
    /// The file with the key that the client authenticates with.
    pub(super) private_key: Option<PathBuf>,
    pub(super) client_assertion: Option<PathBuf>,
    pub(super) client_assertion_type: Option<String>,
    pub(super) params: Vec<(String, String)>,
}

impl IdentityArgs {
    pub(super) const fn has_source(&self) -> bool {
        self.token_command.is_some()
            || self.token_file.is_some()
            || self.token_http.is_some()
            || self.person.paste
    }

    /// The grant: the one that is named, or else the one that the other flags are for.
    pub(super) fn grant_choice(&self) -> GrantChoice {
        let implied = if self.assertion_file.is_some() || !self.claim.is_empty() {
            GrantChoice::JwtBearer
        } else if self.subject_token_file.is_some() {
            GrantChoice::TokenExchange
        } else if self.person.authorization_url.is_some() {
            GrantChoice::AuthorizationCode
        } else if self.person.device_url.is_some() {
            GrantChoice::DeviceCode
        } else {
            GrantChoice::ClientCredentials
        };
        self.grant.unwrap_or(implied)
    }

    /// Whether the private key signs what is exchanged for a token. Otherwise the client authenticates with it.
    fn key_signs_grant(&self) -> bool {
        self.grant_choice() == GrantChoice::JwtBearer && self.assertion_file.is_none()
    }

    /// `token.auth`: the method that is named, or else the one that a file is for. The client that a person signs in
    /// to is a public one if it has no secret.
    pub(super) fn auth(
        &self,
        named: Option<ClientAuthMethod>,
        has_secret: bool,
    ) -> Option<ClientAuthMethod> {
        let is_public = self.grant_choice().is_sign_in() && !has_secret;
        let of_key = self.private_key_file.is_some() && !self.key_signs_grant();
        let of_assertion = self.client_assertion_file.is_some();
        named
            .or(of_assertion.then_some(ClientAuthMethod::ClientAssertion))
            .or(of_key.then_some(ClientAuthMethod::PrivateKeyJwt))
            .or(is_public.then_some(ClientAuthMethod::None))
    }

    /// Reads the flags. `named` is `--auth`.
    pub(super) fn read(
        &self,
        api: Option<&PastedApi>,
        named: Option<ClientAuthMethod>,
        has_secret: bool,
        problems: &mut Vec<String>,
    ) -> IdentityAnswers {
        self.check_companions(problems);
        self.check_grant(problems);
        self.check_auth(named, has_secret, problems);
        let key = file_flag(
            problems,
            "--private-key-file",
            self.private_key_file.as_deref(),
        );
        let grant = self.new_grant(key.clone(), problems).unwrap_or_default();
        let assertion = self.client_assertion_file.as_deref();
        let params = pairs(problems, "--param", &self.param, '=');
        reject_confidential_params(problems, "--param", &params);
        IdentityAnswers {
            source: self.new_source(api, problems),
            grant,
            auth: self.auth(named, has_secret),
            private_key: key.filter(|_| !self.key_signs_grant()),
            client_assertion: file_flag(problems, "--client-assertion-file", assertion),
            client_assertion_type: self
                .client_assertion_type
                .as_ref()
                .map(|kind| kind.trim().to_owned()),
            params,
        }
    }

    fn new_source(&self, api: Option<&PastedApi>, problems: &mut Vec<String>) -> Option<NewSource> {
        if self.person.paste {
            let login_url = self.person.login_url(api, problems);
            return Some(NewSource::Person { login_url });
        }
        let words = self.token_command.as_deref();
        let words = flag(problems, "--token-command", words, command);
        let file = file_flag(problems, "--token-file", self.token_file.as_deref());
        let headers = pairs(problems, HTTP_HEADER, &self.token_http_header, ':');
        reject_confidential_fields(problems, HTTP_HEADER, &headers);
        let server = self.token_http.as_ref().map(|url| NewSource::Http {
            url: url.trim().to_owned(),
            headers,
        });
        words
            .map(NewSource::Command)
            .or(file.map(NewSource::File))
            .or(server)
    }

    /// `None` if there is a problem.
    fn new_grant(&self, key: Option<PathBuf>, problems: &mut Vec<String>) -> Option<NewGrant> {
        let claims = pairs(problems, "--claim", &self.claim, '=');
        let assertion = file_flag(problems, "--assertion-file", self.assertion_file.as_deref());
        let subject = file_flag(
            problems,
            "--subject-token-file",
            self.subject_token_file.as_deref(),
        );
        let actor = file_flag(
            problems,
            "--actor-token-file",
            self.actor_token_file.as_deref(),
        );
        let typed = |file: Option<PathBuf>, kind: &Option<String>| {
            let kind = kind.as_ref()?.trim().to_owned();
            Some(TypedToken { file: file?, kind })
        };
        Some(match self.grant_choice() {
            GrantChoice::ClientCredentials => NewGrant::ClientCredentials,
            GrantChoice::AuthorizationCode => NewGrant::SignIn {
                device: SignInDevice::This,
                endpoint: self.person.authorization_url.clone(),
            },
            GrantChoice::DeviceCode => NewGrant::SignIn {
                device: SignInDevice::Another,
                endpoint: self.person.device_url.clone(),
            },
            GrantChoice::JwtBearer if self.assertion_file.is_some() => {
                NewGrant::Assertion(assertion?)
            }
            GrantChoice::JwtBearer => NewGrant::Signed { key: key?, claims },
            GrantChoice::TokenExchange => NewGrant::Exchange {
                subject: typed(subject, &self.subject_token_type)?,
                actor: typed(actor, &self.actor_token_type),
            },
        })
    }

    /// That nothing is given without what it belongs to. The parser of the command line does not insist on that if
    /// what is needed would conflict with another flag.
    fn check_companions(&self, problems: &mut Vec<String>) {
        for (is_given, has_needed, flag, needed) in [
            (
                !self.token_http_header.is_empty(),
                self.token_http.is_some(),
                HTTP_HEADER,
                "--token-http",
            ),
            (
                self.person.login_url.is_some(),
                self.person.paste,
                "--login-url",
                "--paste",
            ),
            (
                self.person.login_application.is_some(),
                self.person.paste,
                "--login-application",
                "--paste",
            ),
            (
                self.client_assertion_type.is_some(),
                self.client_assertion_file.is_some(),
                "--client-assertion-type",
                "--client-assertion-file",
            ),
            (
                !self.claim.is_empty(),
                self.private_key_file.is_some(),
                "--claim",
                "--private-key-file",
            ),
            (
                self.subject_token_type.is_some(),
                self.subject_token_file.is_some(),
                "--subject-token-type",
                "--subject-token-file",
            ),
            (
                self.actor_token_type.is_some(),
                self.actor_token_file.is_some(),
                "--actor-token-type",
                "--actor-token-file",
            ),
            (
                self.actor_token_file.is_some(),
                self.subject_token_file.is_some(),
                "--actor-token-file",
                "--subject-token-file",
            ),
        ] {
            if is_given && !has_needed {
                problems.push(format!("{flag} needs {needed}: add that, or remove {flag}"));
            }
        }
    }

    /// That nothing is given which the grant does not use, and everything that it needs. No question asks for that.
    fn check_grant(&self, problems: &mut Vec<String>) {
        let grant = self.grant_choice();
        let mut reject = |is_wrong: bool, problem: &str| {
            if is_wrong {
                problems.push(problem.to_owned());
            }
        };
        let (is_bearer, is_exchange) = (
            grant == GrantChoice::JwtBearer,
            grant == GrantChoice::TokenExchange,
        );
        reject(
            grant != GrantChoice::AuthorizationCode && self.person.authorization_url.is_some(),
            "--authorization-url is only for --grant authorization_code: remove one of them",
        );
        reject(
            grant != GrantChoice::DeviceCode && self.person.device_url.is_some(),
            "--device-url is only for --grant device_code: remove one of them",
        );
        reject(
            !is_bearer && self.assertion_file.is_some(),
            "--assertion-file is only for --grant jwt_bearer: remove one of them",
        );
        reject(
            !is_bearer && !self.claim.is_empty(),
            "--claim is only for --grant jwt_bearer: remove one of them",
        );
        reject(
            !is_exchange && self.subject_token_file.is_some(),
            "--subject-token-file is only for --grant token_exchange: remove one of them",
        );
        reject(
            is_bearer && self.assertion_file.is_none() && self.private_key_file.is_none(),
            "--grant jwt_bearer needs --assertion-file, or --private-key-file with the key that signs an assertion",
        );
        reject(
            is_exchange && self.subject_token_file.is_none(),
            "--grant token_exchange needs --subject-token-file and --subject-token-type",
        );
    }

    /// That the client authenticates in one way.
    fn check_auth(
        &self,
        named: Option<ClientAuthMethod>,
        has_secret: bool,
        problems: &mut Vec<String>,
    ) {
        let signs = self.key_signs_grant();
        let has_key = self.private_key_file.is_some() && !signs;
        let method = self.auth(named, has_secret);
        let name = method.map_or("client_secret_basic", ClientAuthMethod::name);
        if method == Some(ClientAuthMethod::None)
            && self.grant_choice() == GrantChoice::ClientCredentials
        {
            problems.push("--auth none is only for --grant authorization_code, device_code, jwt_bearer or token_exchange, since client_credentials is granted to an authenticated client".to_owned());
        }
        if method == Some(ClientAuthMethod::PrivateKeyJwt) && signs {
            problems.push("--auth private_key_jwt cannot be used, because the private key signs the assertion of --grant jwt_bearer: add --assertion-file, or choose another method".to_owned());
        }
        let uses_secret = method.is_none_or(ClientAuthMethod::uses_secret);
        let given = [
            (has_secret, uses_secret, "the secret"),
            (
                has_key,
                method == Some(ClientAuthMethod::PrivateKeyJwt),
                "--private-key-file",
            ),
            (
                self.client_assertion_file.is_some(),
                method == Some(ClientAuthMethod::ClientAssertion),
                "--client-assertion-file",
            ),
        ];
        for (is_given, is_used, what) in given {
            if is_given && !is_used {
                problems.push(format!(
                    "{what} is not used, because the client authenticates by {name}: remove it, or choose the method that uses it"
                ));
            }
        }
    }
}
