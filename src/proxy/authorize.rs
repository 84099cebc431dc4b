//! The token of an attempt, which is checked again whenever the attempt has waited before its head is written.

use http::{HeaderMap, Request};
use tokio::time::Instant;

use super::errors::ForwardError;
use super::request_body::UpstreamRequestBody;
use super::request_head::{RequestHead, RequestTemplate};
use crate::token::{Bearer, Tokens};
use crate::upstream::RequestRenewal;

/// A request on its way to the upstream, and the token that it carries.
pub(super) struct AuthorizedRequest<'a> {
    pub(super) tokens: &'a Tokens,
    pub(super) template: &'a RequestTemplate,
    pub(super) head: &'a RequestHead,
    /// The token that the request carries now.
    pub(super) bearer: &'a mut Bearer,
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
}
