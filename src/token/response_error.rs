//! What is wrong with a response of the token endpoint, and what its error responses say. Everything here may be
//! printed.

use std::fmt;

/// What is wrong with a successful response. Of the response it holds at most the type, if that is a short word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseDefect {
    /// There is no body.
    #[error("the response is empty")]
    Empty,
    /// The response is too long.
    #[error("the response is longer than {limit} bytes")]
    TooLong {
        /// The most that is read.
        limit: usize,
    },
    /// A `Content-Encoding` that was not requested.
    #[error("the response is compressed")]
    Compressed,
    /// HTML, text, invalid JSON, or JSON that is not an object.
    #[error(
        "the response is not a JSON object (RFC 6749 5.1): perhaps it is a web page, because the address is wrong or a proxy responded"
    )]
    NotJson,
    /// `access_token` is missing, empty or not a string.
    #[error("the response has no access_token")]
    NoToken,
    /// Line breaks, spaces or non-ASCII characters, so it cannot be sent in a header (RFC 6750 2.1).
    #[error("its access_token contains characters that are not allowed in a header")]
    TokenCharacters,
    /// Longer than any server's header limit.
    #[error("its access_token is longer than {limit} bytes")]
    TokenTooLong {
        /// The longest that is accepted.
        limit: usize,
    },
    /// Another type such as `DPoP`, which must not be sent as Bearer (RFC 9449).
    #[error("its token_type is {said}, not Bearer{}", accept_type_hint(said))]
    TokenType {
        /// The type in quotes, or what it is instead of a word.
        said: String,
    },
    /// The exchange issued something other than an access token (RFC 8693 2.2.1).
    #[error("its issued_token_type is not that of an access token")]
    IssuedTokenType,
    /// It is zero, negative or not a number.
    #[error("its expires_in is not a positive number of seconds")]
    Lifetime,
}

/// A proof must accompany each use of a `DPoP` token, and `N_A` means that it is no access token (RFC 8693 2.2.1), so
/// no setting can make either a bearer token.
fn accept_type_hint(said: &str) -> String {
    let is_no_bearer = ["\"dpop\"", "\"n_a\""]
        .iter()
        .any(|other| said.eq_ignore_ascii_case(other));
    if !said.starts_with('"') || is_no_bearer {
        return String::new();
    }
    format!("; if that server means Bearer by it, set token.accept_type = {said}")
}

/// What an error response says (RFC 6749 5.2), sanitized and shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorResponse {
    /// `error` or `code`, `error_description` or `message`, and the correlation id.
    Fields {
        /// `error` (RFC 6749 5.2) or `code`.
        code: Option<String>,
        /// `error_description` or `message`.
        description: Option<String>,
        /// The id of this request in the server's logs.
        correlation_id: Option<String>,
    },
    /// HTML or anything else: only its media type is kept.
    Other {
        /// `Content-Type`.
        content_type: Option<String>,
    },
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields {
                code,
                description,
                correlation_id,
            } => {
                let words: Vec<&str> = [code, description]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect();
                f.write_str(&words.join(": "))?;
                match correlation_id {
                    Some(id) => write!(f, " (correlation id {id})"),
                    None => Ok(()),
                }
            }
            Self::Other {
                content_type: Some(kind),
            } => write!(f, "the response is {kind}, not an OAuth error"),
            Self::Other { content_type: None } => {
                f.write_str("the response is not an OAuth error and has no content type")
            }
        }
    }
}
