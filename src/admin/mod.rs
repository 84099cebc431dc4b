//! What a kubelet, Prometheus and the person on call ask: alive, ready, the metrics, the state; and two orders.
//!
//! It never hands out a token and never forwards. The probes and the metrics answer everyone, since they
//! come by IP from other machines; the rest exists only on loopback and unix listeners, behind the guard's
//! checks. Knows neither `proxy` nor `server`: who wires the rooms says what there is to show.

mod page;
mod status;
mod view;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tokio::sync::Notify;

use crate::guard::{Guard, Peer, Refusal, Way};
use crate::metrics::{self, Process};
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId};

pub use view::{Readiness, View};

/// What a page of another origin cannot send without a preflight, which is refused.
const ORDER: HeaderName = HeaderName::from_static("x-cupbearer");

/// The answers of this room.
type Reply = Response<Full<Bytes>>;

/// Everything that can be asked about one process.
pub struct Admin {
    process: Process,
    views: Vec<View>,
    also: Vec<Guard>,
    quit: Arc<Notify>,
}

impl Admin {
    /// Of the proxies behind `views`, for whom the guards of all of them admit, and those of `also`.
    #[must_use]
    pub fn new(process: Process, views: Vec<View>, also: Vec<Guard>) -> Arc<Self> {
        Arc::new(Self {
            process,
            views,
            also,
            quit: Arc::new(Notify::new()),
        })
    }

    /// Returns once somebody has ordered the end.
    pub async fn quit_ordered(&self) {
        self.quit.notified().await;
    }

    /// The same line as `/ready` answers with.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of_all(&self.views)
    }

    async fn answer<B>(&self, request: &Request<B>, peer: &Peer) -> Reply {
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/live" if get => line(StatusCode::OK, "live".to_owned()),
            "/startup" if get => probe(&Readiness::of_start(&self.views)),
            "/ready" if get => probe(&self.readiness()),
            "/metrics" if get => self.metrics(),
            "/" | "/status" | "/quit" | "/token/refresh" => self.guarded(request, peer).await,
            "/live" | "/startup" | "/ready" | "/metrics" => {
                refuse(request, Reason::MethodRefused, "Only GET is answered here.")
            }
            _ => missing(NO_SUCH_PATH),
        }
    }

    fn metrics(&self) -> Reply {
        for view in &self.views {
            view.metrics.note_token(&view.token_facts());
        }
        let proxies: Vec<_> = self.views.iter().map(|view| view.metrics.clone()).collect();
        let text = metrics::text(&self.process, &proxies);
        typed(StatusCode::OK, metrics::CONTENT_TYPE, text)
    }

    async fn guarded<B>(&self, request: &Request<B>, peer: &Peer) -> Reply {
        match peer.way {
            Way::Network => return missing(ONLY_LOCAL),
            Way::Loopback | Way::Unix => {}
        }
        let running = self.views.iter().map(|view| (view.guard)());
        for guard in running.chain(self.also.iter().cloned()) {
            if let Err(refusal) = guard.check(request, peer) {
                return refused(request, &refusal);
            }
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => page::page(&self.views),
            (&Method::GET | &Method::HEAD, "/status") => status::status(&self.views),
            (&Method::POST, "/quit" | "/token/refresh") if !is_order(request) => refuse(
                request,
                Reason::OriginRefused,
                "Orders need the field \"X-Cupbearer: 1\", which no web page can send unasked.",
            ),
            (&Method::POST, "/quit") => {
                self.quit.notify_one();
                line(StatusCode::OK, "stopping".to_owned())
            }
            (&Method::POST, "/token/refresh") => self.refresh().await,
            (_, path) => {
                let order = matches!(path, "/quit" | "/token/refresh");
                let detail = if order {
                    "Only POST is answered here."
                } else {
                    "Only GET is answered here."
                };
                refuse(request, Reason::MethodRefused, detail)
            }
        }
    }

    /// Asks every token endpoint for a newer token, now.
    async fn refresh(&self) -> Reply {
        let mut lines = Vec::new();
        let mut status = StatusCode::OK;
        for view in &self.views {
            let tokens = (view.tokens)();
            match tokens.refresh().await {
                Ok(bearer) => {
                    lines.push(format!("{}: generation {}", view.name, bearer.generation));
                }
                Err(none) => {
                    status = StatusCode::SERVICE_UNAVAILABLE;
                    lines.push(format!("{}: {none}; the token in use stays", view.name));
                }
            }
        }
        line(status, lines.join("\n"))
    }
}

const NO_SUCH_PATH: &str = "There are /live, /startup, /ready, /metrics, /status, / and, as POST, /quit and /token/refresh.";
const ONLY_LOCAL: &str = "This exists only on a loopback or unix listener (admin.listen).";

/// What answers one connection's questions.
#[must_use]
pub fn service<B: Send + 'static>(
    admin: &Arc<Admin>,
    peer: Peer,
) -> impl tower::Service<Request<B>, Response = Reply, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<B> {
    let admin = Arc::clone(admin);
    tower::service_fn(move |request: Request<B>| {
        let admin = Arc::clone(&admin);
        async move {
            let (parts, body) = request.into_parts();
            drop(body);
            Ok(admin.answer(&Request::from_parts(parts, ()), &peer).await)
        }
    })
}

fn is_order<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get(&ORDER)
        .is_some_and(|value| value == "1")
}

fn probe(readiness: &Readiness) -> Reply {
    let status = if readiness.is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut reply = line(status, readiness.line.clone());
    if let Some(wait) = readiness.retry_in {
        let seconds = wait.max(Duration::from_secs(1)).as_secs();
        reply
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    reply
}

fn line(status: StatusCode, text: String) -> Reply {
    typed(status, "text/plain; charset=utf-8", text + "\n")
}

fn missing(words: &str) -> Reply {
    line(StatusCode::NOT_FOUND, words.to_owned())
}

fn typed(status: StatusCode, content_type: &'static str, text: String) -> Reply {
    let mut reply = Response::new(Full::from(text));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    reply
}

fn refused<B>(request: &Request<B>, refusal: &Refusal) -> Reply {
    let id = RequestId::of(request.headers());
    refusal.answer(&id).response().map(Full::new)
}

fn refuse<B>(request: &Request<B>, reason: Reason, detail: &str) -> Reply {
    let id = RequestId::of(request.headers());
    let order = matches!(request.uri().path(), "/quit" | "/token/refresh");
    let answer = ProblemResponse {
        format: &ProblemFormat::preferred_by(request.method(), request.headers()),
        allow: (reason == Reason::MethodRefused).then_some(if order {
            "POST"
        } else {
            "GET, HEAD"
        }),
        ..ProblemResponse::new(reason, detail, &id)
    };
    answer.response().map(Full::new)
}
