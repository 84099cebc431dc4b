//! The life of a forwarded request, in the order in which it happens: start reading at [`Proxy::forward_admitted`].
//!
//! Uses `guard` (may it pass), `token` (a bearer) and `upstream` (one send, and one more after a 401). It never
//! collects a body, except for `OpenAPI` documents in `rewrite`. It never starts a task: dropping the returned future
//! is how a client's disconnect reaches the upstream.

mod access_logger;
mod access_record;
mod access_sink;
mod attempt;
mod authorize;
mod challenge;
mod errors;
mod header_lines;
mod hop_by_hop;
mod in_flight_limit;
mod login_redirect;
mod loop_detection;
mod not_replayed;
mod origin_ref;
mod replay;
mod request_body;
mod request_head;
mod response_body;
mod rewrite;
mod service;
mod trace;
mod trailers;
mod unserved;
mod upgrade;

use std::any::Any;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

use crate::config;
use crate::guard::{Guard, Peer};
use crate::metrics::Metrics;
use crate::problem::ProblemFormat;
use crate::server::RequestBody;
use crate::token::{Bearer, TokenUnavailable, Tokens};
use crate::upstream::{Upgrade, Upstream};

use attempt::LastAttempt;
use authorize::{AttemptBody, AuthorizedRequest};
use errors::{ForwardError, ForwardFailure};
use in_flight_limit::{InFlightLimit, Permit};
use login_redirect::login_redirect;
use not_replayed::NotReplayed;
use request_body::{ReclaimedBody, ReplayableBody, UpstreamRequestBody};
use request_head::{RequestHead, RequestTemplate};
use response_body::UpstreamResponseBody;
use rewrite::Rewrite;
use service::{Forwarded, IdentifiedRequest, RequestService};
use upgrade::{ClientUpgrade, unauthorized};

pub use access_logger::AccessLogger;
pub use access_record::AccessLines;
pub use loop_detection::ViaName;
pub use response_body::ClientResponseBody;
pub use rewrite::DocumentStore;
pub use unserved::{GuardView, UnservedResponder};
pub use upgrade::CarryTunnel;

/// One proxy's data path on one worker.
pub struct Proxy {
    guard: Guard,
    metrics: Arc<Metrics>,
    in_flight_limit: InFlightLimit,
    login_pages: Option<config::LoginPages>,
    tokens: Tokens,
    upstream: Upstream<UpstreamRequestBody>,
    via_name: ViaName,
    request_template: RequestTemplate,
    rewrite: Rewrite,
    carry_tunnel: CarryTunnel,
    /// `upstream.retry_body`, in bytes.
    retry_body: usize,
    _keep_alive: Arc<dyn Any + Send + Sync>,
}

/// What a proxy needs besides the configuration of its upstream.
pub struct Dependencies {
    /// Decides which requests are admitted.
    pub guard: Guard,
    /// `limits.in_flight`, over all workers.
    pub in_flight: usize,
    /// Where requests and connections are counted.
    pub metrics: Arc<Metrics>,
    /// Where the bearer comes from.
    pub tokens: Tokens,
    /// How requests carry it.
    pub token_field: config::TokenField,
    /// The API's own pages for signing in, if it has any.
    pub login_pages: Option<config::LoginPages>,
    /// Runs the tunnel of an upgraded connection.
    pub carry_tunnel: CarryTunnel,
    /// The `Via` name that identifies a request that loops back to this proxy.
    pub via_name: ViaName,
    /// The `OpenAPI` documents in memory, over all workers.
    pub documents: Arc<DocumentStore>,
    /// Whether clients need the key of a caller, as `OpenAPI` documents then say.
    pub asks_for_key: bool,
    /// What must live as long as any request in flight here, such as the token's task.
    pub keep_alive: Arc<dyn Any + Send + Sync>,
}

/// The data path that new requests of one worker take. It can be replaced while it is in use: requests in flight keep
/// the one that they started with.
pub struct CurrentProxy(ArcSwap<Proxy>);

