//! Floods of connections that are no requests: gone within the limit, while real requests go on.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::support::{Client, Proxy, Upstream, ask, get, within};

/// The head's limit in these tests.
const LIMIT: Duration = Duration::from_millis(500);

/// Opens `count` connections that send `bytes` and nothing else, and keeps asking as a real client does
/// until all of them are gone. Returns how many real requests were answered.
async fn survives(bytes: &[u8], count: usize) -> usize {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "500ms")]).await;
    let mut flood = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(proxy.address).await;
        client.send(bytes).await;
        flood.push(client);
    }
    let start = Instant::now();
    let gone = tokio::spawn(async move {
        for mut client in flood {
            client.rest().await;
        }
        start.elapsed()
    });
    let answered = legitimate(proxy.address, &gone).await;
    let took = gone.await.unwrap();
    assert!(took < LIMIT + Duration::from_secs(2), "{took:?}");
    answered
}

async fn legitimate<T>(address: SocketAddr, gone: &tokio::task::JoinHandle<T>) -> usize {
    let mut answered = 0;
    while !gone.is_finished() || answered < 10 {
        let target = format!("/{answered}");
        assert_eq!(ask(address, get(&target)).await.text(), target);
        answered += 1;
    }
    answered
}

#[tokio::test]
async fn silent_connections_are_gone_within_the_limit() {
    survives(b"", 500).await;
}

#[tokio::test]
async fn partial_heads_are_gone_within_the_limit() {
    survives(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-", 500).await;
}

#[tokio::test]
async fn http_2_prefaces_are_gone_within_the_limit() {
    survives(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 500).await;
    survives(b"PRI ", 500).await;
}

#[tokio::test]
async fn tls_hellos_are_gone_within_the_limit() {
    survives(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 500).await;
}

/// A second head that never ends, on a connection that has been served.
#[tokio::test]
async fn a_partial_head_on_a_used_connection_has_the_heads_limit() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/first")).await;
    assert_eq!(client.answer().await.text(), "/first");
    client.send("GET /second HTTP/1.1\r\nHo").await;
    let start = Instant::now();
    client.rest().await;
    assert!(
        start.elapsed() < Duration::from_millis(300) + Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}

/// The second head comes behind the first in one piece: hyper holds it before the first is answered.
#[tokio::test]
async fn a_partial_head_that_came_with_the_request_before_has_the_heads_limit() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client
        .send(format!("{}GET /second HTTP/1.1\r\nHo", get("/first")))
        .await;
    assert_eq!(client.answer().await.text(), "/first");
    let start = Instant::now();
    client.rest().await;
    assert!(
        start.elapsed() < Duration::from_millis(300) + Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}

/// A byte in time is no progress: the limit is for the whole head.
#[tokio::test]
async fn a_head_dripped_byte_by_byte_is_cut_at_the_limit() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    let start = Instant::now();
    client.send("GET / HTTP/1.1\r\nX: ").await;
    while timeout(Duration::from_millis(20), client.rest())
        .await
        .is_err()
    {
        client.send("y").await;
        assert!(start.elapsed() < Duration::from_secs(3), "still there");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_limit() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.keep_alive", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/")).await;
    client.answer().await;
    let start = Instant::now();
    assert!(client.rest().await.is_empty());
    let took = start.elapsed();
    assert!(
        took > Duration::from_millis(200) && took < Duration::from_secs(2),
        "{took:?}"
    );
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_makes_room() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.connections", "3")]).await;
    let mut kept = Vec::new();
    for number in 0..3 {
        let mut client = Client::connect(proxy.address).await;
        client.send(get("/")).await;
        client.answer().await;
        kept.push(client);
        wait_for_the_next_millisecond(number).await;
    }
    assert_eq!(ask(proxy.address, get("/new")).await.text(), "/new");
    assert!(
        kept[0].rest().await.is_empty(),
        "the first has been idle longest"
    );
    kept[2].send(get("/third")).await;
    assert_eq!(kept[2].answer().await.text(), "/third");
}

/// Idle times are told apart by the clock of the sweep, which ticks when somebody connects.
async fn wait_for_the_next_millisecond(number: u64) {
    tokio::time::sleep(Duration::from_millis(5 + number)).await;
}

/// An upstream that answers once it is told to, and whoever tells it.
async fn patient() -> (Upstream, tokio::sync::watch::Sender<bool>) {
    let (go, ready) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut connection| {
        let mut ready = ready.clone();
        async move {
            while connection.request().await.is_some() {
                ready.wait_for(|go| *go).await.unwrap();
                connection
                    .write(&crate::support::answer("200 OK", "", "ok"))
                    .await;
            }
        }
    })
    .await;
    (upstream, go)
}

/// All are busy when the new ones come; then one of them becomes idle and would stay so for long.
#[tokio::test]
async fn while_all_connections_are_busy_new_ones_are_told_so_at_once_until_one_is_idle() {
    let (upstream, go) = patient().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.connections", "1")]).await;
    let mut busy = Client::connect(proxy.address).await;
    busy.send(get("/")).await;
    crate::support::until("it is under way", || upstream.seen_count() == 1).await;
    for _ in 0..3 {
        let start = Instant::now();
        let answer = ask(proxy.address, get("/")).await;
        assert_eq!(answer.outcome(), (503, "saturated".to_owned()));
        assert_eq!(answer.field("retry-after"), Some("1"));
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    go.send(true).unwrap();
    assert_eq!(busy.answer().await.text(), "ok");
    let answer = within("there is room", ask(proxy.address, get("/"))).await;
    assert_eq!(answer.text(), "ok", "the idle one has made room");
    assert!(busy.rest().await.is_empty());
}
