//! The token of an attempt, which is checked again whenever the attempt has waited before its head is written.

use http::{HeaderMap, Request};
use http_body::Body as _;
use tokio::time::Instant;

use super::errors::ForwardError;
use super::request_body::{ReplayableBody, UpstreamRequestBody};
use super::request_head::{RequestHead, RequestTemplate};
use crate::token::{Bearer, Tokens};
use crate::upstream::RequestRenewal;

/// What an attempt sends as its body.
pub(super) enum AttemptBody<'a> {
    Empty,
    First(&'a mut ReplayableBody),
    /// The one after a 401, of which no copy is kept.
    Replay,
}

impl AttemptBody<'_> {
    /// That of the attempt after a 401.
    pub(super) fn of_replay(body: &UpstreamRequestBody) -> Self {
        if body.is_end_stream() {
            Self::Empty
        } else {
            Self::Replay
        }
    }
}

/// A request on its way to the upstream, and the token that it carries.
pub(super) struct AuthorizedRequest<'a> {
    pub(super) tokens: &'a Tokens,
    pub(super) template: &'a RequestTemplate,
    pub(super) head: &'a RequestHead,
    /// The token that the request carries now.
    pub(super) bearer: &'a mut Bearer,
    pub(super) body: AttemptBody<'a>,
}

impl RequestRenewal<UpstreamRequestBody> for AuthorizedRequest<'_> {
    type Error = ForwardError;

    /// A token that has expired meanwhile is never sent, and the request is never sent for another person than before:
    /// it waits for the next token, or is answered with a 503.
    async fn renew(&mut self, headers: &mut HeaderMap) -> Result<(), ForwardError> {
        let asked = Instant::now();
        let current = self.tokens.bearer_after(self.bearer).await?;
        // The wait for a token is not the upstream's time.
        self.bearer.at += current.at.saturating_duration_since(asked);
        if current.generation != self.bearer.generation {
            self.template.attach(headers, &current);
            self.bearer.header = current.header;
            self.bearer.generation = current.generation;
        }
        Ok(())
    }

    /// The upstream may have carried out the request, so only one with a safe method and without a body is sent again.
    fn copy(&mut self) -> Option<Request<UpstreamRequestBody>> {
        self.template.retry(self.head, self.bearer)
    }

    fn restart(&mut self) -> Option<Request<UpstreamRequestBody>> {
        let body = match &mut self.body {
            AttemptBody::First(body) => body.restart()?,
            AttemptBody::Empty => UpstreamRequestBody::Empty,
            AttemptBody::Replay => return None,
        };
        Some(self.template.request(self.head, self.bearer, body))
    }
}
