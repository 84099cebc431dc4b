//! The admin listener: the probes of a kubelet, the metrics for Prometheus, the status for people, and two requests
//! that change something.
//!
//! It never hands out a token and never forwards a request. Everyone may use the probes and the metrics, since other
//! machines request them by IP address, except for a web page in a browser on this machine whose host name was made to
//! resolve to it. Everything else exists only on loopback and unix listeners, behind the guard's checks. This room
//! knows neither `proxy` nor `server` itself: `instance` supplies a [`ProxyView`] of each proxy.

mod body;
mod events;
mod examination;
mod metrics_text;
mod order_body;
mod page;
mod page_files;
mod problem_cards;
mod readiness;
mod request_status;
mod response;
mod sign_in;
mod sign_in_page;
mod status;
pub mod status_api;
mod view;

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::guard::{Guard, Peer, Rejection, Transport};
use crate::metrics::{self, ProcessMetrics, StoppedTasks};
use body::AdminBody;
use events::{EventStream, VIEWERS, ViewerPlaces};
use examination::{ExaminationLines, Examinations};
use metrics_text::MetricsText;
use order_body::read_order;
use response::{AdminResponse, line, not_found, with_type};
use sign_in::SignInOrder;
use status::ProcessState;
use status_api::ProcessStatus;

pub use examination::{ExaminationPlace, StartExamination};
use page::PAGE;
pub(crate) use problem_cards::ASK_API_OPERATORS;
pub use readiness::Readiness;
use sign_in_page::SIGN_IN_FILES;
pub(crate) use sign_in_page::SIGN_IN_PAGE;
pub use view::{ExpiringCertificate, PendingReasons, ProxyView};

/// Required on POST. A page of another origin cannot send it without a preflight, which is refused.
const X_CUPBEARER: HeaderName = HeaderName::from_static("x-cupbearer");

const NO_SUCH_PATH: &str = "Not found. The paths are /live, /startup, /ready, /metrics, /status, /events, /sign-in and /, and with POST /quit, /doctor, /token/refresh, /token/paste, /login and /logout.";
/// The response to what a listener beyond loopback does not serve, by which `cli` recognizes one.
pub(crate) const ONLY_LOCAL: &str =
    "This path exists only on a loopback or unix listener (admin.listen).";

/// The endpoints of one process.
pub struct AdminEndpoints {
    process: ProcessMetrics,
    metrics_text: MetricsText,
    views: Vec<ProxyView>,
    more_guards: Vec<Guard>,
    not_started: Vec<String>,
    /// When the others had started.
    started: SystemTime,
    /// Those of the admin listeners. Each proxy has its own.
    stopped_tasks: StoppedTasks,
    viewers: ViewerPlaces,
    examinations: Examinations,
    start_examination: OnceLock<StartExamination>,
    quit: Arc<Notify>,
}

impl AdminEndpoints {
    /// The endpoints for the proxies behind `views`. A request must pass the guards of all of them and `more_guards`,
    /// which are those of the proxies that have not started: `not_started` says why. The proxies are not ready if there
    /// are such, or if one of the `stopped_tasks` has stopped.
    #[must_use]
    pub fn new(
        process: ProcessMetrics,
        views: Vec<ProxyView>,
        more_guards: Vec<Guard>,
        not_started: Vec<String>,
        stopped_tasks: StoppedTasks,
    ) -> Arc<Self> {
        Arc::new(Self {
            process,
            metrics_text: MetricsText::default(),
            views,
            more_guards,
            not_started,
            started: SystemTime::now(),
            stopped_tasks,
            viewers: ViewerPlaces::default(),
            examinations: Examinations::default(),
            start_examination: OnceLock::new(),
            quit: Arc::new(Notify::new()),
        })
    }

    /// Returns once `POST /quit` has been received.
    pub async fn quit_requested(&self) {
        self.quit.notified().await;
    }

    /// What runs the doctor's checks for the live page. Only the first one is kept.
    pub fn examine_with(&self, start: StartExamination) {
        let _ = self.start_examination.set(start);
    }

