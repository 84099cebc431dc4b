//! The two time limits of an exchange: for the head of the response, and between two bytes of its body.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use super::errors::{BodyError, SendError};
use super::upload_progress::{UploadProgress, UploadStage};

/// The timer of a connection, created when an exchange first has to wait.
pub(super) type HeadTimer = Option<Pin<Box<Sleep>>>;

/// `upstream.head_timeout`, which starts when the request body has been handed over. Until then, a client that stops
/// sending the body is subject to `upstream.stall_timeout`.
pub(super) struct HeadDeadline<'a> {
    /// When the request was sent.
    pub(super) start: Instant,
    /// `upstream.head_timeout`.
    pub(super) head_timeout: Duration,
    /// `upstream.stall_timeout`.
    pub(super) stall_timeout: Duration,
    /// `None` for a request without a body.
    pub(super) upload: Option<&'a UploadProgress>,
}

impl HeadDeadline<'_> {
    /// Moves `timer`, which an earlier exchange may have set, so that it fires no later than needed.
    pub(super) fn arm(&self, timer: &mut HeadTimer) {
        let first = self.start + self.check_interval();
        if let Some(timer) = timer
            && timer.deadline() > first
        {
            timer.as_mut().reset(first);
        }
    }

    /// Ready when the deadline has expired. The timer is moved when it fires, not for each frame or request, and so
    /// may be late by the shorter of the two limits.
    pub(super) fn poll(&self, timer: &mut HeadTimer, cx: &mut Context<'_>) -> Poll<SendError> {
        let timer =
            timer.get_or_insert_with(|| Box::pin(sleep_until(self.start + self.check_interval())));
        while poll_timer(timer.as_mut(), cx).is_ready() {
            let (due, error) = self.next_deadline();
            let now = Instant::now();
            if due <= now {
                return Poll::Ready(error);
            }
            timer.as_mut().reset(due.min(now + self.check_interval()));
        }
        Poll::Pending
    }

    /// During an upload, the limit that applies may change between two checks.
    fn check_interval(&self) -> Duration {
        match self.upload {
            None => self.head_timeout,
            Some(_) => self.head_timeout.min(self.stall_timeout),
        }
    }

    /// The deadline that applies now, and the error when it expires.
    fn next_deadline(&self) -> (Instant, SendError) {
        let no_head = SendError::HeadTimeout {
            limit: self.head_timeout,
        };
        match self.upload {
            None => (self.start + self.head_timeout, no_head),
            Some(upload) => match upload.stage() {
                UploadStage::WaitingForClient => (
                    upload.last_frame() + self.stall_timeout,
                    SendError::CallerStalled {
                        limit: self.stall_timeout,
                    },
                ),
                UploadStage::Sending | UploadStage::Done => {
                    (upload.last_frame() + self.head_timeout, no_head)
                }
            },
        }
    }
}

/// `upstream.stall_timeout` for a response body. It runs only while we wait for a frame, so that a body that arrives
/// together with its head never creates a timer.
pub(super) struct StallTimer {
    limit: Option<Duration>,
    last_frame: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    upload: Option<Arc<UploadProgress>>,
}

impl StallTimer {
    /// `limit` is `None` for an event stream, which may be silent for any time.
    pub(super) fn new(limit: Option<Duration>, upload: Option<Arc<UploadProgress>>) -> Self {
        Self {
            limit,
            last_frame: None,
            sleep: None,
            upload,
        }
    }

    /// Whether the whole request body has been handed over.
    pub(super) fn is_request_sent(&self) -> bool {
        self.upload
            .as_ref()
            .is_none_or(|upload| upload.stage() == UploadStage::Done)
    }

    /// Records that a frame has arrived.
    pub(super) fn restart(&mut self) {
        if self.sleep.is_some() {
            self.last_frame = Some(Instant::now());
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let last_frame = *self.last_frame.get_or_insert_with(Instant::now);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(last_frame + limit)));
        while poll_timer(sleep.as_mut(), cx).is_ready() {
            let uploaded = self.upload.as_ref().map(|upload| upload.last_frame());
            let due = uploaded.map_or(last_frame, |uploaded| uploaded.max(last_frame)) + limit;
            if due <= Instant::now() {
                return Poll::Ready(BodyError::Stalled { limit });
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// Polls a timer, even if the task's budget is spent. A peer that always has more to read would otherwise keep every
/// limit from firing.
fn poll_timer(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    if coop::has_budget_remaining() {
        timer.poll(cx)
    } else {
        pin!(coop::unconstrained(timer)).poll(cx)
    }
}

#[cfg(test)]
mod tests;