impl CurrentProxy {
    /// New requests take `proxy`.
    #[must_use]
    pub fn new(proxy: Proxy) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(proxy)))
    }

    /// The data path that new requests take now.
    #[must_use]
    pub fn get(&self) -> Arc<Proxy> {
        self.0.load_full()
    }

    /// Makes every new request use `proxy`, on open connections too.
    pub fn replace(&self, proxy: Proxy) {
        self.0.store(Arc::new(proxy));
    }
}

/// The service for one connection. Each request takes the data path that is current when it arrives.
pub fn service(
    current: &Arc<CurrentProxy>,
    peer: Peer,
    access_logger: &Arc<AccessLogger>,
) -> impl tower::Service<
    Request<RequestBody>,
    Response = Response<ClientResponseBody>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ use<> {
    let (current, uid) = (Arc::clone(current), peer.uid);
    let forward = tower::service_fn(move |request| current.get().forward(request, peer.clone()));
    RequestService::new(forward, Arc::clone(access_logger), uid)
}

impl Proxy {
    /// A data path to the upstream of `config`. It must be created on the runtime that will use it.
    #[must_use]
    pub fn new(
        dependencies: Dependencies,
        config: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
    ) -> Self {
        let metrics = dependencies.metrics;
        Self {
            guard: dependencies.guard,
            in_flight_limit: InFlightLimit::new(
                metrics.in_flight().clone(),
                dependencies.in_flight,
            ),
            login_pages: dependencies.login_pages,
            tokens: dependencies.tokens,
            upstream: Upstream::new(config, tls, Arc::clone(&metrics)),
            metrics,
            request_template: RequestTemplate::new(
                config,
                &dependencies.token_field,
                &dependencies.via_name,
            ),
            via_name: dependencies.via_name,
            rewrite: Rewrite::new(
                config,
                dependencies.documents,
                dependencies.asks_for_key,
                &dependencies.token_field,
            ),
            carry_tunnel: dependencies.carry_tunnel,
            retry_body: config.retry_body,
            _keep_alive: dependencies.keep_alive,
        }
    }

    /// Closes the idle connections to the upstream, whose other ends may no longer exist.
    pub fn drop_idle_connections(&self) {
        self.upstream.drop_idle();
    }

    async fn forward(
        self: Arc<Self>,
        identified: IdentifiedRequest<RequestBody>,
        peer: Peer,
    ) -> Result<Forwarded, ForwardFailure> {
        let IdentifiedRequest { request, id } = identified;
        let admitted = self
            .guard
            .check(&request, &peer)
            .map_err(ForwardFailure::refused)?;
        if let Some(response) = admitted.preflight(request.headers()) {
            return Ok(Forwarded::generated(response, None));
        }
        if let Some(pages) = &self.login_pages
            && let Some(mut response) = login_redirect(pages, &request)
        {
            admitted.cors().apply(response.headers_mut());
            return Ok(Forwarded::generated(response, admitted.into_caller()));
        }
        let (mut head, body) = RequestHead::of(request, id, peer.scheme);
        if head.on_upgrade.is_some() {
            head.lease = self.guard.lease(&head.headers, &peer);
        }
        let expects_document = self.rewrite.expects_document(&mut head);
        // Pinned here, because awaiting a future by value copies it twice.
        let mut forwarded = pin!(self.forward_admitted(&mut head, body, expects_document)).await;
        let cors = admitted.cors().clone();
        let asks_upgrade = admitted.asks_upgrade();
        let mut caller = admitted.into_caller();
        if let Ok(forwarded) = &mut forwarded {
            cors.apply(forwarded.response.headers_mut());
            forwarded.caller = caller.take();
            forwarded.asks_upgrade = asks_upgrade;
        }
        forwarded.map_err(|error| ForwardFailure {
            format: ProblemFormat::preferred_by(&head.method, &head.headers),
            caller,
            asks_upgrade,
            cors,
            error,
        })
    }

