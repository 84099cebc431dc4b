//! The life of a forwarded request, in the order it happens.
//!
//! Reads: `guard` (may it pass), `token` (a bearer), `upstream` (one send, and one more after a 401).
//! Never collects a body (but for `OpenAPI` documents, in `rewrite`), never starts a task: dropping the
//! returned future is how a client's disconnect reaches the upstream.

mod access;
mod account;
mod admission;
mod authorize;
mod body;
mod current;
mod edge;
mod errors;
mod headers;
mod loops;
mod replay;
mod rewrite;
mod shed;
mod trace;
mod trailers;
mod upgrade;

use std::any::Any;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response};

use crate::config;
use crate::guard::{Guard, Peer};
use crate::metrics::Metrics;
use crate::problem::ProblemFormat;
use crate::token::{Bearer, Tokens};
use crate::upstream::{self, SendError, Upstream};

use admission::Admission;
use authorize::Sent;
use body::Outbound;
use errors::{Failure, ForwardError};
use headers::Head;
use replay::Upload;
use rewrite::Rewrite;
use upgrade::Switch;

pub use access::AccessLines;
pub use account::Account;
pub use body::{Body, Inbound};
pub use current::Current;
pub use edge::service;
pub use loops::{Pseudonym, own_listener};
pub use shed::saturated;
pub use upgrade::CarryTunnel;

/// One proxy's data path on one worker.
pub struct Proxy<I: Inbound> {
    guard: Guard,
    metrics: Arc<Metrics>,
    admission: Admission,
    tokens: Tokens,
    upstream: Upstream<Outbound<I>>,
    pseudonym: Pseudonym,
    outgoing: headers::Outgoing,
    rewrite: Rewrite,
    carry_tunnel: CarryTunnel,
    /// `upstream.retry_body`, in bytes.
    retry_body: usize,
    _held: Arc<dyn Any + Send + Sync>,
}

/// What stands in a forwarded request's way, and what it passes through.
pub struct Parts {
    /// Who may do what.
    pub guard: Guard,
    /// How many at a time, over all workers: `limits.in_flight`.
    pub in_flight: usize,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The bearer.
    pub tokens: Tokens,
    /// Where an upgraded connection lives on.
    pub carry_tunnel: CarryTunnel,
    /// By which a request that comes back is known.
    pub pseudonym: Pseudonym,
    /// What must live as long as a request that has begun here: the token's task, for one.
    pub held: Arc<dyn Any + Send + Sync>,
}

impl<I: Inbound> Proxy<I> {
    /// A data path to the upstream of `config`. Must be called on the runtime that will forward.
    #[must_use]
    pub fn new(parts: Parts, config: &config::UpstreamConfig, tls: &rustls::ClientConfig) -> Self {
        Self {
            guard: parts.guard,
            admission: Admission::new(parts.metrics.in_flight().clone(), parts.in_flight),
            tokens: parts.tokens,
            upstream: Upstream::new(config, tls, Arc::clone(&parts.metrics)),
            metrics: parts.metrics,
            outgoing: headers::Outgoing::new(config, &parts.pseudonym),
            pseudonym: parts.pseudonym,
            rewrite: Rewrite::new(config),
            carry_tunnel: parts.carry_tunnel,
            retry_body: config.retry_body,
            _held: parts.held,
        }
    }

    /// Closes the connections that wait for a request: what they were connected to may be gone.
    pub fn drop_idle_connections(&self) {
        self.upstream.drop_idle();
    }

    async fn forward(
        self: Arc<Self>,
        request: Request<I>,
        peer: Peer,
    ) -> Result<Response<Body<I>>, Failure> {
        let admitted = self
            .guard
            .check(&request, &peer)
            .map_err(Failure::refused)?;
        if let Some(answer) = admitted.preflight(request.headers()) {
            return Ok(answer.map(Body::ours));
        }
        let (mut head, body) = Head::of(request);
        if head.on_upgrade.is_some() {
            head.lease = self.guard.lease(&head.headers, &peer);
        }
        let document = self.rewrite.expects_document(&mut head);
        // Pinned where it stands: what is awaited as a value is copied twice.
        let mut answered = pin!(self.forward_admitted(&mut head, body, document)).await;
        let cors = admitted.cors().clone();
        let mut caller = admitted.into_caller();
        if let Ok(response) = &mut answered {
            cors.apply(response.headers_mut());
            response.body_mut().set_caller(caller.take());
        }
        answered.map_err(|error| Failure {
            format: ProblemFormat::preferred_by(&head.method, &head.headers),
            caller,
            cors,
            error,
        })
    }

    /// The page to read: one line a step.
    async fn forward_admitted(
        &self,
        head: &mut Head,
        body: I,
        document: bool,
    ) -> Result<Response<Body<I>>, ForwardError> {
        self.pseudonym.check(&head.headers)?;
        let permit = self.admission.enter()?;
        let bearer = authorize::bearer(&self.tokens).await?;
        if let Some(switch) = Switch::wanted_by(head) {
            return Box::pin(self.upgrade(head, switch, bearer, permit)).await;
        }
        let upload = Upload::of(body, self.retry_body, head.uploaded.take());
        let mut response = pin!(self.send(head, &bearer, upload.first())).await?;
        let mut sent = Sent::once(&bearer);
        if authorize::is_rejected(&response) {
            (response, sent) = Box::pin(self.rejected(head, &bearer, upload, response)).await?;
        } else {
            upload.let_go();
        }
        headers::strip_response(response.headers_mut());
        errors::note_not_replayed(sent, response.headers_mut());
        self.rewrite.fields(head, response.headers_mut());
        let mut response = if document {
            Box::pin(self.rewrite.document(head, response, permit)).await
        } else {
            Body::upstream(response, permit)
        };
        response.body_mut().set_sent(sent);
        Ok(response)
    }

    /// The token was refused: the request goes out once more with a newer one, or its 401 goes back.
    async fn rejected(
        &self,
        head: &Head,
        bearer: &Bearer,
        upload: Upload<I>,
        response: Response<UpstreamBody<I>>,
    ) -> Result<(Response<UpstreamBody<I>>, Sent), SendError> {
        let body = upload.freeze();
        let (newer, body) = match authorize::once_more(&self.tokens, bearer, body).await {
            Ok(allowed) => allowed,
            Err(why) => return Ok((response, Sent::not_replayed(bearer, why))),
        };
        drop(response); // and its connection, on which the first attempt may still lie half sent
        let response = self.send(head, &newer, body).await?;
        authorize::verdict(&self.tokens, &response);
        Ok((response, Sent::twice(&newer)))
    }

    /// One attempt, up to the head of its answer.
    fn send<'a>(
        &'a self,
        head: &'a Head,
        bearer: &'a Bearer,
        body: Outbound<I>,
    ) -> impl Future<Output = Result<Response<UpstreamBody<I>>, SendError>> + Send + 'a {
        let request = self.outgoing.request(head, bearer, body);
        let again = || self.outgoing.again(head, bearer);
        self.upstream.send(bearer.at, request, again)
    }
}

/// The body of an upstream's answer, as this room passes it on.
type UpstreamBody<I> = upstream::ResponseBody<Outbound<I>>;
