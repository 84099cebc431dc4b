//! `token.header`, `.prefix` and `.keep_authorization` as a type: how a request to the API carries the token.

use http::HeaderName;

use super::field_names::is_same_field;

/// How a request to the API carries the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenField {
    /// `token.header`.
    pub name: HeaderName,
    /// The same as it was written, since a [`HeaderName`] is in lower case.
    pub shown_name: String,
    /// `token.prefix`: what stands before the token, without the space; may be empty.
    pub prefix: String,
    /// `token.keep_authorization`: the caller's own `Authorization` is forwarded. Never if the token is sent as that.
    pub keeps_authorization: bool,
}

impl TokenField {
    /// Whether this is the field, or a CGI-like server takes it for the field (RFC 3875 section 4.1.18).
    #[must_use]
    pub fn is(&self, name: &HeaderName) -> bool {
        is_same_field(&self.name, name)
    }
}

impl Default for TokenField {
    fn default() -> Self {
        Self {
            name: http::header::AUTHORIZATION,
            shown_name: "Authorization".to_owned(),
            prefix: "Bearer".to_owned(),
            keeps_authorization: false,
        }
    }
}