    /// The main path: one line for each step.
    async fn forward_admitted(
        &self,
        head: &mut RequestHead,
        body: RequestBody,
        expects_document: bool,
    ) -> Result<Forwarded, ForwardError> {
        self.via_name.check(&head.headers)?;
        let permit = self.in_flight_limit.acquire()?;
        // First, so that a tunnel whose token is forgotten meanwhile ends too.
        let session = head.on_upgrade.as_ref().and_then(|_| self.tokens.session());
        let mut bearer = self.bearer().await?;
        if let Some(mut upgrade) = ClientUpgrade::requested_by(head) {
            upgrade.session = session;
            let upgrading = self.upgrade(head, upgrade, expects_document, bearer, permit);
            return Box::pin(upgrading).await;
        }
        let mut body = ReplayableBody::new(body, self.retry_body, head.upload_counter.take());
        let first = body.first_attempt();
        let kept = AttemptBody::First(&mut body);
        let mut response = pin!(self.send(head, &mut bearer, first, kept)).await?;
        let mut attempt = LastAttempt::first(&bearer);
        if response.status() == StatusCode::UNAUTHORIZED {
            (response, attempt) = Box::pin(self.replay(head, &bearer, body, response)).await?;
        } else {
            body.discard_copy();
            if response.status().is_success() {
                self.tokens.accepted(bearer.generation);
            }
        }
        self.finish_head(head, attempt, response.headers_mut());
        let response = if expects_document {
            attempt.note_head();
            Box::pin(self.rewrite.document(head, response)).await
        } else {
            ClientResponseBody::streamed(response)
        };
        Ok(Forwarded {
            response,
            attempt: Some(attempt),
            caller: None,
            asks_upgrade: false,
            permit: Some(permit),
        })
    }

    /// Immediately if there is a usable token, otherwise after at most `token.wait`. Nothing is ever sent without one.
    async fn bearer(&self) -> Result<Bearer, TokenUnavailable> {
        match self.tokens.usable() {
            Some(bearer) => Ok(bearer),
            None => Box::pin(self.tokens.bearer()).await, // rare
        }
    }

