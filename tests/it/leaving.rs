//! Disconnecting clients and graceful shutdown: abandoned work stops, and no accepted request is lost.

use std::time::Duration;

use cupbearer::server::DrainPhase;
use tokio::time::Instant;

use crate::support::{Client, Connection, End, Proxy, Upstream, answer, ask, get, until, within};

async fn silent() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| connection.closed().await).await
}

/// How many clients of each kind disconnect, `AT_ONCE` at a time.
const DISCONNECTING: usize = 1000;
const AT_ONCE: usize = 50;

/// A response that never ends below `/endless`, silence below `/silent`, and an echo elsewhere.
async fn upstream() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.head().await {
            match request.target.as_str() {
                "/endless" => {
                    let head =
                        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
                    connection.write(head).await;
                    return connection.closed().await;
                }
                "/silent" => return connection.closed().await,
                other => connection.write(&answer("200 OK", "", other)).await,
            }
        }
    })
    .await
}

/// A thousand clients send `request`, wait for `sign` (if any) and disconnect. Each time the upstream connection
/// is closed within a second, and the next requests get their own responses.
async fn disconnect(request: String, sign: Option<&[u8]>) {
    let upstream = upstream().await;
    let in_flight = (AT_ONCE + 2).to_string();
    let proxy = Proxy::with(&upstream.url(), &[("limits.in_flight", &in_flight)]).await;
    let mut longest = Duration::ZERO;
    for batch in 0..DISCONNECTING / AT_ONCE {
        let idle = upstream.open();
        let seen = upstream.seen_count();
        let mut clients = Vec::new();
        for _ in 0..AT_ONCE {
            let mut client = Client::connect(proxy.address).await;
            client.send(&request).await;
            clients.push(client);
        }
        until("all requests are in flight", || {
            upstream.seen_count() == seen + AT_ONCE
        })
        .await;
        if let Some(sign) = sign {
            for client in &mut clients {
                client.read_until(sign).await;
            }
        }
        drop(clients);
        let left = Instant::now();
        until("the upstream connections are closed", || {
            upstream.open() <= idle
        })
        .await;
        longest = longest.max(left.elapsed());
        for number in 0..5 {
            let target = format!("/{batch}/{number}");
            assert_eq!(ask(proxy.address, get(&target)).await.text(), target);
        }
    }
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[tokio::test]
async fn clients_that_disconnect_while_they_wait_cancel_the_upstream_request_within_a_second() {
    disconnect(get("/silent"), None).await;
}

#[tokio::test]
async fn clients_that_disconnect_during_an_upload_cancel_the_upstream_request_within_a_second() {
    for (framing, half) in [
        ("Content-Length: 1000", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n"),
    ] {
        let head = format!("POST /silent HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        disconnect(head + half, None).await;
    }
}

#[tokio::test]
async fn clients_that_disconnect_during_a_download_cancel_it_and_affect_no_other_request() {
    disconnect(get("/endless"), Some(b"hello")).await;
}

#[tokio::test]
async fn during_the_drain_delay_every_response_closes_its_connection() {
    let upstream = Upstream::answering(answer("200 OK", "", "hello")).await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(ask(proxy.address, get("/")).await.field("connection"), None);
    proxy.running.stop(DrainPhase::Closing);
    within("a response with `Connection: close`", async {
        let mut client = Client::connect(proxy.address).await;
        loop {
            client.send(get("/")).await;
            if client.answer().await.field("connection") == Some("close") {
                return client.rest().await;
            }
        }
    })
    .await;
    let another = ask(proxy.address, get("/")).await;
    assert_eq!(
        (another.status, another.field("connection")),
        (200, Some("close"))
    );
}

#[tokio::test]
async fn a_drain_finishes_requests_in_flight_and_closes_idle_connections() {
    let (go, ready) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut connection| {
        let mut ready = ready.clone();
        async move {
            while connection.request().await.is_some() {
                ready.wait_for(|go| *go).await.unwrap();
                connection.write(&answer("200 OK", "", "late")).await;
            }
        }
    })
    .await;
    let mut proxy = Proxy::before(&upstream).await;
    let mut idle = Client::connect(proxy.address).await;
    idle.send("GET / HTTP/1.1\r\nHost: evil\r\n\r\n").await;
    idle.answer().await;
    let mut busy = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(proxy.address).await;
        client.send(get("/")).await;
        busy.push(client);
    }
    until("all requests are in flight", || upstream.seen_count() == 20).await;
    let address = proxy.address;
    let drain = tokio::spawn(async move { proxy.stop().await });
    assert!(
        idle.rest().await.is_empty(),
        "the idle connection is closed at once"
    );
    until("new connections are refused", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    go.send(true).unwrap();
    for mut client in busy {
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.end, answer.text().as_str()),
            (200, End::Complete, "late")
        );
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(client.rest().await.is_empty());
    }
    assert_eq!(within("the drain", drain).await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_drain_aborts_requests_that_outlast_its_timeout() {
    let upstream = silent().await;
    let mut proxy = Proxy::with(&upstream.url(), &[("drain", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/")).await;
    until("the request is in flight", || upstream.open() == 1).await;
    assert_eq!(proxy.stop().await.cut, 1);
    assert_eq!(client.answer().await.status, 0);
}

#[cfg(unix)]
mod signals {
    use crate::support::{Binary, Config, token_answer};

    use super::*;

    async fn with_a_request_in_flight(
        upstream: &Upstream,
        endpoint: &Upstream,
    ) -> (Binary, Client) {
        let binary = Binary::start(&Config {
            upstream: &upstream.url(),
            token_url: &endpoint.url(),
            client_id: "x",
            secret: "y",
            settings: &[],
        })
        .await;
        let mut client = Client::connect(binary.address).await;
        client.send(get("/")).await;
        until("the request is in flight", || upstream.seen_count() == 1).await;
        (binary, client)
    }

    #[tokio::test]
    async fn sigterm_finishes_requests_in_flight_and_exits_with_0() {
        let (go, ready) = tokio::sync::watch::channel(false);
        let upstream = Upstream::scripted(move |mut connection| {
            let mut ready = ready.clone();
            async move {
                connection.request().await;
                ready.wait_for(|go| *go).await.unwrap();
                connection.write(&answer("200 OK", "", "late")).await;
            }
        })
        .await;
        let endpoint = Upstream::answering(token_answer()).await;
        let (mut binary, mut client) = with_a_request_in_flight(&upstream, &endpoint).await;
        binary.terminate();
        until("new connections are refused", || {
            std::net::TcpStream::connect(binary.address).is_err()
        })
        .await;
        assert!(binary.exit_status().is_none());
        go.send(true).unwrap();
        assert_eq!(client.answer().await.text(), "late");
        assert_eq!(binary.wait().await.0.code(), Some(0));
    }

    #[tokio::test]
    async fn a_second_sigterm_aborts_requests_at_once_and_exits_with_0() {
        let upstream = Upstream::scripted(async |mut connection: Connection| {
            connection.request().await;
            connection.closed().await;
        })
        .await;
        let endpoint = Upstream::answering(token_answer()).await;
        let (mut binary, mut client) = with_a_request_in_flight(&upstream, &endpoint).await;
        binary.terminate();
        until("new connections are refused", || {
            std::net::TcpStream::connect(binary.address).is_err()
        })
        .await;
        let second = Instant::now();
        binary.terminate();
        assert_eq!(client.answer().await.status, 0);
        assert_eq!(binary.wait().await.0.code(), Some(0));
        assert!(
            second.elapsed() < Duration::from_secs(6),
            "{:?}",
            second.elapsed()
        );
    }

    #[cfg(feature = "demo")]
    #[tokio::test]
    async fn sighup_without_a_terminal_is_ignored_by_the_demo_which_logs_that() {
        let mut demo = Binary::start_demo().await;
        demo.signal(rustix::process::Signal::HUP);
        until("the line", || demo.output().contains("SIGHUP ignored")).await;
        demo.terminate();
        assert_eq!(demo.wait().await.0.code(), Some(0));
    }
}
