//! A bearer for this request, or the reason why it goes no further: nothing is ever sent without one.

use crate::token::{Bearer, Tokens, Unavailable};

/// At once if there is a usable token, else after at most `token.wait`.
pub(super) async fn bearer(tokens: &Tokens) -> Result<Bearer, Unavailable> {
    match tokens.usable() {
        Some(bearer) => Ok(bearer),
        None => tokens.bearer().await,
    }
}
