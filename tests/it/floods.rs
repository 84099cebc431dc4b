//! Floods of connections without requests: they are closed within the limit, while real requests are served.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::support::{Client, Proxy, Upstream, ask, get, within};

/// `limits.header_timeout` in these tests.
const LIMIT: Duration = Duration::from_millis(500);

/// Opens `count` connections that send `bytes` and nothing else, and sends real requests until all of them are closed.
/// Returns how many real requests got a response.
async fn withstands_flood(bytes: &[u8], count: usize) -> usize {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "500ms")]).await;
    let mut flood = Vec::new();
    for _ in 0..count {
        let mut client = Client::connect(proxy.address).await;
        client.send(bytes).await;
        flood.push(client);
    }
    let start = Instant::now();
    let closed = tokio::spawn(async move {
        for mut client in flood {
            client.rest().await;
        }
        start.elapsed()
    });
    let answered = legitimate_requests(proxy.address, &closed).await;
    let took = closed.await.unwrap();
    assert!(took < LIMIT + Duration::from_secs(2), "{took:?}");
    answered
}

async fn legitimate_requests<T>(address: SocketAddr, closed: &tokio::task::JoinHandle<T>) -> usize {
    let mut answered = 0;
    while !closed.is_finished() || answered < 10 {
        let target = format!("/{answered}");
        assert_eq!(ask(address, get(&target)).await.text(), target);
        answered += 1;
    }
    answered
}

#[tokio::test]
async fn silent_connections_are_closed_within_the_limit() {
    withstands_flood(b"", 500).await;
}

#[tokio::test]
async fn partial_heads_are_closed_within_the_limit() {
    withstands_flood(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-", 500).await;
}

#[tokio::test]
async fn http_2_prefaces_are_closed_within_the_limit() {
    withstands_flood(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 500).await;
    withstands_flood(b"PRI ", 500).await;
}

#[tokio::test]
async fn tls_hellos_are_closed_within_the_limit() {
    withstands_flood(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 500).await;
}

/// A second head that never ends, on a connection that has served a request.
#[tokio::test]
async fn a_partial_head_on_a_used_connection_is_limited_by_the_header_timeout() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/first")).await;
    assert_eq!(client.answer().await.text(), "/first");
    client.send("GET /second HTTP/1.1\r\nHo").await;
    let start = Instant::now();
    client.rest().await;
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
}

/// The second head arrives together with the first, so hyper has read it before it responds to the first.
#[tokio::test]
async fn a_partial_head_that_came_with_an_earlier_request_is_limited_by_the_header_timeout() {
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
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
}

/// Single bytes do not extend the limit, which applies to the whole head.
#[tokio::test]
async fn a_head_sent_byte_by_byte_is_cut_off_at_the_limit() {
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
        assert!(start.elapsed() < Duration::from_secs(6), "still open");
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
        took > Duration::from_millis(200) && took < Duration::from_secs(6),
        "{took:?}"
    );
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_is_closed() {
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

/// Idle times are distinguished by the sweep clock, which advances on each connection.
async fn wait_for_the_next_millisecond(number: u64) {
    tokio::time::sleep(Duration::from_millis(5 + number)).await;
}

/// An upstream that responds on a signal, and the sender of that signal.
async fn paused_upstream() -> (Upstream, tokio::sync::watch::Sender<bool>) {
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

/// All connections are busy when new ones arrive; then one of them becomes idle, and would stay so for long.
#[tokio::test]
async fn while_all_connections_are_busy_new_ones_are_rejected_at_once_until_one_is_idle() {
    let (upstream, go) = paused_upstream().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.connections", "1")]).await;
    let mut busy = Client::connect(proxy.address).await;
    busy.send(get("/")).await;
    crate::support::until("the request is in flight", || upstream.seen_count() == 1).await;
    for _ in 0..3 {
        let start = Instant::now();
        let answer = ask(proxy.address, get("/")).await;
        assert_eq!(answer.outcome(), (503, "saturated".to_owned()));
        assert_eq!(answer.field("retry-after"), Some("1"));
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(start.elapsed() < Duration::from_secs(6));
    }
    go.send(true).unwrap();
    assert_eq!(busy.answer().await.text(), "ok");
    let answer = within("a free connection slot", ask(proxy.address, get("/"))).await;
    assert_eq!(answer.text(), "ok", "the idle connection was closed for it");
    assert!(busy.rest().await.is_empty());
}

/// A connection on which no complete head has arrived gives way, whether it is silent or in the middle of a head.
#[tokio::test]
async fn at_the_limit_the_oldest_connection_without_a_request_is_closed_for_a_new_one() {
    let upstream = Upstream::echoing().await;
    for bytes in ["", "G", "GET / HTTP/1.1\r\nHost: localhost\r\nX-"] {
        let proxy = Proxy::with(&upstream.url(), &[("limits.connections", "3")]).await;
        let mut flood = Vec::new();
        for number in 0..30 {
            let mut client = Client::connect(proxy.address).await;
            client.send(bytes).await;
            flood.push(client);
            if number % 10 == 9 {
                let start = Instant::now();
                assert_eq!(ask(proxy.address, get("/new")).await.text(), "/new");
                assert!(start.elapsed() < Duration::from_secs(6), "{bytes:?}");
            }
        }
        assert!(
            flood[0].rest().await.is_empty(),
            "it is closed without a response"
        );
        let last = flood.last_mut().unwrap();
        last.send(get("/last").strip_prefix(bytes).unwrap_or("y: z\r\n\r\n"))
            .await;
        assert_eq!(
            last.answer().await.status,
            200,
            "the newest stays open: {bytes:?}"
        );
    }
}

/// More clients than connections, all of which send a request at once.
#[tokio::test]
async fn a_connection_with_a_request_is_never_closed_for_a_new_one() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.connections", "3")]).await;
    for _ in 0..10 {
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = Client::connect(proxy.address).await;
            client.send(get("/")).await;
            clients.push(client);
        }
        for client in &mut clients {
            let answer = client.answer().await;
            assert!([200, 503].contains(&answer.status), "{answer:?}");
        }
    }
}

