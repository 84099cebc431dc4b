use super::*;

/// An output that writes one byte at a time, each after `Interrupted` and `WouldBlock`.
#[derive(Default)]
struct Moody {
    calls: usize,
    taken: Vec<u8>,
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        match self.calls % 3 {
            1 => Err(ErrorKind::Interrupted.into()),
            2 => Err(ErrorKind::WouldBlock.into()),
            _ => {
                self.taken.push(bytes[0]);
                Ok(1)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A queue of `lines` lines, with its receiving end.
fn queue(lines: usize) -> (LogQueue, Receiver<QueueItem>) {
    let (sender, items) = sync_channel(lines);
    let counters = Arc::default();
    let queue = LogQueue {
        items: sender,
        counters,
    };
    (queue, items)
}

#[test]
fn a_line_is_written_whole_by_partial_writes() {
    let (queue, items) = queue(4);
    queue.push(b"abc\n".to_vec());
    let counters = Arc::clone(&queue.counters);
    drop(queue);
    let mut moody = Moody::default();
    write_all(&items, &mut moody, &counters);
    assert_eq!(moody.taken, b"abc\n");
    assert_eq!(counters.dropped_lines.load(Ordering::Relaxed), 0);
}

#[test]
fn a_line_that_the_output_rejects_is_counted() {
    let (queue, items) = queue(4);
    queue.push(b"abc\n".to_vec());
    let counters = Arc::clone(&queue.counters);
    drop(queue);
    write_all(&items, &mut &mut [0_u8; 2][..], &counters); // room for half of it
    assert_eq!(counters.dropped_lines.load(Ordering::Relaxed), 1);
}

#[test]
fn a_full_queue_drops_lines_and_never_waits() {
    let (queue, _items) = queue(1);
    for _ in 0..3 {
        queue.push(b"x\n".to_vec()); // hangs here if it waits
    }
    assert_eq!(queue.dropped(), 2);
    assert_eq!(queue.counters.waiting_bytes.load(Ordering::Relaxed), 2);
}

#[test]
fn long_lines_are_dropped_before_they_exceed_the_memory_limit() {
    let (queue, items) = queue(QUEUE_LINES);
    let line = vec![b'x'; 60 << 10];
    let fitting = QUEUE_BYTES / line.len();
    for _ in 0..4000 {
        queue.push(line.clone());
    }
    assert_eq!(queue.dropped(), (4000 - fitting) as u64);
    let counters = Arc::clone(&queue.counters);
    let held = items.try_iter().map(|item| match item {
        QueueItem::Line(line) => line.len(),
        QueueItem::Flushed(_) => 0,
    });
    assert_eq!(held.sum::<usize>(), fitting * line.len());

    let (sender, items) = sync_channel(QUEUE_LINES);
    let queue = LogQueue {
        items: sender,
        counters,
    };
    queue.counters.waiting_bytes.store(0, Ordering::Relaxed);
    queue.push(line.clone());
    let counters = Arc::clone(&queue.counters);
    drop(queue);
    write_all(&items, &mut io::sink(), &counters);
    assert_eq!(
        counters.waiting_bytes.load(Ordering::Relaxed),
        0,
        "room again"
    );
}
