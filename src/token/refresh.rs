//! The task that keeps the token fresh. It never ends, and sends one request at a time. Only if there is no usable
//! token, it starts another beside one that takes long.
//!
//! It decides by `schedule`, and by `forced` about the attempts that 401s of the upstream demand. It acts through two
//! closures, which request a token and read the secret, so that tests can run it against paused time. It never discards
//! a token that is still usable.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::attempt_log::AttemptCounter;
use super::bearer::TokenState;
use super::catch_panic::catch_panic;
use super::client::Client;
use super::clock::{Clock, Timestamp};
use super::failure_log::{FailureLog, log_end_of_session, log_expiry};
use super::grant_error::GrantError;
use super::handle::Tokens;
use super::identity_memory::TokenClient;
use super::obtain::{RequestToken, SourceKind, request_token};
use super::ownership::Ownership;
use super::response::AccessToken;
use super::schedule::{self, CLOCK_STEP, MAX_SLEEP};
use super::secret_reader::ReadSecrets;
use super::status::{AttemptTrigger, SharedStatus};
use super::wait::Wait;
use super::watched_secrets::{SecretChange, WatchedSecrets};
use crate::config;

/// The token of one configuration: the handle, and the task that must be run. `proxy` is the proxy's name in the log,
/// if there are several proxies. `attempts` counts beside those of its other identities.
#[must_use]
pub fn refresh_task(
    config: &config::TokenConfig,
    client: Client,
    read_secret: ReadSecrets,
    ownership: Ownership,
    proxy: Option<String>,
    attempts: AttemptCounter,
) -> (Tokens, RefreshTask) {
    let memory = attempts.memory.clone();
    let (request_token, source) = request_token(config, client, ownership, proxy.clone(), memory);
    let poll_secret = config.requests().iter().any(|one| one.source.may_change());
    let inputs = TaskInputs {
        clock: Clock::SYSTEM,
        draw: fastrand::f64,
        attempts,
    };
    let (tokens, task) =
        RefreshTask::new(config.wait, inputs, request_token, read_secret, poll_secret);
    let task = RefreshTask { source, ..task }.for_proxy(proxy);
    (tokens, task.for_client(TokenClient::of(config)))
}

/// The sources of time and of randomness, and where attempts are counted.
#[derive(Clone)]
pub(super) struct TaskInputs {
    pub(super) clock: Clock,
    pub(super) draw: fn() -> f64,
    pub(super) attempts: AttemptCounter,
}

/// The task. Everything that other code may see of it is in the handle.
pub struct RefreshTask {
    pub(super) shared: Arc<SharedStatus>,
    /// The proxy's name in the log, if several proxies share the log.
    proxy: Option<String>,
    pub(super) inputs: TaskInputs,
    pub(super) request_token: RequestToken,
    /// What obtains tokens in place of a grant: it may return the same one again.
    pub(super) source: Option<SourceKind>,
    pub(super) secrets: WatchedSecrets,
    /// When the clocks were last read.
    last_look: Timestamp,
    last_state: TokenState,
    failure_log: FailureLog,
    /// Runs beside the task, and ends with it.
    beside: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whom `Retry-After` concerns.
    client: TokenClient,
    /// Whether it keeps a delay that another identity was told.
    keeps_hold: bool,
}

impl RefreshTask {
    pub(super) fn new(
        wait: Duration,
        inputs: TaskInputs,
        request_token: RequestToken,
        read_secret: ReadSecrets,
        poll_secret: bool,
    ) -> (Tokens, Self) {
        let shared = SharedStatus::new(wait, inputs.clock, inputs.attempts.clone());
        let shared = Arc::new(shared);
        Self::with_status(shared, inputs, request_token, read_secret, poll_secret)
    }

