use super::*;

/// Takes one byte at a time, after an interruption and a refusal for now.
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

/// An output whose queue holds `lines`, with its other end.
fn output(lines: usize) -> (Output, Receiver<Item>) {
    let (queue, items) = sync_channel(lines);
    let count = Arc::default();
    (Output { queue, count }, items)
}

#[test]
fn a_line_arrives_whole_however_it_is_taken() {
    let (output, items) = output(4);
    output.line(b"abc\n".to_vec());
    let count = Arc::clone(&output.count);
    drop(output);
    let mut moody = Moody::default();
    empty(&items, &mut moody, &count);
    assert_eq!(moody.taken, b"abc\n");
    assert_eq!(count.lost.load(Ordering::Relaxed), 0);
}

#[test]
fn a_line_that_the_output_refuses_is_counted() {
    let (output, items) = output(4);
    output.line(b"abc\n".to_vec());
    let count = Arc::clone(&output.count);
    drop(output);
    empty(&items, &mut &mut [0_u8; 2][..], &count); // room for half of it
    assert_eq!(count.lost.load(Ordering::Relaxed), 1);
}

#[test]
fn a_full_queue_costs_lines_and_no_time() {
    let (output, _items) = output(1);
    for _ in 0..3 {
        output.line(b"x\n".to_vec()); // hangs here if it waits
    }
    assert_eq!(output.lost(), 2);
    assert_eq!(output.count.waiting.load(Ordering::Relaxed), 2);
}

#[test]
fn long_lines_cost_lines_before_they_cost_memory() {
    let (output, items) = output(QUEUE_LINES);
    let line = vec![b'x'; 60 << 10];
    let fitting = QUEUE_BYTES / line.len();
    for _ in 0..4000 {
        output.line(line.clone());
    }
    assert_eq!(output.lost(), (4000 - fitting) as u64);
    let count = Arc::clone(&output.count);
    let held = items.try_iter().map(|item| match item {
        Item::Line(line) => line.len(),
        Item::Reached(_) => 0,
    });
    assert_eq!(held.sum::<usize>(), fitting * line.len());

    let (queue, items) = sync_channel(QUEUE_LINES);
    let output = Output { queue, count };
    output.count.waiting.store(0, Ordering::Relaxed);
    output.line(line.clone());
    let count = Arc::clone(&output.count);
    drop(output);
    empty(&items, &mut io::sink(), &count);
    assert_eq!(count.waiting.load(Ordering::Relaxed), 0, "room again");
}
