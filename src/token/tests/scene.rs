//! A refresh task whose endpoint, secret, time and randomness are controlled by the test.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, sleep};

use crate::config::SourceRole;
use crate::credentials::Secret;
use crate::token::clock::Clock;
use crate::token::grant_error::GrantError;
use crate::token::identity_memory::TokenClient;
use crate::token::obtain::{RequestToken, SourceKind};
use crate::token::refresh::TaskInputs;
use crate::token::response::AccessToken;
use crate::token::response_error::ErrorResponse;
use crate::token::unreachable::EndpointRole;
use crate::token::{
    AttemptCounter, ReadSecrets, RefreshTask, RequestSecrets, TokenServer, Tokens, UnreadableSecret,
};

pub(super) const WAIT: Duration = Duration::from_secs(10);
/// How long one request may take, as in `grant`.
pub(super) const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

pub(super) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

thread_local! {
    /// By how many seconds the wall clock is ahead of the paused one. Each test has a thread of its own.
    static WALL_OFFSET: Cell<i64> = const { Cell::new(0) };
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Moves the wall clock, as a resume from suspend or an administrator does.
pub(super) fn move_wall(seconds: i64) {
    WALL_OFFSET.with(|offset| offset.set(offset.get() + seconds));
}

/// Starts a wall clock that follows the paused one.
pub(super) fn paused_clock() -> Clock {
    START.set(Some(Instant::now()));
    WALL_OFFSET.set(0);
    Clock::with_wall(wall)
}

pub(super) fn wall() -> SystemTime {
    let start = START.get().expect("a scene is set");
    let now = UNIX_EPOCH + s(1_700_000_000) + start.elapsed();
    let offset = WALL_OFFSET.get();
    let by = s(offset.unsigned_abs());
    if offset < 0 { now - by } else { now + by }
}

pub(super) type Outcome = Result<AccessToken, GrantError>;

/// The endpoint's latency and response for the `n`-th request (from 1), given the request's secret.
pub(super) type Script = Box<dyn FnMut(usize, &str) -> (Duration, Outcome) + Send>;

pub(super) struct Scene {
    pub(super) tokens: Tokens,
    requested: Arc<Mutex<Vec<Duration>>>,
    secret: Arc<Mutex<Result<&'static str, &'static str>>>,
    attempts: AttemptCounter,
}

impl Scene {
    /// Runs a refresh task whose secret is read from a file.
    pub(super) fn new(
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        Self::with_source(true, script)
    }

    /// Runs a refresh task that looks at a source instead of requesting a grant.
    pub(super) fn of_source(
        kind: SourceKind,
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        Self::start(false, Some(kind), AttemptCounter::default(), script)
    }

    /// Runs the task of another identity of the same proxy, for the same client.
    pub(super) fn reloaded(
        &self,
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        Self::start(true, None, self.attempts.clone(), script)
    }

    pub(super) fn with_source(
        poll_secret: bool,
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        Self::start(poll_secret, None, AttemptCounter::default(), script)
    }

    fn start(
        poll_secret: bool,
        source: Option<SourceKind>,
        attempts: AttemptCounter,
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        let clock = paused_clock();
        let requested = Arc::new(Mutex::new(Vec::new()));
        let secret = Arc::new(Mutex::new(Ok("first")));
        let inputs = TaskInputs {
            clock,
            draw: || 0.5,
            attempts: attempts.clone(),
        };
        let request_token = request_token(Arc::clone(&requested), Box::new(script));
        let read_secret = read_secret(Arc::clone(&secret));
        let (tokens, mut task) =
            RefreshTask::new(WAIT, inputs, request_token, read_secret, poll_secret);
        task.source = source;
        tokio::spawn(task.for_client(TokenClient::default()).run());
        Self {
            tokens,
            requested,
            secret,
            attempts,
        }
    }

    /// When each attempt started, counted from the start of the scene.
    pub(super) fn attempt_times(&self) -> Vec<Duration> {
        self.requested.lock().unwrap().clone()
    }

    pub(super) fn attempts(&self) -> usize {
        self.requested.lock().unwrap().len()
    }

    pub(super) fn set_secret(&self, secret: Result<&'static str, &'static str>) {
        *self.secret.lock().unwrap() = secret;
    }

    /// Gaps between attempts, in milliseconds.
    pub(super) fn gaps(&self) -> Vec<u128> {
        self.attempt_times()
            .windows(2)
            .map(|pair| pair[1].abs_diff(pair[0]).as_millis())
            .collect()
    }
}

fn request_token(requested: Arc<Mutex<Vec<Duration>>>, script: Script) -> RequestToken {
    let script = Arc::new(Mutex::new(script));
    let start = Instant::now();
    Arc::new(move |secrets| {
        let number = {
            let mut requested = requested.lock().unwrap();
            requested.push(start.elapsed());
            requested.len()
        };
        let script = Arc::clone(&script);
        Box::pin(async move {
            let secret = secrets.get(SourceRole::Client).unwrap().expose();
            let secret = String::from_utf8(secret.to_vec()).unwrap();
            let act = || {
                script
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)(
                    number, &secret
                )
            };
            let (latency, outcome) = act();
            sleep(latency).await;
            outcome
        })
    })
}

