//! The requests of one HTTP/2 connection, each with its response. They are polled inside the task of the connection:
//! its streams together get no more turns than one connection of HTTP/1.1, and all of them end with it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep_until};

use super::open_streams::StreamProgress;

/// The streams of one connection that have not ended.
pub(super) struct StreamTasks {
    running: FuturesUnordered<StreamTask>,
    new: NewStreams,
    /// How long a client may leave a piece of a response without room for it.
    stall_timeout: Duration,
}

impl StreamTasks {
    pub(super) fn new(stall_timeout: Duration) -> Self {
        Self {
            running: FuturesUnordered::new(),
            new: NewStreams::default(),
            stall_timeout,
        }
    }

    /// Sets the task of the connection.
    pub(super) fn set_waker(&self, waker: &Waker) {
        self.new.lock().waker = Some(waker.clone());
    }

    /// Where hyper puts new streams.
    pub(super) fn executor(&self) -> NewStreams {
        self.new.clone()
    }

    /// Takes the streams that have begun since the last call. Returns whether there are any.
    pub(super) fn take_new(&mut self) -> bool {
        let begun = std::mem::take(&mut self.new.lock().tasks);
        let has_new = !begun.is_empty();
        for (future, progress) in begun {
            self.running.push(StreamTask {
                future,
                progress,
                stall: None,
                stall_timeout: self.stall_timeout,
            });
        }
        has_new
    }

    /// Lets each stream proceed that can.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
    }
}

/// The streams that hyper has begun, until they are taken.
#[derive(Clone, Default)]
pub(super) struct NewStreams(Arc<Mutex<Begun>>);

#[derive(Default)]
struct Begun {
    /// That of the request for which hyper is about to begin a stream.
    progress: Option<Arc<StreamProgress>>,
    tasks: Vec<(StreamFuture, Option<Arc<StreamProgress>>)>,
    waker: Option<Waker>,
}

type StreamFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

impl NewStreams {
    /// hyper begins a stream immediately after it has called the service for its request.
    pub(super) fn announce(&self, progress: Arc<StreamProgress>) {
        self.lock().progress = Some(progress);
    }

    /// Begins something else that ends with the connection. This may be called from another task, in which an upload
    /// is sent.
    pub(super) fn begin(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut begun = self.lock();
        begun.tasks.push((Box::pin(future), None));
        let waker = begun.waker.clone();
        drop(begun);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for NewStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewStreams")
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for NewStreams {
    fn execute(&self, future: F) {
        let mut begun = self.lock();
        let progress = begun.progress.take();
        begun.tasks.push((Box::pin(future), progress));
    }
}

/// One stream. It ends early if its client makes no room for the response: hyper then resets it.
struct StreamTask {
    future: StreamFuture,
    progress: Option<Arc<StreamProgress>>,
    /// For the piece of the response that waits for the client.
    stall: Option<PieceTimer>,
    stall_timeout: Duration,
}

struct PieceTimer {
    piece: u32,
    sleep: Pin<Box<Sleep>>,
}

impl StreamTask {
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let progress = self.progress.as_ref();
        let Some(piece) = progress.and_then(|progress| progress.waiting_piece()) else {
            return Poll::Pending;
        };
        let stall_timeout = self.stall_timeout;
        let due = || Instant::now() + stall_timeout;
        let stall = self.stall.get_or_insert_with(|| PieceTimer {
            piece,
            sleep: Box::pin(sleep_until(due())),
        });
        while stall.sleep.as_mut().poll(cx).is_ready() {
            if stall.piece == piece {
                return Poll::Ready(());
            }
            // Another piece has begun to wait meanwhile. Reset only now, since most pieces do not wait for long.
            stall.piece = piece;
            stall.sleep.as_mut().reset(due());
        }
        Poll::Pending
    }
}

impl Future for StreamTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.future.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.poll_stall(cx),
        }
    }
}

#[cfg(test)]
mod tests;
