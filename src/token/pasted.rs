//! A token as a person pastes it: what is around it is removed, and what speaks against it is said.
//!
//! Pure. Nothing of the text leaves this file but the token itself and what its claims say about the person.

use std::time::SystemTime;

use http::HeaderValue;
use serde_json::{Map, Value};

use super::bearer::bearer_header;
use super::jwt::{DecodedToken, decode};
use super::person::name_in;
use super::person_subject::subject_in;
use super::response_error::ResponseDefect;
use crate::config::TokenField;

/// What a terminal puts around a paste, and characters that no one sees.
const INVISIBLE: [&str; 5] = [
    "\u{1b}[200~",
    "\u{1b}[201~",
    "\u{feff}",
    "\u{200b}",
    "\u{2060}",
];

/// The quotation marks that are removed.
const QUOTES: [char; 9] = [
    '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', ',',
];

/// A token that can be sent, and what its claims say.
pub(super) struct PastedToken {
    pub(super) header: HeaderValue,
    /// Where the token begins in `header`.
    pub(super) token_start: usize,
    /// The claims of a JWT. The token is opaque without them.
    claims: Option<DecodedToken>,
    is_cut: bool,
}

/// Why a paste is not a token. Contains nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasteDefect {
    /// Nothing, or only white space and quotation marks.
    #[error("there is no token in it")]
    Empty,
    /// Not UTF-8.
    #[error("it is not text")]
    NotText,
    /// Several words.
    #[error("it is a text with spaces, not a token: copy the token alone")]
    Prose,
    /// An object or a list, perhaps with a token in it.
    #[error("it is JSON, not a token: copy the token alone")]
    Json,
    /// Lines that are not those of a wrapped JWT.
    #[error(
        "it has several lines, which together are not a token: copy the token alone, to its very end"
    )]
    SeveralLines,
    /// The token cannot be sent in a header.
    #[error("{0}")]
    Unsendable(ResponseDefect),
}

impl PastedToken {
    /// Removes quotation marks, line breaks and `Bearer` from around the token.
    ///
    /// # Errors
    /// There is no token that could be sent. Its claims never matter.
    pub(super) fn read(text: &[u8], field: &TokenField) -> Result<Self, PasteDefect> {
        let text = std::str::from_utf8(text).map_err(|_| PasteDefect::NotText)?;
        let text = zeroize::Zeroizing::new(bare_text(text));
        let token = zeroize::Zeroizing::new(text.lines().map(str::trim).collect::<String>());
        if token.is_empty() {
            return Err(PasteDefect::Empty);
        }
        if token.starts_with(['{', '[']) {
            return Err(PasteDefect::Json);
        }
        if token.contains(char::is_whitespace) {
            return Err(PasteDefect::Prose);
        }
        let claims = decode(&token);
        // A terminal or a mail may have wrapped a long token, but other lines are not its parts.
        if claims.is_none() && text.lines().count() > 1 {
            return Err(PasteDefect::SeveralLines);
        }
        let (header, token_start) =
            bearer_header(&token, field).map_err(PasteDefect::Unsendable)?;
        Ok(Self {
            header,
            token_start,
            is_cut: is_cut(&token, claims.as_ref()),
            claims,
        })
    }

    /// When the token says that it expires. Without this it lasts until the API rejects it.
    pub(super) fn end(&self) -> Option<SystemTime> {
        self.claims.as_ref()?.time("exp")
    }

    /// The claims, unless the token is opaque.
    pub(super) fn claims(&self) -> Option<&Map<String, Value>> {
        Some(&self.claims.as_ref()?.claims)
    }

    /// Who the token was issued to, as a person reads it.
    pub(super) fn name(&self) -> Option<String> {
        name_in(self.claims.as_ref()?)
    }

    /// Who the token was issued to, as a server knows that person.
    pub(super) fn subject(&self) -> Option<String> {
        subject_in(self.claims.as_ref()?)
    }

    /// What speaks against the token by itself, for a person: never enough to reject it.
    pub(super) fn doubts(&self, now: SystemTime) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.is_cut {
            doubts.push("it looks cut short: copy it again, to its very end".to_owned());
        }
        let claims = self.claims.as_ref();
        if claims.is_some_and(|claims| claims.has_unreadable_time("exp")) {
            doubts.push("its exp is not a number, so nobody knows when it ends".to_owned());
        }
        if let Some(end) = self.end()
            && end <= now
        {
            doubts.push(format!(
                "it expired at {}, by this machine's clock",
                humantime::format_rfc3339_seconds(end)
            ));
        }
        doubts
    }
}

/// The text without what may stand around a token.
fn bare_text(text: &str) -> String {
    let mut text = text.to_owned();
    for invisible in INVISIBLE {
        text = text.replace(invisible, "");
    }
    let mut rest = text.as_str();
    loop {
        let before = rest.len();
        rest = rest.trim_matches(|letter: char| letter.is_whitespace() || QUOTES.contains(&letter));
        for prefix in ["authorization:", "bearer"] {
            let head = rest.get(..prefix.len());
            if head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)) {
                let after = &rest[prefix.len()..];
                // A token may begin with these letters too.
                if prefix.ends_with(':')
                    || after.is_empty()
                    || after.starts_with(char::is_whitespace)
                {
                    rest = after;
                }
            }
        }
        if rest.len() == before {
            break;
        }
    }
    rest.to_owned()
}

/// Whether something that begins like a JWT has lost its end.
fn is_cut(token: &str, decoded: Option<&DecodedToken>) -> bool {
    let Some(decoded) = decoded else {
        return token.starts_with("eyJ"); // `{"`, with which the header of every JWT begins
    };
    let signature = token.rsplit('.').next().unwrap_or_default();
    let least = match decoded.header.get("alg").and_then(Value::as_str) {
        Some("RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512") => 342, // a key of 2,048 bits
        Some("ES256" | "EdDSA" | "HS512") => 86,
        Some("ES384") => 128,
        Some("ES512") => 176,
        Some("HS256") => 43,
        Some("HS384") => 64,
        Some(_) | None => 1,
    };
    signature.len() < least
}

#[cfg(test)]
mod tests;
