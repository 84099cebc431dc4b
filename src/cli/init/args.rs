//! The flags of `init`.

use std::path::PathBuf;

use clap::Args;

use super::answers::{self, SecretAuthMethod};
use crate::config::Surroundings;

/// Write a configuration file: asks for what it needs, or takes it from flags, and tries the result
#[derive(Args, Debug, Clone, Default)]
#[group(skip)]
#[command(after_help = "\
Example:
  cupbearer init
  cupbearer init --upstream https://api.example.com/docs --client-id my-client \\
    --token-endpoint https://as.example.com/token \\
    --secret-command 'op read op://vault/item/field' --out cupbearer.toml

The secret itself is never taken from the command line.
The written file is tried as `cupbearer doctor` would try it, and the exit code is the same.")]
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
        help = "The application's token endpoint authentication method [default: client_secret_basic]"
    )]
    pub(super) auth: Option<SecretAuthMethod>,
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
    /// A file with a JWT for this client, which something else renews.
    #[arg(
        long,
        value_name = "FILE",
        group = "secret",
        conflicts_with = "auth",
        help = "Instead of a secret: a file with a JWT for this client that something else renews, such as a Kubernetes service account token"
    )]
    pub(super) client_assertion_file: Option<PathBuf>,
    /// A command that prints access tokens.
    #[arg(
        long,
        value_name = "COMMAND",
        conflicts_with_all = ["token_endpoint", "client_id", "auth", "scope", "secret"],
        help = "Instead of an authorization server and a client: a command that prints access tokens, such as 'gcloud config config-helper --format json'"
    )]
    pub(super) token_command: Option<String>,
    /// Allow only requests that read [default: true for an API in production, confirmed on a terminal]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(super) read_only: Option<bool>,
    /// Address that clients will connect to [default: localhost:6749]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
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
}

impl InitArgs {
    /// Names the flags that are missing, if there is no terminal to ask on. Invalid ones are not.
    pub(super) fn missing(&self) -> Option<String> {
        let has_secret = self.secret_stdin
            || self.secret_file.is_some()
            || self.secret_command.is_some()
            || self.secret_keyring.is_some()
            || self.client_assertion_file.is_some();
        let needs_client = self.token_command.is_none();
        answers::missing_flags([
            self.upstream.is_none(),
            needs_client && self.token_endpoint.is_none(),
            needs_client && self.client_id.is_none(),
            needs_client && !has_secret,
        ])
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
