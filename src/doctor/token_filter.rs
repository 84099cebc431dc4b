//! Keeps the access token out of what is quoted from a response of the API, in whichever encoding the API repeats it.

use http::HeaderValue;

use super::probe::ProbeResponse;
use crate::credentials::SecretEcho;
use crate::token::AccessToken;

const WITHHELD: &str = "(withheld: it repeats the token)";

/// Withholds the token of one request.
pub(super) struct TokenFilter(SecretEcho);

impl TokenFilter {
    pub(super) fn new(token: &AccessToken) -> Self {
        Self(SecretEcho::of(token.as_str().as_bytes()))
    }

    /// The response without what repeats the token. Whatever is quoted from it later cannot contain the token.
    pub(super) fn clean(&self, mut response: ProbeResponse) -> ProbeResponse {
        for value in response.headers.values_mut() {
            if self.0.is_in(value.as_bytes()) {
                *value = HeaderValue::from_static(WITHHELD);
            }
        }
        if self.0.is_in(&response.body) {
            let is_object = response.body.trim_ascii_start().starts_with(b"{");
            response.body = if is_object {
                format!("{{\"detail\":\"{WITHHELD}\"}}").into_bytes()
            } else if response.is_html() {
                b"<".to_vec()
            } else {
                Vec::new()
            };
        }
        response
    }

    /// The text, unless it repeats the token.
    pub(super) fn clean_text(&self, text: String) -> String {
        if self.0.is_in(text.as_bytes()) {
            WITHHELD.to_owned()
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests;