fn read_secret(secret: Arc<Mutex<Result<&'static str, &'static str>>>) -> ReadSecrets {
    Arc::new(move |_| {
        let secret = *secret.lock().unwrap();
        Box::pin(async move {
            let cause = secret.map(Secret::new);
            cause.map(client_secret).map_err(|cause| UnreadableSecret {
                what: "token.client_secret",
                is_renewed: false,
                cause: cause.into(),
            })
        })
    })
}

/// The secrets of a request that needs only the client's.
pub(super) fn client_secret(secret: Secret) -> RequestSecrets {
    RequestSecrets::of_client(secret)
}

/// A token with this lifetime.
#[expect(clippy::unnecessary_wraps, reason = "one of the outcomes of a script")]
pub(super) fn grant(lifetime: Duration) -> Outcome {
    let mut header = HeaderValue::from_static("Bearer eyJ.token");
    header.set_sensitive(true);
    Ok(AccessToken {
        header,
        token_start: "Bearer ".len(),
        lifetime,
        is_untyped: false,
    })
}

pub(super) fn unavailable(retry_after: Option<Duration>) -> Outcome {
    Err(GrantError::Unavailable {
        endpoint: EndpointRole::Token,
        status: StatusCode::SERVICE_UNAVAILABLE,
        response: html(),
        retry_after,
    })
}

pub(super) fn throttled(retry_after: Duration) -> Outcome {
    Err(GrantError::Unavailable {
        endpoint: EndpointRole::Token,
        status: StatusCode::TOO_MANY_REQUESTS,
        response: html(),
        retry_after: Some(retry_after),
    })
}

pub(super) fn invalid_client() -> Outcome {
    let response = ErrorResponse::Fields {
        code: Some("invalid_client".to_owned()),
        description: Some("Request denied: Invalid client credentials".to_owned()),
        correlation_id: None,
    };
    Err(GrantError::Refused {
        endpoint: EndpointRole::Token,
        status: StatusCode::UNAUTHORIZED,
        response,
        retry_after: None,
    })
}

/// What a request that is never answered ends with, after [`ATTEMPT_LIMIT`].
pub(super) fn timed_out() -> Outcome {
    Err(GrantError::TimedOut {
        limit: ATTEMPT_LIMIT,
        server: server(),
        connected: true,
    })
}

pub(super) fn server() -> TokenServer {
    TokenServer {
        role: EndpointRole::Token,
        address: "as.example.com:443".to_owned(),
        key: "token.url",
        proxy: None,
    }
}

fn html() -> ErrorResponse {
    ErrorResponse::Other {
        content_type: Some("text/html".to_owned()),
    }
}

/// Lets every task that is ready run.
pub(super) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
