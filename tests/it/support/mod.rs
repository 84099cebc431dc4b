//! Real servers and real clients on free loopback ports, from which the other modules build their tests.
//!
//! No test relies on a sleep to be correct: each waits for an event, with a limit that only a hang reaches.

#[cfg(unix)]
mod binary;
mod client;
mod clock;
mod debug_text;
pub(crate) mod log_leaks;
mod message;
mod proxy;
mod relay;
mod reloading_proxy;
mod secrets;
mod upstream;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

#[cfg(unix)]
pub(crate) use binary::{Binary, Config};
pub(crate) use client::{Answer, Client, End, ask, get, many_fields, post};
pub(crate) use clock::StoppedClock;
pub(crate) use debug_text::debug_text;
pub(crate) use proxy::{Proxy, SECRET, TOKEN, token_answer};
pub(crate) use relay::{Fault, Relay};
pub(crate) use reloading_proxy::ReloadingProxy;
pub(crate) use secrets::{CALLER_KEY, CLIENT_ID, leaked};
pub(crate) use upstream::{Connection, Upstream, answer, server_certificate};

/// Far longer than anything here takes, so only a hang reaches it.
const LIMIT: Duration = Duration::from_secs(20);

/// The future's output. If it does not finish in time, the test fails and says what it waited for.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(LIMIT, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Prints a figure of a recorded run, which `tests/long` collects.
#[allow(clippy::print_stdout, reason = "tests/long reads it")]
pub(crate) fn figure(what: &str, value: impl std::fmt::Display) {
    println!("figure: {what}: {value}");
}

/// A loopback port on which nothing is listening at the moment.
pub(crate) async fn closed_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
