//! The two waits of an exchange, each a named limit: for the head of the answer, and for its next byte.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::errors::{BodyError, SendError};
use super::pace::{Pace, Stage};

/// The timer of a connection, made at the first wait on it.
pub(super) type Alarm = Option<Pin<Box<Sleep>>>;

/// `upstream.head_timeout`, from the moment the request body has been handed over.
pub(super) struct HeadLimit<'a> {
    pub(super) start: Instant,
    /// `upstream.head_timeout`.
    pub(super) head: Duration,
    /// `upstream.stall_timeout`, for a body that the caller does not go on with.
    pub(super) stall: Duration,
    pub(super) pace: Option<&'a Pace>,
}

impl HeadLimit<'_> {
    /// Makes `alarm`, which may be an earlier exchange's, fire no later than this one needs it.
    pub(super) fn arm(&self, alarm: &mut Alarm) {
        let first = self.start + self.look_again();
        if let Some(set) = alarm
            && set.deadline() > first
        {
            set.as_mut().reset(first);
        }
    }

    /// Ready when it is over. The timer is moved when it fires, not at each frame or request: it is late by
    /// the shorter of the two limits at most.
    pub(super) fn poll(&self, alarm: &mut Alarm, cx: &mut Context<'_>) -> Poll<SendError> {
        let alarm =
            alarm.get_or_insert_with(|| Box::pin(sleep_until(self.start + self.look_again())));
        while alarm.as_mut().poll(cx).is_ready() {
            let (due, error) = self.verdict();
            let now = Instant::now();
            if due <= now {
                return Poll::Ready(error);
            }
            alarm.as_mut().reset(due.min(now + self.look_again()));
        }
        Poll::Pending
    }

    /// While a body is on its way, the limit that counts may change from one to the other.
    fn look_again(&self) -> Duration {
        match self.pace {
            None => self.head,
            Some(_) => self.head.min(self.stall),
        }
    }

    fn verdict(&self) -> (Instant, SendError) {
        let head = SendError::HeadTimeout { limit: self.head };
        match self.pace {
            None => (self.start + self.head, head),
            Some(pace) => match pace.stage() {
                Stage::Starved => (
                    pace.last() + self.stall,
                    SendError::CallerStalled { limit: self.stall },
                ),
                Stage::Sending | Stage::Done => (pace.last() + self.head, head),
            },
        }
    }
}

/// `upstream.stall_timeout`, running only while we wait. A body that came with its head never starts it.
pub(super) struct Stall {
    /// `None` for event streams.
    limit: Option<Duration>,
    last: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    pace: Option<Arc<Pace>>,
}

impl Stall {
    /// `None` for event streams: they may be silent for as long as they like.
    pub(super) fn new(limit: Option<Duration>, pace: Option<Arc<Pace>>) -> Self {
        Self {
            limit,
            last: None,
            sleep: None,
            pace,
        }
    }

    /// Whether the request's body has been handed over to its end.
    pub(super) fn is_request_sent(&self) -> bool {
        self.pace
            .as_ref()
            .is_none_or(|pace| pace.stage() == Stage::Done)
    }

    pub(super) fn moved(&mut self) {
        if self.sleep.is_some() {
            self.last = Some(Instant::now());
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let last = *self.last.get_or_insert_with(Instant::now);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(last + limit)));
        while sleep.as_mut().poll(cx).is_ready() {
            let uploaded = self.pace.as_ref().map(|pace| pace.last());
            let due = uploaded.map_or(last, |uploaded| uploaded.max(last)) + limit;
            if due <= Instant::now() {
                return Poll::Ready(BodyError::Stalled { limit });
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
