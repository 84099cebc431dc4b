//! A bearer for this request, or the reason why it goes no further: nothing is ever sent without one.
//! And what a 401 from the upstream means: one more attempt with a newer bearer, or none.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};
use tokio::time::Instant;

use super::body::{Inbound, Outbound};
use super::replay::Frozen;
use crate::token::{Bearer, NoNewerToken, TokenUnavailable, Tokens};

/// At once if there is a usable token, else after at most `token.wait`.
pub(super) async fn bearer(tokens: &Tokens) -> Result<Bearer, TokenUnavailable> {
    match tokens.usable() {
        Some(bearer) => Ok(bearer),
        None => Box::pin(tokens.bearer()).await, // seldom
    }
}

/// With which token a request went out, and what became of a 401.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// The last attempt's token.
    pub(super) generation: u64,
    /// When the last attempt began.
    pub(super) asked: Instant,
    /// `None` without a 401 that a newer token might have cured.
    pub(super) replayed: Option<Result<(), NotReplayed>>,
}

/// Why a 401 went back although a newer token might have cured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotReplayed {
    /// More of the body had been taken than `upstream.retry_body`.
    Outgrown,
    /// Forced refreshes are paused.
    Paused,
    /// The token endpoint gave none.
    Failed,
    /// It gave none within `token.wait`.
    Late,
}

impl Sent {
    pub(super) const fn once(bearer: &Bearer) -> Self {
        Self {
            generation: bearer.generation,
            asked: bearer.at,
            replayed: None,
        }
    }

    pub(super) const fn twice(bearer: &Bearer) -> Self {
        Self {
            generation: bearer.generation,
            asked: bearer.at,
            replayed: Some(Ok(())),
        }
    }

    pub(super) const fn not_replayed(bearer: &Bearer, why: NotReplayed) -> Self {
        Self {
            generation: bearer.generation,
            asked: bearer.at,
            replayed: Some(Err(why)),
        }
    }
}

/// Whether the upstream refused the token as such: 401, and not for want of a scope, which no newer
/// token of the same grant would have either.
pub(super) fn is_rejected<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED && !wants_scope(response.headers())
}

/// What one more attempt needs: a newer token and the whole body. Waits for the first even where the
/// second is lost, so that a caller who tries again at once does not run into the same 401.
pub(super) async fn once_more<I: Inbound>(
    tokens: &Tokens,
    rejected: &Bearer,
    body: Frozen<I>,
) -> Result<(Bearer, Outbound<I>), NotReplayed> {
    let newer = tokens.newer_than(rejected.generation).await;
    let body = body.again().ok_or(NotReplayed::Outgrown)?;
    let newer = newer.map_err(|none| match none {
        NoNewerToken::Paused { .. } => NotReplayed::Paused,
        NoNewerToken::Failed { .. } => NotReplayed::Failed,
        NoNewerToken::Late { .. } => NotReplayed::Late,
    })?;
    Ok((newer, body))
}

/// Tells the token room what the upstream said to the newer token.
pub(super) fn verdict<B>(tokens: &Tokens, response: &Response<B>) {
    tokens.replayed(response.status() != StatusCode::UNAUTHORIZED);
}

/// Whether any challenge says `error=insufficient_scope` (RFC 6750 3.1).
fn wants_scope(headers: &HeaderMap) -> bool {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .any(|line| says_insufficient_scope(line.as_bytes()))
}

/// Reads a line of challenges (RFC 9110 11.6.1) only as far as to tell a parameter from what stands
/// inside somebody's quotes.
fn says_insufficient_scope(line: &[u8]) -> bool {
    let mut rest = line;
    let mut name: &[u8] = b"";
    let mut is_value = false;
    while let Some((piece, after)) = next_piece(rest) {
        rest = after;
        match piece {
            Piece::Equals => is_value = true,
            Piece::Comma => (name, is_value) = (b"", false),
            Piece::Text(value) if is_value => {
                if name.eq_ignore_ascii_case(b"error") && value == b"insufficient_scope" {
                    return true;
                }
                (name, is_value) = (b"", false);
            }
            Piece::Text(word) => name = word,
        }
    }
    false
}

/// A piece of a line of challenges.
enum Piece<'a> {
    Equals,
    Comma,
    /// A word, or what stands between two quotes.
    Text(&'a [u8]),
}

fn next_piece(line: &[u8]) -> Option<(Piece<'_>, &[u8])> {
    let line = line.trim_ascii_start();
    let (first, rest) = line.split_first()?;
    Some(match first {
        b'=' => (Piece::Equals, rest),
        b',' => (Piece::Comma, rest),
        b'"' => {
            let end = end_of_quoted(rest);
            (
                Piece::Text(&rest[..end]),
                rest.get(end + 1..).unwrap_or_default(),
            )
        }
        _ => {
            let is_word = |byte: &u8| !matches!(byte, b'=' | b',' | b'"' | b' ' | b'\t');
            let end = line.iter().take_while(|byte| is_word(byte)).count();
            (Piece::Text(&line[..end]), &line[end..])
        }
    })
}

/// Where the closing quote stands, or the end; a backslash hides what follows it.
fn end_of_quoted(text: &[u8]) -> usize {
    let mut hidden = false;
    text.iter()
        .position(|byte| {
            let is_end = *byte == b'"' && !hidden;
            hidden = *byte == b'\\' && !hidden;
            is_end
        })
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