/// More clients than connections, all of which connect before the first of them sends its request, as in Node.
#[tokio::test]
async fn clients_that_connect_together_and_then_send_are_all_answered() {
    let (upstream, _go) = paused_upstream().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.connections", "3")]).await;
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(Client::connect(proxy.address).await);
    }
    crate::support::until("the proxy has accepted", || {
        proxy.running.metrics.client_connections().get() == 3
    })
    .await;
    for client in &mut clients {
        client.send(get("/")).await;
    }
    crate::support::until("the requests are in flight", || upstream.seen_count() == 3).await;
    for client in clients.iter_mut().skip(3) {
        let answer = within("an answer", client.answer()).await;
        assert_eq!(answer.outcome(), (503, "saturated".to_owned()));
    }
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_gets_a_408_and_a_silent_connection_gets_nothing() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_timeout", "300ms")]).await;
    let mut silent = Client::connect(proxy.address).await;
    for before in ["", "GET /before HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut slow = Client::connect(proxy.address).await;
        slow.send(before).await;
        if !before.is_empty() {
            assert_eq!(slow.answer().await.text(), "/before");
        }
        slow.send("GET /slow?secret HTTP/1.1\r\nHost: localhost\r\nX-")
            .await;
        let answer = slow.answer().await;
        assert_eq!(answer.outcome(), (408, "client_timeout".to_owned()));
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(answer.text().contains("limits.header_timeout"));
        assert!(slow.rest().await.is_empty());
        let entry = proxy.running.metrics.recent().pop().unwrap();
        assert_eq!(
            (entry.path(), entry.reason),
            ("/slow", Some("client_timeout"))
        );
    }
    assert!(silent.rest().await.is_empty());
}

#[tokio::test]
async fn a_head_that_has_not_arrived_when_the_proxy_stops_gets_a_503() {
    let upstream = Upstream::echoing().await;
    for requests_before in 0..3 {
        let mut proxy = Proxy::with(&upstream.url(), &[("drain", "200ms")]).await;
        let mut client = Client::connect(proxy.address).await;
        for _ in 0..requests_before {
            client.send(get("/before")).await;
            assert_eq!(client.answer().await.text(), "/before");
        }
        client.send("GET /unfinished HTTP/1.1\r\nHo").await;
        crate::support::until("the connection", || {
            proxy.running.metrics.client_connections().get() == 1
        })
        .await;
        proxy.stop().await;
        let answer = client.answer().await;
        assert_eq!(answer.outcome(), (503, "draining".to_owned()));
        assert_eq!(answer.field("connection"), Some("close"));
        let entry = proxy.running.metrics.recent().pop().unwrap();
        let logged = (entry.path(), entry.reason);
        assert_eq!(logged, ("/unfinished", Some("draining")));
    }
}

#[tokio::test]
async fn a_request_that_is_cut_when_the_proxy_stops_is_counted_as_draining() {
    let (upstream, _go) = paused_upstream().await;
    let mut proxy = Proxy::with(&upstream.url(), &[("drain", "200ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/cut")).await;
    crate::support::until("the request is in flight", || upstream.seen_count() == 1).await;
    proxy.stop().await;
    assert!(client.rest().await.is_empty());
    crate::support::until("the record", || {
        let entry = proxy.running.metrics.recent().pop();
        entry.is_some_and(|entry| (entry.path(), entry.reason) == ("/cut", Some("draining")))
    })
    .await;
}

/// The head of its request is read as far as it has arrived with the first bytes.
#[tokio::test]
async fn the_page_that_sent_a_request_to_a_full_proxy_may_read_the_503() {
    let (upstream, _go) = paused_upstream().await;
    let settings = [
        ("limits.connections", "1"),
        ("guard.origins", r#"["http://tool.example"]"#),
    ];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let mut busy = Client::connect(proxy.address).await;
    busy.send(get("/")).await;
    crate::support::until("the request is in flight", || upstream.seen_count() == 1).await;
    let from_page = "GET /path?secret HTTP/1.1\r\nHost: localhost\r\nOrigin: http://tool.example\r\nX-Request-Id: mine\r\n\r\n";
    let answer = ask(proxy.address, from_page).await;
    assert_eq!(answer.outcome(), (503, "saturated".to_owned()));
    let origin = answer.field("access-control-allow-origin");
    assert_eq!(origin, Some("http://tool.example"));
    assert_eq!(answer.field("x-request-id"), Some("mine"));
    let entry = proxy.running.metrics.recent().pop().unwrap();
    assert_eq!((entry.path(), entry.reason), ("/path", Some("saturated")));
}
