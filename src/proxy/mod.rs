//! The life of a forwarded request, in the order it happens.
//!
//! Reads: `guard` (may it pass), `token` (a bearer), `upstream` (one send). Never collects a body
//! (but for `OpenAPI` documents, in `rewrite`), never starts a task: dropping the returned future is how a
//! client's disconnect reaches the upstream.

mod access;
mod admission;
mod authorize;
mod body;
mod edge;
mod errors;
mod headers;
mod loops;
mod rewrite;
mod trailers;

use std::sync::Arc;

use http::{Request, Response};

use crate::answer::Form;
use crate::config;
use crate::guard::Guard;
use crate::token::Tokens;
use crate::upstream::{self, Upstream};

use admission::Admission;
use errors::{Failure, ForwardError};
use headers::Head;
use rewrite::Rewrite;

pub use access::AccessLines;
pub use admission::InFlight;
pub use body::{Body, Inbound};
pub use edge::service;
pub use loops::{Pseudonym, own_listener};

/// One proxy's data path on one worker.
pub struct Proxy<I: Inbound> {
    guard: Guard,
    admission: Admission,
    tokens: Tokens,
    upstream: Upstream<body::Outbound<I>>,
    pseudonym: Pseudonym,
    outgoing: headers::Outgoing,
    rewrite: Rewrite,
}

/// What stands in a forwarded request's way, and what it passes through.
pub struct Parts {
    /// Who may do what.
    pub guard: Guard,
    /// How many at a time, over all workers.
    pub in_flight: Arc<InFlight>,
    /// The bearer.
    pub tokens: Tokens,
    /// By which a request that comes back is known.
    pub pseudonym: Pseudonym,
}

impl<I: Inbound> Proxy<I> {
    /// A data path to the upstream of `config`. Must be called on the runtime that will forward.
    #[must_use]
    pub fn new(parts: Parts, config: &config::Upstream, tls: &rustls::ClientConfig) -> Self {
        Self {
            guard: parts.guard,
            admission: Admission::new(parts.in_flight),
            tokens: parts.tokens,
            upstream: Upstream::new(config, tls),
            outgoing: headers::Outgoing::new(config, &parts.pseudonym),
            pseudonym: parts.pseudonym,
            rewrite: Rewrite::new(config),
        }
    }

    /// Closes the connections that wait for a request: what they were connected to may be gone.
    pub fn drop_idle_connections(&self) {
        self.upstream.drop_idle();
    }

    async fn forward(&self, request: Request<I>) -> Result<Response<Body<I>>, Failure> {
        if let Err(refusal) = self.guard.check(&request).map(drop) {
            return Err(Failure::refused(refusal));
        }
        let (mut head, body) = Head::of(request);
        let document = self.rewrite.expects_document(&mut head);
        self.forward_admitted(&head, body, document)
            .await
            .map_err(|error| Failure {
                form: Form::wanted_by(&head.method, &head.headers),
                error,
            })
    }

    /// The page to read: one line a step.
    async fn forward_admitted(
        &self,
        head: &Head,
        body: I,
        document: bool,
    ) -> Result<Response<Body<I>>, ForwardError> {
        self.pseudonym.check(&head.headers)?;
        let permit = self.admission.enter()?;
        let bearer = authorize::bearer(&self.tokens).await?;
        let request = self
            .outgoing
            .request(head, &bearer, body::Outbound::of(body));
        let again = || self.outgoing.again(head, &bearer);
        let mut response = self.upstream.send(request, again).await?;
        headers::strip_response(response.headers_mut());
        self.rewrite.fields(head, response.headers_mut());
        if document {
            return Ok(Box::pin(self.rewrite.document(head, response, permit)).await);
        }
        Ok(response.map(|body| Body::upstream(body, permit)))
    }
}

/// The body of an upstream's answer, as this room passes it on.
type UpstreamBody<I> = upstream::ResponseBody<body::Outbound<I>>;
