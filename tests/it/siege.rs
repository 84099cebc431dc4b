//! Clients that hold connections without sending requests, all at once, against the built binary: each is disconnected
//! in time and with little memory, while 50 real requests per second are all answered.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::{
    Binary, Client, Config, Connection, Upstream, answer, ask, figure, get, token_answer,
};

struct Scale {
    /// Connections of each kind.
    each: usize,
    /// Uploads that stall halfway.
    uploads: usize,
    /// `limits.header_timeout` and `upstream.stall_timeout`.
    limit: Duration,
}

const KINDS: [&[u8]; 4] = [
    b"",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];
const STALLED_UPLOAD: &[u8] =
    b"POST /stalled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf";

/// One attacker; returns how long it stayed connected.
async fn attacker(address: std::net::SocketAddr, bytes: &'static [u8]) -> Duration {
    let mut client = Client::connect(address).await;
    client.send(bytes).await;
    let start = Instant::now();
    client.rest().await;
    start.elapsed()
}

/// Sends 50 requests per second until all attackers are disconnected. Returns how many there were, all of which got
/// a response, and the longest time that an attacker stayed connected.
async fn legitimate_clients(
    address: std::net::SocketAddr,
    attackers: &mut JoinSet<Duration>,
) -> (usize, Duration) {
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = JoinSet::new();
    let mut longest = Duration::ZERO;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                asked.spawn(async move { ask(address, get("/legitimate")).await.text() });
            }
            closed = attackers.join_next() => match closed {
                Some(took) => longest = longest.max(took.unwrap()),
                None => break,
            },
        }
    }
    let texts = asked.join_all().await;
    assert!(texts.iter().all(|text| text == "/legitimate"));
    (texts.len(), longest)
}

async fn siege(scale: Scale) {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            connection
                .write(&answer("200 OK", "", &request.target))
                .await;
        }
    })
    .await;
    let endpoint = Upstream::answering(token_answer()).await;
    let limit = humantime::format_duration(scale.limit).to_string();
    let proxy = Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "x",
        secret: "y",
        settings: &[
            &format!("limits.header_timeout={limit}"),
            &format!("upstream.stall_timeout={limit}"),
        ],
    })
    .await;
    assert_eq!(ask(proxy.address, get("/first")).await.text(), "/first");
    let before = proxy.peak_memory_kib();

    let mut attackers = JoinSet::new();
    for bytes in KINDS {
        for _ in 0..scale.each {
            attackers.spawn(attacker(proxy.address, bytes));
        }
    }
    for _ in 0..scale.uploads {
        attackers.spawn(attacker(proxy.address, STALLED_UPLOAD));
    }
    let connections = attackers.len();
    let (answered, longest) = legitimate_clients(proxy.address, &mut attackers).await;

    let grown = proxy.peak_memory_kib() - before;
    figure("concurrent connections without requests", connections);
    figure("limit, s", scale.limit.as_secs_f64());
    figure("the last of them closed after, s", longest.as_secs_f32());
    figure("legitimate requests meanwhile, all answered", answered);
    figure("growth of peak resident memory, KiB", grown);
    assert!(
        longest < scale.limit + Duration::from_secs(2),
        "{longest:?}"
    );
    assert!(grown < 20 << 10, "{grown} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abusive_connections_are_closed_while_real_requests_are_served() {
    siege(Scale {
        each: 100,
        uploads: 20,
        limit: Duration::from_secs(1),
    })
    .await;
}

/// Rows 24 and 25 of tests/survives.md, with the default header timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(feature = "long")] // 12 s of 2,100 connections: tests/long siege
async fn full_size() {
    siege(Scale {
        each: 500,
        uploads: 100,
        limit: Duration::from_secs(10),
    })
    .await;
}
