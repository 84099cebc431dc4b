//! Standard error behind one bounded queue, emptied by a thread of its own: whoever writes a line never waits.
//!
//! Our own lines and no crate: `tracing-appender` does not count what a full disk or a closed pipe refuses, and
//! on its way out it prints to a standard output that may be just as blocked, or panics where that is closed.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for a slow output; later ones are dropped, never waited for.
const QUEUE_LINES: usize = 8192;

/// What they may hold together, in bytes: how long a line is, a caller may have a say in.
const QUEUE_BYTES: usize = 8 << 20;

/// How long the end of the process waits for an output that is slow.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// How long an output that takes nothing now (`EAGAIN`: a terminal that another program has changed) is left alone.
const RETRY: Duration = Duration::from_millis(10);

/// The process has one standard error, so there is one of these.
static OUTPUT: OnceLock<Output> = OnceLock::new();

/// Where lines go.
pub(super) struct Output {
    queue: SyncSender<Item>,
    count: Arc<Count>,
}

/// What became of lines.
#[derive(Default)]
struct Count {
    lost: AtomicU64,
    /// Bytes of those that wait, and of the one that is being written.
    waiting: AtomicUsize,
}

impl Count {
    /// Room for so many bytes, if there is.
    fn enter(&self, bytes: usize) -> bool {
        let fits = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES;
        if !fits {
            self.leave(bytes);
        }
        fits
    }

    fn leave(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn lose_one(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

enum Item {
    Line(Box<[u8]>),
    /// Everything before has been written.
    Reached(SyncSender<()>),
}

impl Output {
    /// The queue, if [`Flushing::start`] has been called.
    pub(super) fn started() -> Option<&'static Self> {
        OUTPUT.get()
    }

    /// Queues a line, or counts it as lost.
    pub(super) fn line(&self, line: impl Into<Box<[u8]>>) {
        let line = line.into();
        let bytes = line.len();
        if !self.count.enter(bytes) {
            self.count.lose_one();
        } else if self.queue.try_send(Item::Line(line)).is_err() {
            self.count.leave(bytes);
            self.count.lose_one();
        }
    }

    /// How many lines were lost so far: the queue was full, or the output refused them.
    pub(super) fn lost(&self) -> u64 {
        self.count.lost.load(Ordering::Relaxed)
    }

    fn start() -> Self {
        let (queue, items) = sync_channel(QUEUE_LINES);
        let count = Arc::<Count>::default();
        let output = Self {
            queue,
            count: Arc::clone(&count),
        };
        // Without the thread every line is lost, and counted.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || empty(&items, &mut io::stderr(), &count));
        output
    }

    fn flush(&self) {
        let until = Instant::now() + FLUSH_LIMIT;
        let (reached, wait) = sync_channel(1);
        let mut mark = Item::Reached(reached);
        while let Err(TrySendError::Full(again)) = self.queue.try_send(mark) {
            if Instant::now() >= until {
                return;
            }
            mark = again;
            pause();
        }
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn empty(items: &Receiver<Item>, into: &mut impl Write, count: &Count) {
    for item in items {
        match item {
            Item::Line(line) => {
                if write_whole(&line, into).is_err() {
                    count.lose_one();
                }
                count.leave(line.len());
            }
            Item::Reached(mark) => drop(mark.send(())),
        }
    }
}

fn write_whole(mut line: &[u8], into: &mut impl Write) -> io::Result<()> {
    while !line.is_empty() {
        match into.write(line) {
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
    reason = "on the thread of the log, and where the process ends: no request waits here"
)]
fn pause() {
    std::thread::sleep(RETRY);
}

/// Writes what is left when it is dropped, for at most a second: hence one for a process.
#[must_use]
pub struct Flushing(());

impl Flushing {
    /// From here on everything for standard error goes through the queue.
    pub fn start() -> Self {
        OUTPUT.get_or_init(Output::start);
        Self(())
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        if let Some(output) = Output::started() {
            output.flush();
        }
    }
}

/// As `tracing` writes: one call a line.
pub(super) struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(output) = Output::started() {
            output.line(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
