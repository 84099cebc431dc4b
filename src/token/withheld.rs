//! Keeps a token that was granted before out of what a failure quotes. It may be too short to look like a token.

use super::grant_error::GrantError;
use super::request_secrets::RequestSecrets;
use super::response_error::ErrorResponse;
use crate::credentials::{Secret, SecretEcho, SecretError};

const WITHHELD: &str = "(withheld: it repeats a token)";
/// A shorter token is not looked for: it would be found in ordinary words.
const SHORTEST_TOKEN: usize = 4;

impl GrantError {
    /// The same failure without what repeats this token, in whichever encoding.
    pub(super) fn without_token(mut self, token: &Secret) -> Self {
        if token.expose().len() < SHORTEST_TOKEN {
            return self;
        }
        let echo = SecretEcho::of(token.expose());
        for text in self.quoted_texts() {
            if text
                .as_ref()
                .is_some_and(|text| echo.is_in(text.as_bytes()))
            {
                *text = Some(WITHHELD.to_owned());
            }
        }
        self
    }

    /// The same without what repeats one of these secrets.
    pub(super) fn without_secrets(self, secrets: &RequestSecrets) -> Self {
        secrets.all().fold(self, Self::without_token)
    }

    /// What a server or a program has written.
    fn quoted_texts(&mut self) -> Vec<&mut Option<String>> {
        match self {
            Self::Refused { response, .. } | Self::Unavailable { response, .. } => match response {
                ErrorResponse::Fields {
                    code,
                    description,
                    correlation_id,
                } => vec![code, description, correlation_id],
                ErrorResponse::Other { content_type } => vec![content_type],
            },
            Self::SourceUnusable { said, .. }
            | Self::SourceUnreadable(
                SecretError::CommandFailed { said, .. } | SecretError::CommandTimeout { said, .. },
            ) => vec![said],
            Self::SecretUnreadable(unreadable) => match unreadable.cause.downcast_mut() {
                Some(
                    SecretError::CommandFailed { said, .. }
                    | SecretError::CommandTimeout { said, .. },
                ) => vec![said],
                Some(_) | None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}
