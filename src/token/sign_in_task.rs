//! The task beside a token that a person hands over: it watches the clocks, and reminds the person before the token
//! ends. It requests nothing and never ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::attempt_log::AttemptCounter;
use super::bearer::TokenState;
use super::clock::{Clock, Timestamp};
use super::handle::Tokens;
use super::person::{FIRST_REMINDER, SignIn, SignInPage};
use super::schedule::{CLOCK_STEP, MAX_SLEEP};
use super::status::SharedStatus;
use crate::config::SignInConfig;

/// A person is reminded again this long before the token ends.
const LAST_REMINDER: Duration = Duration::from_mins(2);

/// The handle on a token that a person hands over, and the task that must be run. `proxy` is the proxy's name in the
/// log, if there are several proxies.
#[must_use]
pub fn sign_in_task(
    config: &SignInConfig,
    page: SignInPage,
    proxy: Option<String>,
    attempts: AttemptCounter,
) -> (Tokens, SignInTask) {
    SignInTask::new(config, page, proxy, (Clock::SYSTEM, attempts))
}

/// The task. Everything that other code may see of it is in the handle.
pub struct SignInTask {
    shared: Arc<SharedStatus>,
    proxy: Option<String>,
    clock: Clock,
    /// When the clocks were last read.
    last_look: Timestamp,
    last_state: TokenState,
    /// The token that the log knows, and how long it had left when the log last said so.
    logged: Option<(u64, Duration)>,
}

impl SignInTask {
    pub(super) fn new(
        config: &SignInConfig,
        page: SignInPage,
        proxy: Option<String>,
        (clock, attempts): (Clock, AttemptCounter),
    ) -> (Tokens, Self) {
        let sign_in = SignIn::new(config.clone(), page);
        let shared = SharedStatus::new(Duration::ZERO, clock, attempts);
        let shared = Arc::new(shared.for_person(sign_in));
        let task = Self {
            shared: Arc::clone(&shared),
            proxy,
            clock,
            last_look: clock.now(),
            last_state: TokenState::Starting,
            logged: None,
        };
        (Tokens::new(shared), task)
    }

    /// Watches the token until the future is dropped.
    pub async fn run(mut self) -> Infallible {
        loop {
            let sleep = self.look();
            // A paste or a sign-out wakes it.
            let _ = timeout(sleep, self.shared.wake.notified()).await;
        }
    }

    /// Logs what has changed since the last look. Returns how long nothing will change by itself.
    fn look(&mut self) -> Duration {
        let now = self.clock.now();
        let step = self.last_look.step_until(now);
        if step > CLOCK_STEP {
            self.shared.clock_steps.send_modify(|steps| *steps += 1);
            tracing::info!(proxy = self.proxy, "wall clock moved");
        }
        self.last_look = now;
        let status = self.shared.status.borrow();
        let (state, generation, left) = (
            status.state(now),
            status.generation(),
            status.usable_in(now),
        );
        drop(status);
        self.log(state, generation, left);
        self.last_state = state;
        let next = [FIRST_REMINDER, LAST_REMINDER, Duration::ZERO]
            .into_iter()
            .find_map(|mark| left.checked_sub(mark).filter(|time| !time.is_zero()));
        next.unwrap_or(MAX_SLEEP).min(MAX_SLEEP)
    }

    fn log(&mut self, state: TokenState, generation: u64, left: Duration) {
        let Some(sign_in) = &self.shared.sign_in else {
            return;
        };
        let advice = sign_in.place().advice();
        let is_new = self.logged.is_none_or(|(logged, _)| logged != generation);
        if !state.is_usable() {
            if self.last_state.is_usable() || is_new && generation > 0 {
                self.logged = Some((generation, Duration::ZERO));
                tracing::warn!(
                    proxy = self.proxy,
                    advice,
                    "signed out, or the token has ended; requests get 503 until someone signs in"
                );
            }
            return;
        }
        let signed_in = sign_in.signed_in();
        let ends = signed_in
            .as_ref()
            .is_some_and(|person| person.until.is_some());
        if is_new {
            self.logged = Some((generation, left));
            let who = signed_in.as_ref().and_then(|person| person.who.as_deref());
            let lifetime_s = ends.then_some(left.as_secs());
            tracing::info!(proxy = self.proxy, generation, who, lifetime_s, "signed in");
            for doubt in signed_in.iter().flat_map(|person| &person.doubts) {
                tracing::warn!(proxy = self.proxy, doubt, "the token is doubtful");
            }
            return;
        }
        let logged = self.logged.map_or(Duration::MAX, |(_, left)| left);
        let passed = |mark: Duration| logged > mark && left <= mark;
        if ends && (passed(FIRST_REMINDER) || passed(LAST_REMINDER)) {
            self.logged = Some((generation, left));
            tracing::warn!(
                proxy = self.proxy,
                left_s = left.as_secs(),
                advice,
                "the token ends soon; sign in again"
            );
        }
    }
}
