//! A bounded queue in front of standard error. A thread writes its lines, so that logging never waits.
//!
//! This is not `tracing-appender`, because that does not count lines that a full disk or a closed pipe rejects, and at
//! exit it prints to standard output, which may be just as blocked, and panics if that is closed.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait for a slow output. Further lines are dropped.
const QUEUE_LINES: usize = 8192;

/// How many bytes these lines may have together, because a client influences how long a line is.
const QUEUE_BYTES: usize = 8 << 20;

/// How long the process waits for a slow output before it exits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait after `EAGAIN`, which a terminal returns if another program has made it non-blocking.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// The queue of the process, because it has one standard error.
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// The sending end of the queue.
pub(super) struct LogQueue {
    items: SyncSender<QueueItem>,
    counters: Arc<QueueCounters>,
}

#[derive(Default)]
struct QueueCounters {
    dropped_lines: AtomicU64,
    /// Bytes of the lines that wait, and of the one that is being written.
    waiting_bytes: AtomicUsize,
}

impl QueueCounters {
    /// Reserves room for a line. Returns false if the queue is full.
    fn reserve(&self, bytes: usize) -> bool {
        let fits = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn count_dropped(&self) {
        self.dropped_lines.fetch_add(1, Ordering::Relaxed);
    }
}

enum QueueItem {
    Line(Box<[u8]>),
    /// Signals that all lines before it have been written.
    Flushed(SyncSender<()>),
}

impl LogQueue {
    /// The queue, if [`FlushOnDrop::start`] has been called.
    pub(super) fn started() -> Option<&'static Self> {
        QUEUE.get()
    }

    /// Queues a line, or counts it as dropped.
    pub(super) fn push(&self, line: impl Into<Box<[u8]>>) {
        let line = line.into();
        let bytes = line.len();
        if !self.counters.reserve(bytes) {
            self.counters.count_dropped();
        } else if self.items.try_send(QueueItem::Line(line)).is_err() {
            self.counters.release(bytes);
            self.counters.count_dropped();
        }
    }

    /// How many lines have been dropped, because the queue was full or the output failed.
    pub(super) fn dropped(&self) -> u64 {
        self.counters.dropped_lines.load(Ordering::Relaxed)
    }

    fn start() -> Self {
        let (sender, items) = sync_channel(QUEUE_LINES);
        let counters = Arc::<QueueCounters>::default();
        let queue = Self {
            items: sender,
            counters: Arc::clone(&counters),
        };
        // If the thread cannot be started, every line is dropped and counted.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&items, &mut io::stderr(), &counters));
        queue
    }

    fn flush(&self) {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        let (flushed, wait) = sync_channel(1);
        let mut item = QueueItem::Flushed(flushed);
        while let Err(TrySendError::Full(returned)) = self.items.try_send(item) {
            if Instant::now() >= deadline {
                return;
            }
            item = returned;
            pause();
        }
        let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

fn write_all(items: &Receiver<QueueItem>, output: &mut impl Write, counters: &QueueCounters) {
    for item in items {
        match item {
            QueueItem::Line(line) => {
                if write_line(&line, output).is_err() {
                    counters.count_dropped();
                }
                counters.release(line.len());
            }
            QueueItem::Flushed(flushed) => drop(flushed.send(())),
        }
    }
}

fn write_line(mut line: &[u8], output: &mut impl Write) -> io::Result<()> {
    while !line.is_empty() {
        match output.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = &line[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => pause(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "only the log thread and the exit of the process wait here, never a request"
)]
fn pause() {
    std::thread::sleep(RETRY_DELAY);
}

/// Flushes the queue when it is dropped, which takes at most a second.
#[must_use]
pub struct FlushOnDrop(());

impl FlushOnDrop {
    /// Starts the queue. From now on everything for standard error goes through it.
    pub fn start() -> Self {
        QUEUE.get_or_init(LogQueue::start);
        Self(())
    }
}

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        if let Some(queue) = LogQueue::started() {
            queue.flush();
        }
    }
}

/// Pushes the lines of `tracing`, which makes one call for each.
pub(super) struct LineWriter;

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(queue) = LogQueue::started() {
            queue.push(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
