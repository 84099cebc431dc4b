//! The flags of `init` for tokens of a person.

use clap::Args;

use super::flag_values::{OF_SERVER, flag};
use super::person_questions::application_name;
use crate::config::paste::{self, PastedApi};

#[derive(Args, Debug, Clone, Default)]
#[group(skip)]
#[command(next_help_heading = "As yourself")]
pub(crate) struct PersonArgs {
    /// You sign in and hand over tokens that you have copied.
    #[arg(
        long,
        group = "token_source",
        conflicts_with_all = OF_SERVER,
        help = "Sign in yourself, without a client id: you hand over tokens that you copy from a page (token.grant = \"paste\")"
    )]
    pub(super) paste: bool,
    /// The application of the login page.
    #[arg(
        long,
        value_name = "NAME",
        requires = "paste",
        conflicts_with = "login_url",
        help = "The application to sign in to at PingOne Advanced Services, such as self-service or pingaccess [default: that of the API]"
    )]
    pub(super) login_application: Option<String>,
    /// The page where you copy a token
    #[arg(long, value_name = "URL", requires = "paste")]
    pub(super) login_url: Option<String>,
    /// The authorization endpoint.
    #[arg(
        long,
        value_name = "URL",
        help = "The authorization endpoint, with --grant authorization_code; needed only if --token-endpoint is no issuer"
    )]
    pub(super) authorization_url: Option<String>,
    /// The device authorization endpoint.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "authorization_url",
        help = "The device authorization endpoint, with --grant device_code; needed only if --token-endpoint is no issuer"
    )]
    pub(super) device_url: Option<String>,
}

impl PersonArgs {
    /// `token.login_url`, unless it is the one that is known.
    pub(super) fn login_url(
        &self,
        api: Option<&PastedApi>,
        problems: &mut Vec<String>,
    ) -> Option<String> {
        let url = flag(
            problems,
            "--login-url",
            self.login_url.as_deref(),
            paste::login_url,
        );
        let name = self.login_application.as_deref();
        let Some(name) = flag(problems, "--login-application", name, application_name) else {
            return url;
        };
        let api = api?;
        if api.application() == Some(&*name) {
            return None;
        }
        let url = api.login_url(&name);
        if url.is_none() {
            problems.push(
                "--login-application: only an API of PingOne Advanced Services has such a page: write --login-url URL"
                    .to_owned(),
            );
        }
        url
    }
}
