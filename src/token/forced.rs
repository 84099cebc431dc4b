//! How often the upstream's 401s may force a refresh: once for all of them, followed by a pause that grows while the
//! replayed requests are rejected too. Pure: the time is an argument.
//!
//! Some APIs respond with 401 to a route for which a role is missing, whatever the token. Such a route has a pause of
//! its own, so that its 401s do not keep others from noticing that the token was revoked. What all routes together may
//! force is bounded too, since a client can invent routes.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::clock::Timestamp;
use super::schedule::{FORCED_PAUSE_MAX, FORCED_PAUSE_MIN};

/// How many routes are remembered: those that pause the longest.
const MAX_ROUTES: usize = 64;
/// How many routes may force a refresh without a pause between them.
const BURST: u32 = 3;

/// What a request asks for, as far as the upstream may require another role for it: method and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRoute(u64);

impl RequestRoute {
    /// The route of a request. Only its digest is kept, since a path may be confidential.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Self {
        let digest = BuildHasherDefault::<DefaultHasher>::default().hash_one((method, path));
        Self(digest)
    }
}

/// The forced refreshes so far, and when the next one may start.
#[derive(Debug)]
pub(super) struct ForcedRefreshes {
    /// The number of the attempt that satisfies the last demand.
    attempt: u64,
    /// Whether that demand used up one of `spare`.
    used_spare: bool,
    /// The routes that have forced a refresh, or were rejected with the token that another one had forced.
    routes: Vec<RoutePause>,
    /// The route of the last demand, and when that was.
    last: Option<(RequestRoute, Instant)>,
    /// How many routes without a pause of their own may force a refresh now.
    spare: u32,
    /// When `spare` last changed.
    counted: Option<Instant>,
    /// How long it takes until there is one more.
    pause: Duration,
    /// Since when forced refreshes do not help: no request has been accepted since.
    ineffective_since: Option<SystemTime>,
}

#[derive(Debug)]
struct RoutePause {
    route: RequestRoute,
    /// When it last forced a refresh; `None` if there was no newer token.
    last: Option<Instant>,
    pause: Duration,
    /// Whether a replay was accepted since; `None` before the first replay.
    accepted: Option<bool>,
}

impl ForcedRefreshes {
    pub(super) const fn new() -> Self {
        Self {
            attempt: 0,
            used_spare: false,
            routes: Vec::new(),
            last: None,
            spare: BURST,
            counted: None,
            pause: FORCED_PAUSE_MIN,
            ineffective_since: None,
        }
    }

    /// Whether the last demand waits for an attempt that has not finished.
    pub(super) const fn is_outstanding(&self, finished: u64) -> bool {
        self.attempt > finished
    }

    /// Demands that attempt `number` be made as soon as it may.
    ///
    /// # Errors
    /// How long refreshes that this route forces are still paused.
    pub(super) fn demand(
        &mut self,
        number: u64,
        route: RequestRoute,
        now: Instant,
    ) -> Result<(), Duration> {
        self.replenish(now);
        let known = self.routes.iter().position(|known| known.route == route);
        let mut own = RoutePause {
            route,
            last: None,
            pause: FORCED_PAUSE_MIN,
            accepted: None,
        };
        if let Some(known) = known {
            let left = self.routes[known].left(now);
            if !left.is_zero() {
                return Err(left);
            }
            own.pause = self.routes[known].pause;
        }
        // A route that is known for its own 401s has paused long enough.
        self.used_spare = own.pause == FORCED_PAUSE_MIN;
        if self.used_spare {
            if self.spare == 0 {
                return Err(self.until_spare(now));
            }
            self.spare -= 1;
            self.counted.get_or_insert(now);
        }
        self.attempt = number;
        own.last = Some(now);
        self.last = Some((route, now));
        self.remember(own, now);
        Ok(())
    }

    /// The attempt that was demanded yielded no token: it does not count.
    pub(super) fn failed(&mut self, number: u64) {
        if self.attempt == number
            && let Some((route, _)) = self.last.take()
        {
            if let Some(known) = self.routes.iter_mut().find(|known| known.route == route) {
                known.last = None;
            }
            if self.used_spare {
                self.spare = (self.spare + 1).min(BURST);
            }
        }
    }

    /// Records the upstream's response to one replay. A hundred replays after one refresh count once, and a single
    /// accepted one outweighs the others: the token was at fault then, and the refresh helped. `is_in_use` if other
    /// requests have been accepted with the same token.
    pub(super) fn replayed(
        &mut self,
        route: RequestRoute,
        accepted: bool,
        is_in_use: bool,
        now: Timestamp,
    ) {
        let known = self.routes.iter_mut().find(|known| known.route == route);
        if accepted {
            if let Some(known) = known {
                known.pause = FORCED_PAUSE_MIN;
                known.accepted = Some(true);
            }
            return self.worked();
        }
        match known {
            Some(known) if known.accepted.is_some() => return,
            Some(known) => {
                let is_first = known.pause == FORCED_PAUSE_MIN;
                known.pause = (known.pause * 2).min(FORCED_PAUSE_MAX);
                known.accepted = Some(false);
                if is_first && !is_in_use {
                    self.pause = (self.pause * 2).min(FORCED_PAUSE_MAX);
                }
            }
            // It waited for the refresh that another route had forced.
            None => {
                let waited = RoutePause {
                    route,
                    last: self.last.map(|(_, at)| at),
                    pause: FORCED_PAUSE_MIN * 2,
                    accepted: Some(false),
                };
                self.remember(waited, now.monotonic);
            }
        }
        if !is_in_use {
            self.ineffective_since.get_or_insert(now.wall);
        }
    }

    /// A request was accepted with the newest token.
    pub(super) const fn worked(&mut self) {
        self.ineffective_since = None;
        self.pause = FORCED_PAUSE_MIN;
    }

    /// Since when forced refreshes do not help: the upstream rejects a fresh token too, perhaps because a role is
    /// missing.
    pub(super) const fn ineffective_since(&self) -> Option<SystemTime> {
        self.ineffective_since
    }

    /// If there are too many, forgets the route whose pause ends first, and of several the newest: a client can invent
    /// routes, and must not make the pause of another one end early. What was demanded last stays, since `failed` may
    /// concern it.
    fn remember(&mut self, own: RoutePause, now: Instant) {
        self.routes.retain(|known| known.route != own.route);
        let forced_last = self.last.map(|(route, _)| route);
        self.routes.push(own);
        if self.routes.len() > MAX_ROUTES {
            let routes = self.routes.iter().enumerate();
            let kept_until = |(_, known): &(usize, &RoutePause)| {
                (Some(known.route) == forced_last, known.left(now))
            };
            let first = routes.rev().min_by_key(kept_until).map(|(index, _)| index);
            if let Some(index) = first {
                self.routes.remove(index);
            }
        }
    }

    fn replenish(&mut self, now: Instant) {
        while let Some(counted) = self.counted {
            if now.saturating_duration_since(counted) < self.pause {
                return;
            }
            self.spare += 1;
            self.counted = (self.spare < BURST).then(|| counted + self.pause);
        }
    }

    fn until_spare(&self, now: Instant) -> Duration {
        let since = self.counted.map(|at| now.saturating_duration_since(at));
        self.pause.saturating_sub(since.unwrap_or_default())
    }
}

impl RoutePause {
    fn left(&self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |last| {
            self.pause
                .saturating_sub(now.saturating_duration_since(last))
        })
    }
}

#[cfg(test)]
mod tests;