    /// The same with a status that exists already.
    pub(super) fn with_status(
        shared: Arc<SharedStatus>,
        inputs: TaskInputs,
        request_token: RequestToken,
        read_secret: ReadSecrets,
        poll_secret: bool,
    ) -> (Tokens, Self) {
        let now = inputs.clock.now();
        let task = Self {
            shared: Arc::clone(&shared),
            proxy: None,
            inputs,
            request_token,
            source: None,
            secrets: WatchedSecrets::new(read_secret, poll_secret.then_some(now.monotonic)),
            last_look: now,
            last_state: TokenState::Starting,
            failure_log: FailureLog::default(),
            beside: Mutex::new(Box::pin(std::future::ready(()))),
            client: TokenClient::default(),
            keeps_hold: false,
        };
        (Tokens::new(shared), task)
    }

    /// Names the proxy in log lines, if there are several proxies.
    pub(super) fn for_proxy(self, proxy: Option<String>) -> Self {
        let mut task = self;
        task.secrets.proxy.clone_from(&proxy);
        task.proxy = proxy;
        task
    }

    /// The same with something that runs beside the task.
    pub(super) fn beside(self, work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            beside: Mutex::new(Box::pin(work)),
            ..self
        }
    }

    /// Makes the requests of this client, which may have to keep a delay that another identity was told.
    pub(super) fn for_client(self, client: TokenClient) -> Self {
        let now = self.inputs.clock.now();
        let _ = self.shared.client.set(client);
        let hold = self.inputs.attempts.memory.hold_of(client, now);
        let keeps_hold = hold.is_some();
        if let Some(hold) = hold {
            self.shared
                .status
                .send_modify(|status| status.take_over_hold(hold));
        }
        Self {
            client,
            keeps_hold,
            ..self
        }
    }

    /// Ends the delay that another identity was told, once that one need not keep it either.
    fn drop_lifted_hold(&mut self, now: Timestamp) {
        let memory = &self.inputs.attempts.memory;
        if self.keeps_hold && memory.hold_of(self.client, now).is_none() {
            self.keeps_hold = false;
            self.shared
                .status
                .send_modify(|status| status.hold = Wait::ended(now));
        }
    }

    /// Keeps the token fresh until the future is dropped.
    pub async fn run(mut self) -> Infallible {
        let nothing = Mutex::new(Box::pin(std::future::ready(())) as _);
        let beside = std::mem::replace(&mut self.beside, nothing);
        let beside = beside.into_inner().unwrap_or_else(PoisonError::into_inner);
        let never_ends = async {
            beside.await;
            std::future::pending().await
        };
        tokio::select! {
            never = never_ends => never,
            never = self.keep_fresh() => never,
        }
    }

    async fn keep_fresh(&mut self) -> Infallible {
        loop {
            let now = self.look_at_clocks();
            self.drop_lifted_hold(now);
            match self.due(now) {
                Some(trigger) => self.attempt(trigger).await,
                None => self.sleep(now).await,
            }
        }
    }

    /// Reads the clocks, and logs what has changed only because time has passed.
    fn look_at_clocks(&mut self) -> Timestamp {
        let now = self.inputs.clock.now();
        let step = self.last_look.step_until(now);
        if step > CLOCK_STEP {
            self.shared.clock_steps.send_modify(|steps| *steps += 1);
            tracing::info!(
                proxy = self.proxy,
                step_ms = millis(step),
                "wall clock moved"
            );
        }
        self.last_look = now;
        let state = self.shared.status.borrow().state(now);
        if state == TokenState::Expired && self.last_state != TokenState::Expired {
            log_expiry(self.proxy.as_deref(), &self.shared);
        }
        self.last_state = state;
        now
    }

    fn due(&self, now: Timestamp) -> Option<AttemptTrigger> {
        if self.shared.is_at_rest() {
            return None;
        }
        let forced = self.shared.forced();
        let status = self.shared.status.borrow();
        if status.planned_in(now).is_zero() {
            return Some(AttemptTrigger::Scheduled);
        }
        let demanded = forced.is_outstanding(status.finished)
            && status.spacing_left(now).is_zero()
            && status.forced_in(now).is_zero();
        demanded.then_some(AttemptTrigger::Forced)
    }

    /// Sleeps until an attempt is due or demanded, or until it is time to read the clocks or the secret.
    async fn sleep(&mut self, now: Timestamp) {
        // An early wake-up finds nothing due and sleeps again.
        let _ = timeout(self.sleep_time(now), self.shared.wake.notified()).await;
        let now = self.inputs.clock.now();
        if self
            .secrets
            .poll_in(now.monotonic)
            .is_some_and(|left| left.is_zero())
            && let Some(change) = self.secrets.poll().await
        {
            self.try_changed(change);
        }
    }

    /// Tries changed secrets at once. A renewed assertion is kept for the next attempt, unless the last one failed
    /// because of the assertion.
    fn try_changed(&self, change: SecretChange) {
        let now = self.inputs.clock.now();
        let mut is_needed = change == SecretChange::Replaced;
        self.shared.status.send_modify(|status| {
            let failure = status.failure.as_ref();
            is_needed |= failure.is_some_and(|failure| failure.may_need_renewal());
            if is_needed {
                status.attempt_now(now);
            }
        });
        if is_needed {
            self.shared.forget_hold();
        }
    }

    fn sleep_time(&self, now: Timestamp) -> Duration {
        let is_at_rest = self.shared.is_at_rest();
        let forced = self.shared.forced();
        let status = self.shared.status.borrow();
        let mut time = if is_at_rest {
            MAX_SLEEP
        } else {
            status.planned_in(now).min(MAX_SLEEP)
        };
        if !is_at_rest && forced.is_outstanding(status.finished) {
            time = time.min(status.spacing_left(now).max(status.forced_in(now)));
        }
        let usable_in = status.usable_in(now);
        if !usable_in.is_zero() {
            time = time.min(usable_in);
        }
        if let Some(poll_in) = self.secrets.poll_in(now.monotonic) {
            time = time.min(poll_in);
        }
        time
    }

    /// Makes one attempt. It begins again if the source of the secret changes meanwhile: the old secret may be what the
    /// server is slow to reject, and it is of no use in any case.
    async fn attempt(&mut self, trigger: AttemptTrigger) {
        let start = self.inputs.clock.now();
        let session = self.session_number();
        self.shared.status.send_modify(|status| {
            status.started += 1;
            status.last_start = Some(start);
        });
        let (outcome, unreadable) = loop {
            let unreadable = match self.secrets.prepare().await {
                Ok(unreadable) => unreadable,
                Err(error) => break (Err(error), None),
            };
            self.note_request(true);
            let replaced = self.secrets.replaced();
            tokio::select! {
                outcome = catch_panic(self.obtain()) => break (outcome, unreadable),
                secrets = replaced => {
                    self.secrets.replace(secrets);
                    self.keep_spacing().await;
                }
            }
        };
        let outcome = match (outcome, unreadable) {
            // It has not been renewed because its source cannot be read.
            (Err(GrantError::PresentedToken { .. }), Some(unreadable)) => Err(unreadable),
            (outcome, _) => outcome,
        };
        match outcome {
            Ok((requested_at, token)) => self.adopt(requested_at, token, session),
            Err(_) if session != self.session_number() => self.discard(),
            Err(error) => self.record_failure(trigger, error),
        }
    }

    /// The number of the person's session; 0 if the tokens are not those of a person.
    fn session_number(&self) -> u64 {
        let sign_in = self.shared.sign_in.as_ref();
        let login = sign_in.and_then(|sign_in| sign_in.login.as_ref());
        login.map_or(0, |login| login.session.number())
    }

    /// Ends an attempt for a person who has signed out meanwhile, or has signed in again.
    fn discard(&self) {
        self.shared
            .status
            .send_modify(|status| status.finished = status.started);
    }

    /// Notes that a request is about to be sent, the first one of an attempt or another.
    pub(super) fn note_request(&self, is_first: bool) {
        let now = self.inputs.clock.now();
        self.shared.status.send_modify(|status| {
            status.last_start = Some(now);
            if is_first {
                status.started_with_token = status.is_usable(now);
            }
        });
    }

    /// Waits until another request may start. The last one may be younger than the attempt.
    async fn keep_spacing(&self) {
        let left = self
            .shared
            .status
            .borrow()
            .spacing_left(self.inputs.clock.now());
        sleep(left).await;
    }

    /// Sends one request, and a second one only if the first was rejected and the source holds another secret now.
    async fn obtain(&mut self) -> Result<(Timestamp, AccessToken), GrantError> {
        let rejection = match self.request().await {
            Err(error) if error.is_rejection() => error,
            outcome => return outcome,
        };
        if !self.secrets.reread().await {
            return Err(rejection);
        }
        self.keep_spacing().await;
        self.note_request(false);
        self.request().await
    }

    fn adopt(&mut self, requested_at: Timestamp, token: AccessToken, session: u64) {
        let now = self.inputs.clock.now();
        self.inputs.attempts.count_success(now.wall);
        self.inputs.attempts.memory.forget_hold(self.client);
        self.failure_log.forget();
        let lifetime = token.lifetime;
        let is_known = self.source.is_some() && self.shared.status.borrow().is_current(&token);
        if is_known {
            return self.confirm(requested_at, lifetime);
        }
        let refresh_after = schedule::refresh_after(lifetime, (self.inputs.draw)());
        let (mut generation, sign_in) = (0, self.shared.sign_in.as_ref());
        let adopt = || {
            let session = self.shared.person_session();
            self.shared.status.send_modify(|status| {
                generation = status.adopt(requested_at, token, session, refresh_after);
            });
            self.shared.share_renewed();
        };
        match sign_in.and_then(|sign_in| sign_in.login.as_ref()) {
            None => adopt(),
            Some(login) if login.session.if_current(session, adopt) => {}
            Some(_) => return self.discard(),
        }
        tracing::info!(
            proxy = self.proxy,
            generation,
            lifetime_s = lifetime.as_secs(),
            refresh_in_s = refresh_after.as_secs(),
            "token fresh"
        );
    }

    /// A source has returned the current token again.
    fn confirm(&self, requested_at: Timestamp, lifetime: Duration) {
        let now = self.inputs.clock.now();
        let mut look_in = Duration::ZERO;
        self.shared.status.send_modify(|status| {
            look_in = status.confirm(requested_at, lifetime, now);
        });
        tracing::debug!(
            proxy = self.proxy,
            lifetime_s = lifetime.as_secs(),
            look_in_s = look_in.as_secs(),
            "token unchanged"
        );
    }

    fn record_failure(&mut self, trigger: AttemptTrigger, failure: GrantError) {
        let now = self.inputs.clock.now();
        let draw = (self.inputs.draw)();
        let attempts = &self.inputs.attempts;
        attempts.count_failure(now.wall, failure.class(), failure.chain());
        let failure = Arc::new(failure);
        let (mut number, mut failures, mut retry_in) = (0, 0, Duration::ZERO);
        let mut hold = None;
        self.shared.status.send_modify(|status| {
            failures = status.fail(trigger, &failure, now, draw);
            number = status.finished;
            retry_in = status.planned_in(now);
            hold = failure.retry_after().map(|_| status.hold);
        });
        if let Some(hold) = hold {
            attempts.memory.note_hold(self.client, hold, &failure);
        }
        self.shared.forced().failed(number);
        let proxy = self.proxy.as_deref();
        self.failure_log.log(proxy, &failure, failures, retry_in);
        if failure.ends_session() {
            log_end_of_session(proxy, &self.shared);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