    /// What `/ready` responds with.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of_all(&self.views, &self.not_started, &self.stopped_tasks.names())
    }

    /// Adds a sample to the history of each proxy, again and again. Never returns.
    pub async fn record_history(self: Arc<Self>) {
        let mut samples = interval(metrics::SAMPLE_INTERVAL);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            samples.tick().await;
            for view in &self.views {
                view.metrics.take_sample();
            }
        }
    }

    async fn respond(self: &Arc<Self>, request: &Request<()>, peer: &Peer) -> AdminResponse {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/live" if is_get => line(StatusCode::OK, "live".to_owned()),
            "/startup" | "/ready" | "/metrics" if is_get => self.respond_if_host(request, peer),
            "/status" | "/events" | "/quit" | "/token/refresh" | "/doctor" => {
                self.respond_guarded(request, peer).await
            }
            path if PAGE.has(path) || SIGN_IN_FILES.has(path) => {
                self.respond_guarded(request, peer).await
            }
            "/live" | "/startup" | "/ready" | "/metrics" => only_get(request),
            _ => not_found(NO_SUCH_PATH),
        }
    }

    /// Responds to what everyone may request, except for a web page whose host name was made to resolve to this
    /// machine.
    fn respond_if_host<B>(&self, request: &Request<B>, peer: &Peer) -> AdminResponse {
        for guard in self.guards() {
            if let Err(rejection) = guard.check_host(request, peer) {
                return response::refused_by_guard(request, &rejection);
            }
        }
        match request.uri().path() {
            "/startup" => probe(&Readiness::of_startup(&self.views, &self.not_started)),
            "/ready" => probe(&self.readiness()),
            _ => self.metrics(),
        }
    }

    fn guards(&self) -> impl Iterator<Item = Guard> {
        let of_proxies = self.views.iter().map(|view| (view.guard)());
        of_proxies.chain(self.more_guards.iter().cloned())
    }

    fn metrics(&self) -> AdminResponse {
        let text = self.metrics_text.get(|| {
            for view in &self.views {
                view.metrics.note_token(&view.token_facts());
                view.metrics.note_pending((view.pending_change)());
            }
            let proxies: Vec<_> = self.views.iter().map(|view| view.metrics.clone()).collect();
            metrics::text(&self.process, &proxies)
        });
        with_type(StatusCode::OK, metrics::CONTENT_TYPE, text)
    }

    async fn respond_guarded(
        self: &Arc<Self>,
        request: &Request<()>,
        peer: &Peer,
    ) -> AdminResponse {
        match peer.transport {
            Transport::Network => return not_found(ONLY_LOCAL),
            Transport::Loopback | Transport::Unix => {}
        }
        if let Err(rejection) = self.check(request, peer) {
            return response::refused_by_guard(request, &rejection);
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/status") => self.status(),
            (&Method::GET | &Method::HEAD, "/events") => self.events(request, peer),
            (&Method::GET | &Method::HEAD, path) if PAGE.has(path) => {
                PAGE.get(path).unwrap_or_else(|| not_found(NO_SUCH_PATH))
            }
            (&Method::GET | &Method::HEAD, path) if SIGN_IN_FILES.has(path) => SIGN_IN_FILES
                .get(path)
                .unwrap_or_else(|| not_found(NO_SUCH_PATH)),
            (&Method::POST, "/quit" | "/token/refresh" | "/doctor")
                if !has_order_field(request) =>
            {
                response::not_an_order(request)
            }
            (&Method::POST, "/quit") => {
                self.quit.notify_one();
                line(StatusCode::OK, "stopping".to_owned())
            }
            (&Method::POST, "/token/refresh") => self.refresh().await,
            (&Method::POST, "/doctor") => self.examine(),
            (_, "/quit" | "/token/refresh" | "/doctor") => {
                response::method_not_allowed(request, "POST", "Only POST is allowed here.")
            }
            (_, _) => only_get(request),
        }
    }

    /// The pages have no data, so a link on another page of this machine may lead to them. Nothing else is open to one.
    fn check(&self, request: &Request<()>, peer: &Peer) -> Result<(), Rejection> {
        for guard in self.guards() {
            match request.uri().path() {
                "/" | SIGN_IN_PAGE => guard.check_navigation(request, peer)?,
                _ => drop(guard.check(request, peer)?),
            }
        }
        Ok(())
    }

    fn process_status(&self, with_recent: bool) -> ProcessStatus {
        let state = ProcessState {
            readiness: self.readiness(),
            not_started: &self.not_started,
            started: self.started,
            stopped_tasks: self.stopped_tasks.all(),
        };
        status::process_status(&self.views, &state, with_recent)
    }

    /// Carries out an order of the person who owns this process. Everything but the body is checked before the body is
    /// read.
    async fn sign_in<B: Body<Data = Bytes>>(
        &self,
        order: SignInOrder,
        request: &Request<()>,
        peer: &Peer,
        body: B,
    ) -> AdminResponse {
        match peer.transport {
            Transport::Network => return not_found(ONLY_LOCAL),
            Transport::Loopback | Transport::Unix => {}
        }
        for guard in self.guards() {
            if let Err(rejection) = guard.check_owner(request, peer) {
                return response::refused_by_guard(request, &rejection);
            }
        }
        if request.method() != Method::POST {
            return response::method_not_allowed(request, "POST", "Only POST is allowed here.");
        }
        if !has_order_field(request) {
            return response::not_an_order(request);
        }
        if !sign_in::is_json(request) {
            let text = "This request needs the header field \"Content-Type: application/json\".";
            return line(StatusCode::UNSUPPORTED_MEDIA_TYPE, text.to_owned());
        }
        match read_order(body).await {
            Ok(body) => sign_in::carry_out(order, request.headers(), &body, &self.views).await,
            Err(error) => line(StatusCode::BAD_REQUEST, error.to_string()),
        }
    }

    fn status(&self) -> AdminResponse {
        // Cannot fail: these are strings and numbers with constant names.
        let text = serde_json::to_string_pretty(&self.process_status(true)).unwrap_or_default();
        with_type(StatusCode::OK, "application/json", text + "\n")
    }

    /// The events of the page, for as long as the guard admits the viewer.
    fn events(self: &Arc<Self>, request: &Request<()>, peer: &Peer) -> AdminResponse {
        let Some(place) = self.viewers.take() else {
            return line(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("There are {VIEWERS} viewers already: close one of the pages."),
            );
        };
        let proxies = self.views.iter();
        let proxies = proxies.map(|view| (view.name.clone(), Arc::clone(&view.metrics)));
        let (endpoints, request, peer) = (Arc::clone(self), request.clone(), peer.clone());
        let status = move || {
            endpoints.check(&request, &peer).ok()?;
            serde_json::to_string(&endpoints.process_status(false)).ok()
        };
        let events = EventStream::new(proxies, Box::new(status), place);
        let mut response = with_type(StatusCode::OK, "text/event-stream", "");
        *response.body_mut() = AdminBody::Events(Box::new(events));
        response
    }

    /// Runs the doctor's checks, and responds with one line of JSON for each beginning and each end of one.
    fn examine(&self) -> AdminResponse {
        let Some(start) = self.start_examination.get() else {
            return not_found("The doctor is not available here: run `cupbearer doctor`.");
        };
        let Some(place) = self.examinations.begin() else {
            return line(
                StatusCode::CONFLICT,
                "The doctor's checks are running already: wait for their end.".to_owned(),
            );
        };
        let mut response = with_type(StatusCode::OK, "application/x-ndjson", "");
        *response.body_mut() = AdminBody::Examination(ExaminationLines(start(place)));
        response
    }

    /// Requests a new token from every token endpoint, now.
    async fn refresh(&self) -> AdminResponse {
        let mut lines = Vec::new();
        let mut status = StatusCode::OK;
        for view in &self.views {
            let tokens = (view.tokens)();
            match tokens.refresh().await {
                Ok(bearer) => {
                    lines.push(format!("{}: generation {}", view.name, bearer.generation));
                }
                Err(error) => {
                    status = StatusCode::SERVICE_UNAVAILABLE;
                    let kept = match tokens.usable() {
                        Some(_) => "; the current token stays in use",
                        None => "; there is no valid token",
                    };
                    lines.push(format!("{}: {error}{kept}", view.name));
                }
            }
        }
        line(status, lines.join("\n"))
    }
}

