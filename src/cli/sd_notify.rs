//! Notifies a service manager such as systemd (`sd_notify(3)`): ready, reloading, stopping, and the status between.
//! It never waits for the manager.
//!
//! The usual crate sends on a blocking socket, on which a manager that does not read would stall the proxy.

#[cfg(target_os = "linux")]
use std::os::unix::net::UnixDatagram;

use std::convert::Infallible;
#[cfg(target_os = "linux")]
use std::ffi::OsString;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often the status is compared with the last one sent, unless the watchdog needs a shorter interval.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// The connection to the service manager. Without one, nothing is sent.
pub(super) struct ServiceManager {
    #[cfg(target_os = "linux")]
    socket: Option<UnixDatagram>,
    /// `WATCHDOG_USEC`: the manager restarts this process if it hears nothing for this long.
    watchdog: Option<Duration>,
}

/// The variables that the manager sets.
#[derive(Default)]
struct ManagerEnvironment {
    #[cfg(target_os = "linux")]
    socket: Option<OsString>,
    watchdog_usec: Option<String>,
    watchdog_pid: Option<String>,
}

impl ServiceManager {
    /// Leaves the environment unchanged: changing it is not safe while other threads run, and child processes get none
    /// of these variables anyway.
    pub(super) fn from_environment() -> Self {
        Self::new(ManagerEnvironment {
            #[cfg(target_os = "linux")]
            socket: std::env::var_os("NOTIFY_SOCKET"),
            watchdog_usec: std::env::var("WATCHDOG_USEC").ok(),
            watchdog_pid: std::env::var("WATCHDOG_PID").ok(),
        })
    }

    fn new(environment: ManagerEnvironment) -> Self {
        let is_for_us = environment
            .watchdog_pid
            .is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = environment
            .watchdog_usec
            .filter(|_| is_for_us)
            .and_then(|microseconds| microseconds.parse().ok())
            .map(Duration::from_micros);
        Self {
            #[cfg(target_os = "linux")]
            socket: environment.socket.and_then(|name| connect(&name).ok()),
            watchdog: watchdog.filter(|limit| !limit.is_zero()),
        }
    }

    /// The process serves, or a reload has ended.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// A reload has begun. [`ready`](Self::ready) ends it, whether it succeeded or not.
    pub(super) fn reloading(&self) {
        self.send(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}",
            monotonic_microseconds()
        ));
    }

    /// The process has begun to stop.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// Sends `WATCHDOG=1` at half of the watchdog's interval, and the status whenever it has changed.
    ///
    /// Must be polled on the runtime that accepts connections and serves those of the first worker, so that the
    /// messages stop when that runtime hangs. With `runtime.threads` above 1, a hang of another worker is not noticed.
    pub(super) async fn keep_informed(&self, status: impl Fn() -> String) -> Infallible {
        if !self.has_manager() {
            return std::future::pending().await;
        }
        let mut ticks = interval(self.watchdog.map_or(STATUS_INTERVAL, |limit| limit / 2));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent = String::new();
        loop {
            ticks.tick().await;
            let now = status();
            let changed = (now != sent).then(|| format!("STATUS={}", one_line(&now)));
            let alive = self.watchdog.map(|_| "WATCHDOG=1".to_owned());
            let lines: Vec<String> = alive.into_iter().chain(changed).collect();
            if !lines.is_empty() {
                self.send(&lines.join("\n"));
            }
            sent = now;
        }
    }

    #[cfg(target_os = "linux")]
    const fn has_manager(&self) -> bool {
        self.socket.is_some()
    }

    #[cfg(target_os = "linux")]
    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(message.as_bytes()); // if the queue is full, a later message has the status
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

/// A message consists of lines with `NAME=VALUE`, so a value must not contain a line break.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// `CLOCK_MONOTONIC`, by which the manager matches the message to its reload request.
#[cfg(unix)]
fn monotonic_microseconds() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// There is no such manager on this system.
#[cfg(not(unix))]
fn monotonic_microseconds() -> i64 {
    0
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
