//! Sends requests at a fixed rate and prints how long they took, as JSON on one line.
//!
//! `paced PORT PATH RATE CONNECTIONS SECONDS` opens keep-alive connections to `127.0.0.1:PORT`, each with a thread
//! and a timetable of its own, and sends `RATE` requests a second in all. It needs only the standard library, so that
//! `benches/sidebyside` can compile this file alone.
//!
//! A client that waits for each answer before it sends the next request sends fewer requests while the server is
//! stuck, and so leaves out just the requests that would have been slow ("coordinated omission"). Here the timetable
//! does not move. If the answer before it was late, a request counts from when it was due. Otherwise it counts from
//! when it was sent, because then only this program was late.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, whose result is what it prints"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "threads with a clock of their own, and no runtime"
)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer may take. A server that is stuck fails the measurement instead of delaying it for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let Some(plan) = Plan::parse(&args) else {
        eprintln!("usage: paced PORT PATH RATE CONNECTIONS SECONDS");
        return ExitCode::from(2);
    };
    match plan.carry_out() {
        Ok(outcome) => {
            println!("{outcome}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("paced: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Plan {
    port: u16,
    path: String,
    /// Requests per second on all connections together.
    rate: f64,
    connections: u32,
    seconds: f64,
}

impl Plan {
    fn parse(args: &[String]) -> Option<Self> {
        let [_, port, path, rate, connections, seconds] = args else {
            return None;
        };
        Some(Self {
            port: port.parse().ok()?,
            path: path.clone(),
            rate: rate.parse().ok().filter(|rate| *rate > 0.0)?,
            connections: connections.parse().ok().filter(|count| *count > 0)?,
            seconds: seconds.parse().ok().filter(|seconds| *seconds > 0.0)?,
        })
    }

    fn carry_out(&self) -> io::Result<String> {
        let clients: io::Result<Vec<Client>> = (0..self.connections)
            .map(|_| Client::connect(self.port, &self.path))
            .collect();
        let interval = Duration::from_secs_f64(f64::from(self.connections) / self.rate);
        // All threads run before the first request is due.
        let begin = Instant::now() + Duration::from_millis(100);
        let end = begin + Duration::from_secs_f64(self.seconds);
        let threads: Vec<_> = (0..self.connections)
            .zip(clients?)
            .map(|(index, mut client)| {
                // The connections take turns within one interval.
                let first = begin + interval * index / self.connections;
                thread::spawn(move || client.follow_timetable(first, interval, end))
            })
            .collect();
        let mut latencies = Vec::new();
        for thread in threads {
            latencies.extend(thread.join().expect("no thread of this program panics")?);
        }
        let seconds = begin.elapsed().as_secs_f64();
        latencies.sort_unstable();
        Ok(summary(&latencies, seconds))
    }
}

struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    /// What has been received and not yet read.
    buffer: Vec<u8>,
}

impl Client {
    fn connect(port: u16, path: &str) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        Ok(Self {
            stream,
            request: request.into_bytes(),
            buffer: Vec::new(),
        })
    }

    /// Sends a request whenever one is due until `end`, and returns how long each took.
    fn follow_timetable(
        &mut self,
        first: Instant,
        interval: Duration,
        end: Instant,
    ) -> io::Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        let mut due = first;
        while due < end {
            let wait = due.saturating_duration_since(Instant::now());
            let is_late = wait.is_zero();
            thread::sleep(wait);
            let start = if is_late { due } else { Instant::now() };
            self.stream.write_all(&self.request)?;
            self.read_answer()?;
            latencies.push(start.elapsed());
            due += interval;
        }
        Ok(latencies)
    }

    fn read_answer(&mut self) -> io::Result<()> {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.receive()?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(io::Error::other(format!("a request failed: {head}")));
        }
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse().ok())
            .ok_or_else(|| io::Error::other("an answer has no Content-Length"))?;
        while self.buffer.len() < head_end + length {
            self.receive()?;
        }
        self.buffer.drain(..head_end + length);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

/// `latencies` must be sorted.
fn summary(latencies: &[Duration], seconds: f64) -> String {
    let microseconds = |per_mille: usize| {
        let rank = (latencies.len() * per_mille).div_ceil(1000).max(1);
        latencies.get(rank - 1).map_or(0, Duration::as_micros)
    };
    format!(
        r#"{{"requests": {}, "seconds": {seconds:.3}, "p50": {}, "p90": {}, "p99": {}, "max": {}}}"#,
        latencies.len(),
        microseconds(500),
        microseconds(900),
        microseconds(990),
        microseconds(1000),
    )
}
