//! The life of a forwarded request, in the order it happens.
//!
//! Reads: `guard` (may it pass), `token` (a bearer), `upstream` (one send). Never collects a body,
//! never starts a task: dropping the returned future is how a client's disconnect reaches the upstream.

mod access;
mod admission;
mod authorize;
mod body;
mod edge;
mod errors;
mod headers;
mod upgrade;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::answer::Form;
use crate::config;
use crate::guard::Guard;
use crate::token::{Bearer, Tokens};
use crate::upstream::{self, Upgrade, Upstream};

use admission::{Admission, Permit};
use errors::{Failure, ForwardError};
use headers::Head;

pub use access::AccessLines;
pub use admission::InFlight;
pub use body::{Body, Inbound};
pub use edge::service;
pub use upgrade::CarryTunnel;

/// One proxy's data path on one worker.
pub struct Proxy<I: Inbound> {
    guard: Guard,
    admission: Admission,
    tokens: Tokens,
    upstream: Upstream<body::Outbound<I>>,
    outgoing: headers::Outgoing,
    carry_tunnel: CarryTunnel,
}

/// What stands in a forwarded request's way, and what it passes through.
pub struct Parts {
    /// Who may do what.
    pub guard: Guard,
    /// How many at a time, over all workers.
    pub in_flight: Arc<InFlight>,
    /// The bearer.
    pub tokens: Tokens,
    /// Where an upgraded connection lives on.
    pub carry_tunnel: CarryTunnel,
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
            outgoing: headers::Outgoing::new(config),
            carry_tunnel: parts.carry_tunnel,
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
        self.forward_admitted(&mut head, body)
            .await
            .map_err(|error| Failure {
                form: Form::wanted_by(&head.method, &head.headers),
                error,
            })
    }

    /// The page to read: one line a step.
    async fn forward_admitted(
        &self,
        head: &mut Head,
        body: I,
    ) -> Result<Response<Body<I>>, ForwardError> {
        let permit = self.admission.enter()?;
        let bearer = authorize::bearer(&self.tokens).await?;
        if upgrade::wanted(head).is_some() {
            return Box::pin(self.upgrade(head, bearer, permit)).await;
        }
        let request = self
            .outgoing
            .request(head, &bearer, body::Outbound::of(body));
        let again = || self.outgoing.again(head, &bearer);
        let mut response = self.upstream.send(request, again).await?;
        headers::strip_response(response.headers_mut());
        Ok(response.map(|body| Body::upstream(body, permit)))
    }
}

impl<I: Inbound> Proxy<I> {
    /// A request that asks to switch protocols: a 101 becomes a tunnel, anything else is an answer.
    async fn upgrade(
        &self,
        head: &mut Head,
        bearer: Bearer,
        permit: Permit,
    ) -> Result<Response<Body<I>>, ForwardError> {
        let mut request = self.outgoing.request(head, &bearer, body::Outbound::Empty);
        let protocol = upgrade::wanted(head).cloned();
        let (Some(protocol), Some(client)) = (protocol, head.on_upgrade.take()) else {
            unreachable!("only called for a request that asks");
        };
        upgrade::ask(&mut request, &protocol);
        match self.upstream.upgrade(request).await? {
            Upgrade::Switched(mut response, tunnel) => {
                headers::strip_response(response.headers_mut());
                upgrade::answer(&mut response, &protocol);
                (self.carry_tunnel)(Box::pin(upgrade::carry(client, tunnel, permit)));
                Ok(response.map(|()| Body::ours(Bytes::new())))
            }
            Upgrade::Answered(mut response) => {
                headers::strip_response(response.headers_mut());
                upgrade::refuse(&mut response);
                Ok(response.map(|body| Body::upstream(body, permit)))
            }
        }
    }
}

/// The body of an upstream's answer, as this room passes it on.
type UpstreamBody<I> = upstream::ResponseBody<body::Outbound<I>>;
