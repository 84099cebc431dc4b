//! The task that keeps a token: it cannot end, and one request is in flight at a time.
//!
//! It decides by `schedule` and acts by two closures, the exchange and the reading of the secret, so
//! that it can be run against paused time. It never touches a token that is still good.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::client::Client;
use super::clock::{Clock, Stamp};
use super::failure::{Cause, Failure};
use super::grant::Grant;
use super::response::Granted;
use super::schedule::{self, CLOCK_STEP, Delays, LONGEST_NAP, SECRET_POLL, Setback};
use super::status::{Held, Shared, Status, Wait};
use super::{State, Tokens};
use crate::config;
use crate::credentials::Secret;

/// Longer than a secret's command may take (30 s): a reader that hangs must not hold up the task.
const SECRET_LIMIT: Duration = Duration::from_secs(35);

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Reads the client secret from its source.
pub type ReadSecret = Arc<dyn Fn() -> Later<Result<Secret, Cause>> + Send + Sync>;
/// Asks the token endpoint once.
pub(super) type Exchange = Arc<dyn Fn(Secret) -> Later<Result<Granted, Failure>> + Send + Sync>;

/// The token of this configuration: the handle for everyone, and the engine for one task. `proxy`: whose it is, where
/// there are several.
#[must_use]
pub fn engine(
    config: &config::TokenConfig,
    client: Client,
    read_secret: ReadSecret,
    proxy: Option<String>,
) -> (Tokens, Engine) {
    let grant = Arc::new(Grant::new(config.clone(), client).of(proxy.clone()));
    let exchange: Exchange = Arc::new(move |secret| {
        let grant = Arc::clone(&grant);
        Box::pin(async move { grant.exchange(&secret).await })
    });
    let polled = config.credential.may_change();
    let world = World {
        clock: Clock::SYSTEM,
        draw: fastrand::f64,
    };
    let (tokens, engine) = Engine::new(config.wait, world, exchange, read_secret, polled);
    (tokens, engine.of(proxy))
}

/// Time and chance.
#[derive(Clone, Copy)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) draw: fn() -> f64,
}

/// The task. Everything that others may see of it is in the handle.
pub struct Engine {
    shared: Arc<Shared>,
    /// In the log, which several proxies may share.
    proxy: Option<String>,
    world: World,
    exchange: Exchange,
    read_secret: ReadSecret,
    /// The secret of the last attempt.
    secret: Option<Secret>,
    /// When the secret's source was last looked at; `None` where it cannot change under us.
    polled: Option<Instant>,
    /// Whether that look failed, and it has been said.
    unreadable: bool,
    looked: Stamp,
    said: State,
}

/// Why an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// The schedule, or a changed secret.
    Planned,
    /// A 401 from the upstream.
    Forced,
}

impl Engine {
    pub(super) fn new(
        wait: Duration,
        world: World,
        exchange: Exchange,
        read_secret: ReadSecret,
        polled: bool,
    ) -> (Tokens, Self) {
        let shared = Arc::new(Shared::new(wait, world.clock));
        let looked = world.clock.now();
        let engine = Self {
            shared: Arc::clone(&shared),
            proxy: None,
            world,
            exchange,
            read_secret,
            secret: None,
            polled: polled.then_some(looked.monotonic),
            unreadable: false,
            looked,
            said: State::Starting,
        };
        (Tokens { shared }, engine)
    }

    /// Of the proxy that has this name, where there are several.
    fn of(self, proxy: Option<String>) -> Self {
        Self { proxy, ..self }
    }

    /// Keeps the token until the future is dropped.
    pub async fn run(mut self) -> Infallible {
        loop {
            let now = self.look();
            match self.due(now) {
                Some(occasion) => self.attempt(occasion).await,
                None => self.rest(now).await,
            }
        }
    }

    /// Reads the clocks, and tells what only time has changed.
    fn look(&mut self) -> Stamp {
        let now = self.world.clock.now();
        let step = self.looked.step_until(now);
        if step > CLOCK_STEP {
            self.shared.clock_steps.send_modify(|steps| *steps += 1);
            tracing::info!(
                proxy = self.proxy,
                step_ms = millis(step),
                "wall clock moved"
            );
        }
        self.looked = now;
        let state = self.shared.status.borrow().state(now);
        if state == State::Expired && self.said != State::Expired {
            tracing::error!(proxy = self.proxy, "token expired");
        }
        self.said = state;
        now
    }

    fn due(&self, now: Stamp) -> Option<Occasion> {
        let forced = self.shared.forced();
        let status = self.shared.status.borrow();
        if status.planned_in(now).is_zero() {
            return Some(Occasion::Planned);
        }
        let demanded = forced.is_outstanding(status.finished) && status.breath(now).is_zero();
        demanded.then_some(Occasion::Forced)
    }

    /// Sleeps until something is due, somebody asks, or it is time to look at the clocks or the secret.
    async fn rest(&mut self, now: Stamp) {
        // An early wake-up finds nothing due and rests again.
        let _ = timeout(self.nap(now), self.shared.wake.notified()).await;
        if self
            .polled
            .is_some_and(|last| last.elapsed() >= SECRET_POLL)
        {
            self.poll_secret().await;
        }
    }

