//! `Expect: 100-continue` end to end (RFC 9110 §10.1.1): the body waits for the upstream's word.
//!
//! The client's own 100 leaves when its body is first asked for, so holding the body back holds that
//! back too: a refusal reaches the client before it has sent a byte.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, StatusCode, header};
use tokio::time::{Sleep, sleep};

/// A server that knows nothing of expectations waits for the body: as long as curl waits, then it gets it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Holds a request body back until the upstream says 100, or its patience is over.
#[derive(Debug)]
pub(super) struct Gate {
    said: Arc<Said>,
    patience: Pin<Box<Sleep>>,
}

#[derive(Debug, Default)]
struct Said {
    go_on: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    /// A gate for a request that expects one, and the ear for the upstream's 100.
    pub(super) fn of<B>(request: &mut Request<B>) -> Option<Self> {
        let expected = request.headers().get(header::EXPECT)?;
        if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return None;
        }
        let said = Arc::new(Said::default());
        let ear = Arc::clone(&said);
        hyper::ext::on_informational(request, move |interim| {
            if interim.status() == StatusCode::CONTINUE {
                ear.go_on();
            }
        });
        Some(Self {
            said,
            patience: Box::pin(sleep(PATIENCE)),
        })
    }

    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.said.go_on.load(Ordering::Acquire) || self.patience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        *self
            .said
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Said {
    fn go_on(&self) {
        self.go_on.store(true, Ordering::Release);
        if let Some(waker) = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            waker.wake();
        }
    }
}
