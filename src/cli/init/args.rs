//! The flags of `init`.

use std::path::PathBuf;

use clap::Args;

use super::answers::MissingFlags;
use super::field_args::TokenFieldArgs;
use super::identity::{ClientAuthMethod, GrantChoice};
use super::identity_args::IdentityArgs;
use crate::config::Surroundings;
use crate::config::keys::on_system;
use crate::config::paste::PastedTokenEndpoint;

const EXAMPLES: &str = "\
Example:
  cupbearer init
  cupbearer init --upstream https://api.example.com/docs --client-id my-client \\
    --token-endpoint https://as.example.com/token \\
    --secret-command 'op read op://vault/item/field' --out cupbearer.toml
  cupbearer init --upstream https://api.example.com \\
    --token-http 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token' \\
    --token-http-header 'Metadata-Flavor: Google'
  cupbearer init --upstream https://self-service-api.dev-example.eu1.ping.cloud --paste
  cupbearer init --upstream https://api.example.com --token-endpoint https://as.example.com \\
    --grant authorization_code --client-id my-native-client --scope 'openid profile'
  cupbearer init --upstream https://api.example.com --token-endpoint https://as.example.com \\
    --grant device_code --client-id my-native-client --scope 'openid profile'
  cupbearer init --upstream https://api.example.com --token-endpoint https://as.example.com/token \\
    --auth none --assertion-file /var/run/secrets/identity/token

The secret itself is never taken from the command line.
The written file is tried as `cupbearer doctor` would try it, and the exit code is the same.";

/// Write a configuration file: asks for what it needs, or takes it from flags, and tries the result
#[derive(Args, Debug, Clone, Default)]
#[group(skip)]
#[command(after_help = on_system(EXAMPLES, cfg!(unix)))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct InitArgs {
    /// The API: any URL on it, such as that of its /docs page
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Option<String>,
    /// The application's Token Endpoint, as the authorization server's console shows it, or an issuer
    #[arg(long, value_name = "URL")]
    pub(super) token_endpoint: Option<String>,
    /// The application's client id
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// The value of `token.auth`.
    #[arg(
        long,
        value_name = "METHOD",
        help = "The application's token endpoint authentication method [default: client_secret_basic, or what other flags imply]"
    )]
    pub(super) auth: Option<ClientAuthMethod>,
    /// Scopes to request [default: the authorization server chooses]
    #[arg(long, value_name = "SCOPES")]
    pub(super) scope: Option<String>,
    /// A file that has the secret
    #[arg(long, value_name = "FILE", group = "secret")]
    pub(super) secret_file: Option<PathBuf>,
    /// A command that prints the secret.
    #[arg(
        long,
        value_name = "COMMAND",
        group = "secret",
        help = "A command that prints the secret, such as 'op read op://vault/item/field'"
    )]
    pub(super) secret_command: Option<String>,
    /// An entry of the system's keyring that has the secret
    #[arg(long, value_name = "SERVICE/ACCOUNT", group = "secret")]
    pub(super) secret_keyring: Option<String>,
    /// Read the secret from standard input and store it in a new file beside the configuration
    #[arg(long, group = "secret")]
    pub(super) secret_stdin: bool,
    /// Allow only requests that read [default: true for an API in production, confirmed on a terminal]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) read_only: Option<bool>,
    /// Address that clients will connect to [default: localhost:6749]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
    /// Admit only requests with a key, which is written to a new file beside the configuration
    #[arg(long)]
    pub(super) caller_key: bool,
    /// File for the configuration [default: cupbearer/config.toml in your configuration directory]
    #[arg(long, value_name = "FILE", visible_alias = "config")]
    pub(super) out: Option<PathBuf>,
    /// Overwrite existing files
    #[arg(long)]
    pub(super) force: bool,
    /// Ask nothing, even on a terminal: use flags and defaults only
    #[arg(long)]
    pub(super) yes: bool,
    /// Write the file without trying it
    #[arg(long)]
    pub(super) no_doctor: bool,
    #[command(flatten)]
    pub(super) field: TokenFieldArgs,
    #[command(flatten)]
    pub(super) identity: IdentityArgs,
}

impl InitArgs {
    /// Names the flags that are missing, if there is no terminal to ask on. Invalid ones are not.
    pub(super) fn missing(&self) -> Option<String> {
        let auth = self.identity.auth(self.auth, self.has_secret());
        let has_proof = match auth {
            Some(ClientAuthMethod::None) => true,
            Some(ClientAuthMethod::PrivateKeyJwt) => self.identity.private_key_file.is_some(),
            Some(ClientAuthMethod::ClientAssertion) => {
                self.identity.client_assertion_file.is_some()
            }
            Some(
                ClientAuthMethod::Basic | ClientAuthMethod::Post | ClientAuthMethod::SecretJwt,
            )
            | None => self.has_secret(),
        };
        let missing = MissingFlags {
            api: self.upstream.is_none(),
            token: self.token_endpoint.is_none(),
            client_id: self.client_id.is_none(),
            proof: !has_proof,
            auth,
            grant: self.identity.grant_choice(),
            has_source: self.identity.has_source(),
            sign_in_endpoint: self.missing_sign_in_endpoint(),
        };
        missing.describe()
    }

    /// The flag for the endpoint where a person's sign-in begins, if it is needed: an issuer's metadata names it.
    fn missing_sign_in_endpoint(&self) -> Option<&'static str> {
        let token = PastedTokenEndpoint::read(self.token_endpoint.as_deref()?);
        let person = &self.identity.person;
        let (endpoint, flag) = match self.identity.grant_choice() {
            GrantChoice::AuthorizationCode => (&person.authorization_url, "--authorization-url"),
            GrantChoice::DeviceCode => (&person.device_url, "--device-url"),
            GrantChoice::ClientCredentials
            | GrantChoice::JwtBearer
            | GrantChoice::TokenExchange => return None,
        };
        let is_needed = matches!(token, Ok(PastedTokenEndpoint::Url(_))) && endpoint.is_none();
        is_needed.then_some(flag)
    }

    /// Whether the flags say who acts, a machine or a person, so that this is not asked.
    pub(super) fn says_who_requests(&self) -> bool {
        self.identity.has_source()
            || self.identity.grant.is_some()
            || self.identity.grant_choice() != GrantChoice::ClientCredentials
            || self.identity.auth(self.auth, self.has_secret()).is_some()
            || self.client_id.is_some()
            || self.has_secret()
    }

    /// The flags that are given for an authorization server, among those that do not say who acts.
    pub(super) fn server_flags(&self) -> Vec<&'static str> {
        let flags = [
            (self.token_endpoint.is_some(), "--token-endpoint"),
            (self.scope.is_some(), "--scope"),
            (!self.identity.param.is_empty(), "--param"),
        ];
        let given = flags.into_iter();
        given
            .filter_map(|(is_given, flag)| is_given.then_some(flag))
            .collect()
    }

    pub(super) const fn has_secret(&self) -> bool {
        self.secret_stdin
            || self.secret_file.is_some()
            || self.secret_command.is_some()
            || self.secret_keyring.is_some()
    }

    /// The default is a path that `run` finds from every directory, and that is in no repository.
    pub(super) fn destination(&self, surroundings: &Surroundings) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| match &surroundings.user_configuration {
                Some(directory) => directory.join("cupbearer").join("config.toml"),
                None => surroundings.working_directory.join("cupbearer.toml"),
            })
    }
}