    /// Tries a changed secret at once. One that cannot be read has not changed: files are missing for
    /// a moment while they are replaced, and the one in hand still works.
    async fn poll_secret(&mut self) {
        let read = caught(read(&self.read_secret)).await;
        self.polled = Some(Instant::now());
        match read {
            Ok(secret) => {
                self.unreadable = false;
                if !self.is_known(&secret) {
                    tracing::info!(proxy = self.proxy, "token secret changed");
                    self.secret = Some(secret);
                    let now = self.world.clock.now();
                    self.shared
                        .status
                        .send_modify(|status| status.plan = Wait::over(now));
                }
            }
            Err(failure) if !self.unreadable && self.secret.is_some() => {
                self.unreadable = true;
                tracing::warn!(
                    proxy = self.proxy,
                    error = failure.chain(),
                    "token secret cannot be read, the last one stays in use"
                );
            }
            Err(_) => {}
        }
    }

    fn nap(&self, now: Stamp) -> Duration {
        let forced = self.shared.forced();
        let status = self.shared.status.borrow();
        let mut nap = status.planned_in(now).min(LONGEST_NAP);
        if forced.is_outstanding(status.finished) {
            nap = nap.min(status.breath(now));
        }
        let usable_in = status.usable_in(now);
        if !usable_in.is_zero() {
            nap = nap.min(usable_in);
        }
        if let Some(polled) = self.polled {
            nap = nap.min((polled + SECRET_POLL).saturating_duration_since(now.monotonic));
        }
        nap
    }

    fn is_known(&self, secret: &Secret) -> bool {
        // Both are ours: the time this takes tells nobody anything.
        self.secret
            .as_ref()
            .is_some_and(|known| known.expose() == secret.expose())
    }

    async fn attempt(&mut self, occasion: Occasion) {
        let start = self.world.clock.now();
        self.shared.status.send_modify(|status| {
            status.started += 1;
            status.last_start = Some(start);
        });
        match caught(self.obtain()).await {
            Ok((sent, granted)) => self.adopt(sent, granted),
            Err(failure) => self.note(occasion, failure),
        }
    }

    /// One exchange; a second one only if the first was refused and the source holds another secret by now.
    async fn obtain(&mut self) -> Result<(Stamp, Granted), Failure> {
        if self.secret.is_none() {
            self.secret = Some(read(&self.read_secret).await?);
        }
        let refusal = match self.ask().await {
            Err(failure) if failure.is_refusal() => failure,
            outcome => return outcome,
        };
        match read(&self.read_secret).await {
            Ok(secret) if !self.is_known(&secret) => {
                self.secret = Some(secret);
                self.ask().await
            }
            Ok(_) | Err(_) => Err(refusal),
        }
    }

    async fn ask(&self) -> Result<(Stamp, Granted), Failure> {
        let secret = self.secret.clone().ok_or(Failure::SecretEmpty)?;
        let sent = self.world.clock.now();
        let granted = (self.exchange)(secret).await?;
        Ok((sent, granted))
    }

    fn adopt(&mut self, sent: Stamp, granted: Granted) {
        let Granted { header, lifetime } = granted;
        let refresh_after = schedule::refresh_after(lifetime, (self.world.draw)());
        let mut generation = 0;
        self.shared.status.send_modify(|status| {
            generation = status.token.as_ref().map_or(0, |token| token.generation) + 1;
            status.token = Some(Held {
                header,
                generation,
                sent,
                lifetime,
                refresh_after,
            });
            let delays = Delays {
                with_token: refresh_after,
                without_token: Duration::ZERO,
            };
            status.plan = Wait {
                since: sent,
                delays,
            };
            status.hold = Wait::over(sent);
            status.finished = status.started;
            status.failures = 0;
            status.failure = None;
            status.last_success = Some(sent.wall);
            status.attempts.granted += 1;
        });
        tracing::info!(
            proxy = self.proxy,
            generation,
            lifetime_s = lifetime.as_secs(),
            refresh_in_s = refresh_after.as_secs(),
            "token fresh"
        );
    }

    /// A failure never touches the token. A forced one does not move the plan either: nobody knows yet
    /// that the token is at fault.
    fn note(&mut self, occasion: Occasion, failure: Failure) {
        let now = self.world.clock.now();
        let draw = (self.world.draw)();
        let failure = Arc::new(failure);
        let (mut attempt, mut retry_in) = (0, Duration::ZERO);
        self.shared.status.send_modify(|status| {
            let failures = status.failures.saturating_add(1);
            let (setback, asked) = (failure.setback(), failure.retry_after());
            let delays = schedule::delays(setback, failures, asked, status.usable_in(now), draw);
            let wait = Wait { since: now, delays };
            status.hold = wait;
            if occasion == Occasion::Planned {
                status.failures = failures;
                status.plan = wait;
            }
            count(status, &failure);
            status.failure = Some(Arc::clone(&failure));
            status.finished = status.started;
            (attempt, retry_in) = (failures, status.planned_in(now));
        });
        let retry_in_ms = millis(retry_in);
        tracing::warn!(
            proxy = self.proxy,
            reason = failure.reason(),
            attempt,
            retry_in_ms,
            error = failure.chain(),
            "token request failed"
        );
    }
}

fn count(status: &mut Status, failure: &Failure) {
    let attempts = &mut status.attempts;
    match failure.setback() {
        Setback::Configuration => attempts.refused += 1,
        Setback::Throttled => attempts.throttled += 1,
        Setback::Outage => attempts.unavailable += 1,
    }
}

async fn read(source: &ReadSecret) -> Result<Secret, Failure> {
    let limit = SECRET_LIMIT;
    match timeout(limit, source()).await {
        Ok(Ok(secret)) if secret.is_empty() => Err(Failure::SecretEmpty),
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(cause)) => Err(Failure::SecretUnreadable(cause)),
        Err(late) => Err(Failure::SecretUnreadable(late.into())),
    }
}

/// Turns a panic in what others wrote (the reader, the exchange) into a failure: the task goes on.
async fn caught<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(Failure::Internal)))
    })
    .await
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
