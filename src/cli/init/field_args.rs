//! The flags of `init` for how requests to the API carry the token.

use clap::Args;

use super::identity::NewTokenField;

#[derive(Args, Debug, Clone, Default)]
#[group(skip)]
#[command(next_help_heading = "How the API expects the token")]
pub(crate) struct TokenFieldArgs {
    /// The header field in which the API expects the token, such as X-Api-Key [default: Authorization]
    #[arg(long, value_name = "NAME")]
    pub(super) token_header: Option<String>,
    /// What stands before the token; an empty text sends the token alone [default: Bearer]
    #[arg(long, value_name = "TEXT")]
    pub(super) token_prefix: Option<String>,
    /// Forward the caller's own Authorization too
    #[arg(long, requires = "token_header")]
    pub(super) keep_authorization: bool,
}

impl TokenFieldArgs {
    /// What the flags say. `flag_check` checks it.
    pub(super) fn read(&self) -> NewTokenField {
        let trimmed = |text: &String| text.trim().to_owned();
        NewTokenField {
            header: self.token_header.as_ref().map(trimmed),
            prefix: self.token_prefix.clone(),
            keeps_authorization: self.keep_authorization,
        }
    }
}
