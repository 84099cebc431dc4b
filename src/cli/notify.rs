//! What a service manager is told (`sd_notify(3)`): that we serve, how we are, that we stop. Never waits for it.
//!
//! Our own lines and no crate: the one that the field uses sends with a blocking socket, and a manager that does
//! not read would stall the loop that serves.

#[cfg(target_os = "linux")]
use std::os::unix::net::UnixDatagram;

use std::convert::Infallible;
use std::ffi::OsString;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often the state is looked at where no watchdog wants more.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// The way to the service manager; a no-op where there is none.
pub(super) struct Notifier {
    #[cfg(target_os = "linux")]
    socket: Option<UnixDatagram>,
    /// `WATCHDOG_USEC`: after so long without a sign of life the manager restarts us.
    watchdog: Option<Duration>,
}

/// What the manager has put into our environment.
#[derive(Default)]
struct Given {
    socket: Option<OsString>,
    watchdog_usec: Option<String>,
    watchdog_pid: Option<String>,
}

impl Notifier {
    /// As the environment says. It is left as it is: changing it is not safe beside other threads, and our child
    /// processes get none of it.
    pub(super) fn of_environment() -> Self {
        Self::new(Given {
            socket: std::env::var_os("NOTIFY_SOCKET"),
            watchdog_usec: std::env::var("WATCHDOG_USEC").ok(),
            watchdog_pid: std::env::var("WATCHDOG_PID").ok(),
        })
    }

    fn new(given: Given) -> Self {
        let is_ours = given
            .watchdog_pid
            .is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = given
            .watchdog_usec
            .filter(|_| is_ours)
            .and_then(|microseconds| microseconds.parse().ok())
            .map(Duration::from_micros);
        Self {
            #[cfg(target_os = "linux")]
            socket: given.socket.and_then(|name| connect(&name).ok()),
            watchdog: watchdog.filter(|limit| !limit.is_zero()),
        }
    }

    /// The listeners are there, or a reload is over.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// A reload begins; [`ready`](Self::ready) ends it, whatever came of it.
    pub(super) fn reloading(&self) {
        self.send(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}",
            monotonic_microseconds()
        ));
    }

    /// No further requests are taken.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// Signs of life at half of the watchdog's time, and the state whenever it has changed.
    ///
    /// To be polled by the task that also stops the process, on the runtime that accepts connections and serves
    /// the first worker's: where that loop hangs, the signs end. With `runtime.threads` above 1 a further
    /// worker that hangs alone is not seen.
    pub(super) async fn keep_informed(&self, status: impl Fn() -> String) -> Infallible {
        if !self.has_manager() {
            return std::future::pending().await;
        }
        let mut ticks = interval(self.watchdog.map_or(STATUS_INTERVAL, |limit| limit / 2));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = String::new();
        loop {
            ticks.tick().await;
            let now = status();
            let changed = (now != told).then(|| format!("STATUS={}", one_line(&now)));
            let sign = self.watchdog.map(|_| "WATCHDOG=1".to_owned());
            let lines: Vec<String> = sign.into_iter().chain(changed).collect();
            if !lines.is_empty() {
                self.send(&lines.join("\n"));
            }
            told = now;
        }
    }

    #[cfg(target_os = "linux")]
    const fn has_manager(&self) -> bool {
        self.socket.is_some()
    }

    #[cfg(target_os = "linux")]
    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(message.as_bytes()); // full: the next one tells it
        }
    }

    #[cfg(not(target_os = "linux"))]
    const fn has_manager(&self) -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn send(&self, _message: &str) {}
}

/// A path, or `@NAME` in the abstract namespace (`unix(7)`).
#[cfg(target_os = "linux")]
fn connect(name: &std::ffi::OsStr) -> std::io::Result<UnixDatagram> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// A message is lines of `NAME=VALUE`.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// `CLOCK_MONOTONIC`, by which the manager knows which reload is meant.
#[cfg(unix)]
fn monotonic_microseconds() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// Nobody asks.
#[cfg(not(unix))]
fn monotonic_microseconds() -> i64 {
    0
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