    /// One attempt, up to the head of its response. `bearer` becomes the one that was sent last.
    fn send<'a>(
        &'a self,
        head: &'a RequestHead,
        bearer: &'a mut Bearer,
        body: UpstreamRequestBody,
        kept: AttemptBody<'a>,
    ) -> impl Future<Output = Result<Response<UpstreamResponseBody>, ForwardError>> + Send + 'a
    {
        let request = self.request_template.request(head, bearer, body);
        let now = bearer.at;
        self.upstream
            .send(now, request, self.authorized(head, bearer, kept))
    }

    fn authorized<'a>(
        &'a self,
        head: &'a RequestHead,
        bearer: &'a mut Bearer,
        body: AttemptBody<'a>,
    ) -> AuthorizedRequest<'a> {
        AuthorizedRequest {
            tokens: &self.tokens,
            template: &self.request_template,
            head,
            bearer,
            body,
        }
    }

    /// The upstream responded with a 401: if that is about the token, the request is sent once more with a newer one,
    /// otherwise the 401 is passed on.
    async fn replay(
        &self,
        head: &RequestHead,
        rejected: &Bearer,
        body: ReplayableBody,
        response: Response<UpstreamResponseBody>,
    ) -> Result<(Response<UpstreamResponseBody>, LastAttempt), ForwardError> {
        let mut first = LastAttempt::first(rejected);
        first.note_head();
        if let Err(why) = self.check_cause(head, response.headers()) {
            body.discard_copy();
            return Ok((response, first.not_replayed(why)));
        }
        let (route, body) = (head.route(), body.reclaim());
        let (mut newer, body) = match replay::prepare(&self.tokens, rejected, route, body).await {
            Ok(prepared) => prepared,
            Err(why) => return Ok((response, first.not_replayed(why))),
        };
        drop(response); // and its connection, which may have sent only a part of the first attempt
        let kept = AttemptBody::of_replay(&body);
        let response = self.send(head, &mut newer, body, kept).await?;
        let is_accepted = response.status() != StatusCode::UNAUTHORIZED;
        self.tokens.replayed(newer.generation, route, is_accepted);
        Ok((response, LastAttempt::replayed(&newer)))
    }

    /// The final changes to the head of every response of the upstream.
    fn finish_head(&self, head: &RequestHead, attempt: LastAttempt, headers: &mut HeaderMap) {
        hop_by_hop::strip_response(headers);
        replay::note_not_replayed(attempt, headers);
        self.rewrite.fields(head, headers);
    }

    /// A request that asks for another protocol. A 101 starts a tunnel; any other response is forwarded as usual.
    async fn upgrade(
        &self,
        head: &RequestHead,
        upgrade: ClientUpgrade,
        expects_document: bool,
        mut bearer: Bearer,
        permit: Permit,
    ) -> Result<Forwarded, ForwardError> {
        let mut outcome = self.send_upgrade(head, &upgrade, &mut bearer).await?;
        let mut attempt = LastAttempt::first(&bearer);
        if let Some(rejected) = unauthorized(&outcome) {
            attempt.note_head();
            let route = head.route();
            match self.prepare_upgrade(head, &bearer, rejected).await {
                Ok(mut newer) => {
                    outcome = self.send_upgrade(head, &upgrade, &mut newer).await?;
                    attempt = LastAttempt::replayed(&newer);
                    let is_accepted = unauthorized(&outcome).is_none();
                    self.tokens.replayed(newer.generation, route, is_accepted);
                }
                Err(why) => attempt = attempt.not_replayed(why),
            }
        }
        let (response, permit) = match outcome {
            Upgrade::Switched(mut response, tunnel) => {
                self.finish_head(head, attempt, response.headers_mut());
                upgrade.mark(response.headers_mut());
                let metrics = Arc::clone(&self.metrics);
                (self.carry_tunnel)(Box::pin(upgrade.run_tunnel(tunnel, permit, metrics)));
                let body = ClientResponseBody::generated(Bytes::new());
                (response.map(|()| body), None)
            }
            Upgrade::Answered(mut response) => {
                self.finish_head(head, attempt, response.headers_mut());
                let response = if expects_document {
                    attempt.note_head();
                    self.rewrite.document(head, response).await
                } else {
                    ClientResponseBody::streamed(response)
                };
                (response, Some(permit))
            }
        };
        Ok(Forwarded {
            response,
            attempt: Some(attempt),
            caller: None,
            asks_upgrade: true,
            permit,
        })
    }

    /// Why a newer token would not help after a 401 with these `headers`, if that is known. Only the person can replace
    /// a token that was pasted, so a challenge for something else ends no sign-in.
    fn check_cause(&self, head: &RequestHead, headers: &HeaderMap) -> Result<(), NotReplayed> {
        replay::check_cause(&self.request_template, head, headers)?;
        if self.tokens.needs_person() && self.request_template.asks_for_other_scheme(headers) {
            return Err(NotReplayed::PersonNeeded);
        }
        Ok(())
    }

    /// What another attempt needs after a 401 with these `headers`. An upgrade has no body.
    async fn prepare_upgrade(
        &self,
        head: &RequestHead,
        rejected: &Bearer,
        headers: &HeaderMap,
    ) -> Result<Bearer, NotReplayed> {
        self.check_cause(head, headers)?;
        let (route, body) = (head.route(), ReclaimedBody::Empty);
        let (newer, _empty) = replay::prepare(&self.tokens, rejected, route, body).await?;
        Ok(newer)
    }

    async fn send_upgrade(
        &self,
        head: &RequestHead,
        upgrade: &ClientUpgrade,
        bearer: &mut Bearer,
    ) -> Result<Upgrade<UpstreamRequestBody>, ForwardError> {
        let body = UpstreamRequestBody::Empty;
        let mut request = self.request_template.request(head, bearer, body);
        upgrade.mark(request.headers_mut());
        let renewal = self.authorized(head, bearer, AttemptBody::Empty);
        self.upstream.upgrade(request, renewal).await
    }
}
