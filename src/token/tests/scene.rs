//! An engine whose endpoint, secret, time and chance are the test's.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, sleep};

use crate::credentials::Secret;
use crate::token::clock::Clock;
use crate::token::failure::{Failure, Said};
use crate::token::refresh::{Exchange, World};
use crate::token::response::Granted;
use crate::token::{Engine, ReadSecret, Tokens};

pub(super) const WAIT: Duration = Duration::from_secs(10);

pub(super) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

thread_local! {
    /// Where the wall clock stands against the paused one, in seconds. A test has a thread of its own.
    static WALL_OFFSET: Cell<i64> = const { Cell::new(0) };
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Sets the wall clock, as a resume from sleep or an administrator does.
pub(super) fn move_wall(seconds: i64) {
    WALL_OFFSET.with(|offset| offset.set(offset.get() + seconds));
}

/// Starts a wall clock that follows the paused one.
pub(super) fn paused_clock() -> Clock {
    START.set(Some(Instant::now()));
    WALL_OFFSET.set(0);
    Clock::with_wall(wall)
}

fn wall() -> SystemTime {
    let start = START.get().expect("a scene is set");
    let now = UNIX_EPOCH + s(1_700_000_000) + start.elapsed();
    let offset = WALL_OFFSET.get();
    let by = s(offset.unsigned_abs());
    if offset < 0 { now - by } else { now + by }
}

pub(super) type Outcome = Result<Granted, Failure>;

/// What the endpoint does with the `n`-th request (from 1), made with this secret: after how long, and what.
pub(super) type Script = Box<dyn FnMut(usize, &str) -> (Duration, Outcome) + Send>;

pub(super) struct Scene {
    pub(super) tokens: Tokens,
    asked: Arc<Mutex<Vec<Duration>>>,
    secret: Arc<Mutex<Result<&'static str, &'static str>>>,
}

impl Scene {
    /// Runs an engine; its secret is read from a file.
    pub(super) fn new(
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        Self::with_source(true, script)
    }

    pub(super) fn with_source(
        polled: bool,
        script: impl FnMut(usize, &str) -> (Duration, Outcome) + Send + 'static,
    ) -> Self {
        let clock = paused_clock();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let secret = Arc::new(Mutex::new(Ok("first")));
        let world = World {
            clock,
            draw: || 0.5,
        };
        let exchange = exchange(Arc::clone(&asked), Box::new(script));
        let (tokens, engine) =
            Engine::new(WAIT, world, exchange, reader(Arc::clone(&secret)), polled);
        tokio::spawn(engine.run());
        Self {
            tokens,
            asked,
            secret,
        }
    }

    /// When each attempt began, since the start.
    pub(super) fn asked(&self) -> Vec<Duration> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn attempts(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(super) fn set_secret(&self, secret: Result<&'static str, &'static str>) {
        *self.secret.lock().unwrap() = secret;
    }

    /// Gaps between attempts, in milliseconds.
    pub(super) fn gaps(&self) -> Vec<u128> {
        self.asked()
            .windows(2)
            .map(|pair| pair[1].abs_diff(pair[0]).as_millis())
            .collect()
    }
}

fn exchange(asked: Arc<Mutex<Vec<Duration>>>, script: Script) -> Exchange {
    let script = Arc::new(Mutex::new(script));
    let start = Instant::now();
    Arc::new(move |secret| {
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(start.elapsed());
            asked.len()
        };
        let script = Arc::clone(&script);
        Box::pin(async move {
            let secret = String::from_utf8(secret.expose().to_vec()).unwrap();
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

fn reader(secret: Arc<Mutex<Result<&'static str, &'static str>>>) -> ReadSecret {
    Arc::new(move || {
        let secret = *secret.lock().unwrap();
        Box::pin(async move { secret.map(Secret::new).map_err(Into::into) })
    })
}

/// A token that lives so long.
#[expect(clippy::unnecessary_wraps, reason = "one of the outcomes of a script")]
pub(super) fn grant(lifetime: Duration) -> Outcome {
    let mut header = HeaderValue::from_static("Bearer eyJ.token");
    header.set_sensitive(true);
    Ok(Granted { header, lifetime })
}

pub(super) fn unavailable(retry_after: Option<Duration>) -> Outcome {
    Err(Failure::Unavailable {
        status: StatusCode::SERVICE_UNAVAILABLE,
        said: html(),
        retry_after,
    })
}

pub(super) fn throttled(retry_after: Duration) -> Outcome {
    Err(Failure::Unavailable {
        status: StatusCode::TOO_MANY_REQUESTS,
        said: html(),
        retry_after: Some(retry_after),
    })
}

pub(super) fn invalid_client() -> Outcome {
    let said = Said::Fields {
        code: Some("invalid_client".to_owned()),
        description: Some("Request denied: Invalid client credentials".to_owned()),
        correlation_id: None,
    };
    Err(Failure::Refused {
        status: StatusCode::UNAUTHORIZED,
        said,
        retry_after: None,
    })
}

fn html() -> Said {
    Said::Other {
        content_type: Some("text/html".to_owned()),
    }
}

/// Lets everything that is ready run.
pub(super) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