/// The service for one connection, which ends with its first response. With several requests on each connection, a few
/// clients could keep the others from the probes, because a new connection gets no turn before the others have ended.
#[must_use]
pub fn service<B: Body<Data = Bytes, Error: Send> + Send + 'static>(
    endpoints: &Arc<AdminEndpoints>,
    peer: Peer,
) -> impl tower::Service<Request<B>, Response = AdminResponse, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<B> {
    let endpoints = Arc::clone(endpoints);
    tower::service_fn(move |request: Request<B>| {
        let (endpoints, peer) = (Arc::clone(&endpoints), peer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let request = Request::from_parts(parts, ());
            let mut response = if let Some(order) = SignInOrder::at(request.uri().path()) {
                endpoints.sign_in(order, &request, &peer, body).await
            } else {
                drop(body);
                endpoints.respond(&request, &peer).await
            };
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            Ok(response)
        }
    })
}

fn has_order_field<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get(&X_CUPBEARER)
        .is_some_and(|value| value == "1")
}

fn only_get<B>(request: &Request<B>) -> AdminResponse {
    response::method_not_allowed(request, "GET, HEAD", "Only GET is allowed here.")
}

fn probe(readiness: &Readiness) -> AdminResponse {
    let status = if readiness.is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = line(status, readiness.line.clone());
    if let Some(wait) = readiness.retry_in {
        let seconds = wait.max(Duration::from_secs(1)).as_secs();
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
