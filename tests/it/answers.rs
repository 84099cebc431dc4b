//! Valid and invalid responses of an upstream: each is forwarded exactly or is a 502, and is never interpreted in two
//! ways.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    Answer, Client, Connection, End, Proxy, Upstream, answer, ask, get, many_fields,
    server_certificate, within,
};

/// What a client receives if the upstream responds with `bytes` and keeps the connection open.
async fn through(bytes: impl Into<Vec<u8>>) -> Answer {
    let upstream = Upstream::answering(bytes).await;
    let proxy = Proxy::with(
        &upstream.url(),
        &[
            ("upstream.head_timeout", "300ms"),
            ("upstream.stall_timeout", "300ms"),
        ],
    )
    .await;
    ask(proxy.address, get("/")).await
}

/// Responds with `first` to the first request of its first connection, and correctly to all others.
async fn hostile_once(first: Vec<u8>) -> Upstream {
    let first: Arc<[u8]> = first.into();
    Upstream::scripted(move |mut connection| {
        let first = Arc::clone(&first);
        async move {
            let mut hostile = connection.number == 0;
            while let Some(request) = connection.request().await {
                if std::mem::take(&mut hostile) {
                    connection.write(&first).await;
                } else {
                    connection
                        .write(&answer("200 OK", "", &request.target))
                        .await;
                }
            }
        }
    })
    .await
}

fn ok(fields: &str, rest: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{rest}").into_bytes()
}

