//! Real servers and real clients on free ports of loopback: what the claims of the other modules are made of.
//!
//! Nothing sleeps to be right: every wait is for an event, with a bound that only a hang reaches.

#[cfg(unix)]
mod binary;
mod client;
mod followed;
mod message;
pub(crate) mod printed;
mod proxy;
mod relay;
mod secrets;
mod upstream;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

#[cfg(unix)]
pub(crate) use binary::{Binary, Config};
pub(crate) use client::{Answer, Client, End, ask, get, many_fields, post};
pub(crate) use followed::Followed;
pub(crate) use proxy::{Proxy, SECRET, TOKEN, token_answer};
pub(crate) use relay::{Fault, Relay};
pub(crate) use secrets::{CLIENT_ID, leaked};
pub(crate) use upstream::{Connection, Upstream, answer};

/// Far above what anything here takes, so that only a hang hits it.
const BOUND: Duration = Duration::from_secs(20);

/// The future's output, or a failed test that says what did not happen.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(BOUND, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {BOUND:?}"))
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < BOUND, "{what}: not within {BOUND:?}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// A figure of a recorded run, for `tests/long` to take down.
#[allow(clippy::print_stdout, reason = "tests/long reads it")]
pub(crate) fn figure(what: &str, value: impl std::fmt::Display) {
    println!("figure: {what}: {value}");
}

/// A port of loopback on which nobody listens right now.
pub(crate) async fn closed_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
