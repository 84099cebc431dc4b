//! What hyper starts for an HTTP/2 connection: a task that reads and writes, and one or two for each request. They are
//! polled inside the one task of the connection, so that none of them outlives it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;

/// The tasks of one connection.
pub(super) struct ConnectionTasks {
    running: FuturesUnordered<ConnectionTask>,
    new: NewTasks,
}

impl ConnectionTasks {
    pub(super) fn new() -> Self {
        Self {
            running: FuturesUnordered::new(),
            new: NewTasks::default(),
        }
    }

    /// Where hyper puts new tasks.
    pub(super) fn executor(&self) -> NewTasks {
        self.new.clone()
    }

    /// Takes the tasks that have begun since the last call. Returns whether there are any.
    pub(super) fn take_new(&self) -> bool {
        let begun = std::mem::take(&mut self.new.lock().begun);
        let has_new = !begun.is_empty();
        for task in begun {
            self.running.push(task);
        }
        has_new
    }

    /// Whether requests have been handed over since the last call.
    pub(super) fn take_handed_over(&self) -> bool {
        std::mem::take(&mut self.new.lock().is_handed_over)
    }

    /// Lets each task proceed that can.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

/// The tasks that hyper has begun, until they are taken.
#[derive(Clone, Default)]
pub(super) struct NewTasks(Arc<Mutex<BegunTasks>>);

#[derive(Default)]
struct BegunTasks {
    /// That of the request body for which hyper is about to begin a task.
    upload: Option<Arc<UploadSwitch>>,
    begun: Vec<ConnectionTask>,
    /// A request is on its way to the connection.
    is_handed_over: bool,
}

impl NewTasks {
    /// hyper begins a task immediately after it has polled a request body for the first time.
    pub(super) fn announce(&self, upload: Arc<UploadSwitch>) {
        self.lock().upload = Some(upload);
    }

    /// A request is handed over to the connection now.
    pub(super) fn note_request(&self) {
        self.lock().is_handed_over = true;
    }

    fn lock(&self) -> MutexGuard<'_, BegunTasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for NewTasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewTasks")
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for NewTasks {
    fn execute(&self, future: F) {
        let mut begun = self.lock();
        let upload = begun.upload.take();
        begun.begun.push(ConnectionTask {
            future: Box::pin(future),
            upload,
        });
    }
}

/// One of these tasks. That of an upload ends early once the upload is no longer needed: hyper then resets its stream.
struct ConnectionTask {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    upload: Option<Arc<UploadSwitch>>,
}

impl Future for ConnectionTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(upload) = &self.upload
            && upload.poll_off(cx).is_ready()
        {
            return Poll::Ready(());
        }
        self.future.as_mut().poll(cx)
    }
}

/// Ends an upload from the task that waits for the response.
#[derive(Debug, Default)]
pub(super) struct UploadSwitch {
    is_off: AtomicBool,
    task: AtomicWaker,
}

impl UploadSwitch {
    /// Ends the upload, if it has not ended.
    pub(super) fn turn_off(&self) {
        self.is_off.store(true, Ordering::Release);
        self.task.wake();
    }

    fn poll_off(&self, cx: &Context<'_>) -> Poll<()> {
        self.task.register(cx.waker());
        if self.is_off.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