#[tokio::test]
async fn a_response_with_ambiguous_framing_is_a_502() {
    for fields in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Content-Length: 5\r\nContent-Length: 3\r\n",
        "Content-Length: 5, 3\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: five\r\n",
    ] {
        let answer = through(ok(fields, "5\r\nhello\r\n0\r\n\r\n")).await;
        assert_eq!(
            answer.outcome(),
            (502, "upstream_protocol".to_owned()),
            "{fields:?} {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_response_with_a_malformed_head_is_a_502() {
    for fields in [
        "A: b\r\n c\r\n",
        "A: b\rc\r\n",
        "A: b\0c\r\n",
        "A\0: b\r\n",
        "A b: c\r\n",
        "no colon\r\n",
        " A: b\r\n",
        ": b\r\n",
    ] {
        let answer = through(ok(&format!("{fields}Content-Length: 0\r\n"), "")).await;
        assert_eq!(
            answer.outcome(),
            (502, "upstream_protocol".to_owned()),
            "{fields:?}"
        );
    }
}

#[tokio::test]
async fn a_head_of_three_hundred_fields_or_a_mebibyte_is_a_502() {
    let many = many_fields(300, "y");
    assert_eq!(
        through(ok(&format!("{many}Content-Length: 0\r\n"), ""))
            .await
            .outcome(),
        (502, "upstream_protocol".to_owned())
    );
    let large = format!("X: {}\r\nContent-Length: 0\r\n", "y".repeat(1 << 20));
    assert_eq!(
        through(ok(&large, "")).await.outcome(),
        (502, "upstream_protocol".to_owned())
    );
}

#[tokio::test]
async fn a_head_of_256_kib_is_forwarded() {
    let value = "y".repeat(4000);
    let fields = many_fields(64, &value);
    let answer = through(ok(&format!("{fields}Content-Length: 2\r\n"), "ok")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!((0..64).all(|number| answer.field(&format!("x-{number}")) == Some(&value)));
}

#[tokio::test]
async fn an_unrequested_101_is_a_502() {
    for fields in ["", "Upgrade: websocket\r\nConnection: Upgrade\r\n"] {
        let answer = through(format!(
            "HTTP/1.1 101 Switching Protocols\r\n{fields}\r\nrest"
        ))
        .await;
        assert_eq!(
            answer.outcome(),
            (502, "upstream_protocol".to_owned()),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_hundred_interim_responses_before_the_final_one_are_consumed() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100);
    let answer = through(format!(
        "{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ))
    .await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.field("link"), None);
}

#[tokio::test]
async fn after_hostile_bytes_the_next_thousand_requests_get_their_own_responses() {
    for first in [
        ok(
            "Content-Length: 5\r\n",
            "helloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        ),
        ok(
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        ),
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec(),
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil".to_vec(),
        ok("Content-Length: 0\r\n", "\r\n\r\n\r\n"),
        ok(
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        ),
    ] {
        let upstream = hostile_once(first.clone()).await;
        let proxy = Proxy::before(&upstream).await;
        let mut client = Client::connect(proxy.address).await;
        client.send(get("/hostile")).await;
        let hostile = client.answer().await;
        assert!(
            [200, 204, 304, 502].contains(&hostile.status),
            "{hostile:?}"
        );
        assert!(!hostile.text().contains("evil"), "{hostile:?}");
        let mut client = Client::connect(proxy.address).await;
        for number in 0..1000 {
            let target = format!("/{number}");
            client.send(get(&target)).await;
            assert_eq!(
                client.answer().await.text(),
                target,
                "{:?}",
                String::from_utf8_lossy(&first)
            );
        }
    }
}

/// Extra bytes that arrive only once the connection is idle.
#[tokio::test]
async fn extra_bytes_on_an_idle_connection_reach_no_client() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            connection
                .write(&answer("200 OK", "", &request.target))
                .await;
            tokio::task::yield_now().await;
            connection
                .write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                .await;
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    for number in 0..50 {
        let target = format!("/{number}");
        let answer = ask(proxy.address, get(&target)).await;
        assert_eq!(answer.text(), target);
        tokio::time::sleep(Duration::from_millis(5)).await; // the extra bytes have to arrive
    }
}

#[tokio::test]
async fn responses_without_a_body_keep_their_connection() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let bytes: &[u8] = match (request.method.as_str(), request.target.as_str()) {
                ("HEAD", _) => b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n",
                (_, "/204") => b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
                (_, "/304") => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
                _ => b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\ncde",
            };
            connection.write(bytes).await;
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for _ in 0..3 {
        client
            .send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        let head = client.head_answer().await;
        assert_eq!(
            (
                head.status,
                head.field("content-length"),
                head.field("etag")
            ),
            (200, Some("1234"), Some("\"a\""))
        );
        client.send(get("/204")).await;
        let empty = client.answer().await;
        assert_eq!(
            (
                empty.status,
                empty.field("x-a"),
                empty.field("content-length")
            ),
            (204, Some("b"), None)
        );
        client.send(get("/304")).await;
        assert_eq!(client.answer().await.field("etag"), Some("\"a\""));
        client
            .send("GET /part HTTP/1.1\r\nHost: localhost\r\nRange: bytes=2-4\r\n\r\n")
            .await;
        let part = client.answer().await;
        assert_eq!(
            (
                part.status,
                part.field("content-range"),
                part.text().as_str()
            ),
            (206, Some("bytes 2-4/10"), "cde")
        );
    }
    assert_eq!(upstream.accepted(), 1);
    assert!(
        upstream
            .seen()
            .iter()
            .any(|seen| seen.values("range") == ["bytes=2-4"])
    );
}

/// RFC 9110 section 15.4.5: the length that a 200 would have had.
#[tokio::test]
async fn a_304_keeps_its_length_and_its_connection() {
    let upstream =
        Upstream::answering("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n").await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for _ in 0..3 {
        client.send(get("/")).await;
        let answer = client.head_answer().await;
        assert_eq!(
            (answer.status, answer.field("content-length")),
            (304, Some("1234"))
        );
        assert_eq!(answer.field("connection"), None);
    }
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn a_connection_is_reused_after_trailers() {
    let upstream = Upstream::answering(ok(
        "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
        "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    ))
    .await;
    let proxy = Proxy::before(&upstream).await;
    for _ in 0..5 {
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
        assert_eq!(ask(proxy.address, request).await.text(), "abc");
    }
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn the_response_of_an_http_1_0_upstream_is_forwarded_in_http_1_1() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection
            .write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end")
            .await;
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for _ in 0..3 {
        client.send(get("/")).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.version.as_str(), answer.end, answer.text().as_str()),
            ("HTTP/1.1", End::Complete, "to the end")
        );
    }
}

#[tokio::test]
async fn a_redirect_is_forwarded_and_not_followed() {
    let elsewhere = Upstream::echoing().await;
    let location = format!("Location: {}/away\r\n", elsewhere.url());
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let answer = through(answer(status, &location, "")).await;
        assert_eq!(answer.status.to_string(), status[..3]);
        assert!(answer.field("location").is_some());
    }
    assert_eq!(elsewhere.accepted(), 0);
}

#[tokio::test]
async fn server_sent_events_arrive_one_by_one() {
    let (more, next) = tokio::sync::mpsc::unbounded_channel::<()>();
    let next = Arc::new(tokio::sync::Mutex::new(next));
    let upstream = Upstream::scripted(move |mut connection| {
        let next = Arc::clone(&next);
        async move {
            connection.request().await;
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let mut number = 0;
            while next.lock().await.recv().await.is_some() {
                connection.write(format!("d\r\ndata: {number:05}\n\n\r\n").as_bytes()).await;
                number += 1;
            }
            connection.write(b"0\r\n\r\n").await;
        }
    })
    .await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.stall_timeout", "100ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(get("/events")).await;
    for number in 0..5 {
        more.send(()).unwrap();
        let frame = client
            .read_until(format!("data: {number:05}\n\n\r\n").as_bytes())
            .await;
        assert!(!String::from_utf8_lossy(&frame).contains(&format!("{:05}", number + 1)));
    }
    tokio::time::sleep(Duration::from_millis(400)).await; // a silence longer than the stall limit is the claim
    more.send(()).unwrap();
    client.read_until(b"data: 00005\n\n\r\n").await;
    drop(more);
    within("the end", client.read_until(b"0\r\n\r\n")).await;
}

#[tokio::test]
async fn a_response_over_tls_is_forwarded_unchanged() {
    let (tls, ca_file) = server_certificate();
    let upstream = Upstream::scripted_tls(tls, async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            connection
                .write(&answer("200 OK", "", &request.target))
                .await;
        }
    })
    .await;
    let proxy = Proxy::with(
        &upstream.url(),
        &[("network.ca_file", ca_file.path().to_str().unwrap())],
    )
    .await;
    for number in 0..5 {
        let target = format!("/{number}");
        assert_eq!(ask(proxy.address, get(&target)).await.text(), target);
    }
    assert_eq!(upstream.accepted(), 1, "the connection is reused");
}

/// If a body ends with its connection, only the missing `close_notify` of TLS shows that it was cut.
#[tokio::test]
async fn a_body_without_a_length_whose_tls_connection_is_cut_never_looks_complete() {
    let (tls, ca_file) = server_certificate();
    let upstream = Upstream::scripted_tls(tls, async |mut connection: Connection| {
        connection.request().await;
        connection.write(b"HTTP/1.1 200 OK\r\n\r\nhalf").await;
    })
    .await;
    let proxy = Proxy::with(
        &upstream.url(),
        &[("network.ca_file", ca_file.path().to_str().unwrap())],
    )
    .await;
    let answer = ask(proxy.address, get("/")).await;
    assert_eq!(
        (answer.status, answer.end),
        (200, End::Truncated),
        "{answer:?}"
    );
}
