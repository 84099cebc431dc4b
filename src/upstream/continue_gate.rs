//! `Expect: 100-continue` end to end (RFC 9110 section 10.1.1): the request body waits for the upstream's 100.
//!
//! Our server sends its own 100 to the client when the body is first polled. Holding the body back therefore holds
//! that 100 back too, and a rejection reaches the client before it has sent a byte of the body.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, StatusCode, header};
use tokio::time::{Sleep, sleep};

/// How long the body is held back for an upstream that does not support `Expect`. curl waits for the same time.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Holds a request body back until the upstream sends 100, or until the timeout expires.
#[derive(Debug)]
pub(super) struct ContinueGate {
    signal: Arc<ContinueSignal>,
    timeout: Pin<Box<Sleep>>,
}

#[derive(Debug, Default)]
struct ContinueSignal {
    received: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl ContinueGate {
    /// Creates a gate if the request expects a 100, and subscribes to the upstream's interim responses.
    pub(super) fn for_request<B>(request: &mut Request<B>) -> Option<Self> {
        let expect = request.headers().get(header::EXPECT)?;
        if !expect.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return None;
        }
        let signal = Arc::new(ContinueSignal::default());
        let subscriber = Arc::clone(&signal);
        hyper::ext::on_informational(request, move |interim| {
            if interim.status() == StatusCode::CONTINUE {
                subscriber.open();
            }
        });
        Some(Self {
            signal,
            timeout: Box::pin(sleep(CONTINUE_TIMEOUT)),
        })
    }

    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.received.load(Ordering::Acquire) || self.timeout.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(());
        }
        *self
            .signal
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl ContinueSignal {
    fn open(&self) {
        self.received.store(true, Ordering::Release);
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
