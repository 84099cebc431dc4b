//! Clients of HTTP/2 that break its rules or use them to the full: none of that reaches the log or the API, or costs
//! other requests on the connection their responses.

mod peer;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;

#[cfg(unix)]
use crate::support::{Binary, CALLER_KEY, CLIENT_ID, Config, SECRET, leaked, token_answer};
use crate::support::{Connection, Proxy, Upstream, answer, until};

use peer::{DATA, END_STREAM, GOAWAY, NO_ERROR, Peer, RST_STREAM, frame, head, request, reset};

/// An API that answers `/slow` once it is notified, and everything else at once.
async fn api_with_a_slow_path() -> (Upstream, Arc<Notify>) {
    let done = Arc::new(Notify::new());
    let notified = Arc::clone(&done);
    let upstream = Upstream::scripted(move |mut connection: Connection| {
        let done = Arc::clone(&notified);
        async move {
            while let Some(request) = connection.request().await {
                if request.target == "/slow" {
                    done.notified().await;
                }
                connection.write(&answer("200 OK", "", "done")).await;
            }
        }
    })
    .await;
    (upstream, done)
}

/// A connection with a request in flight, on stream 1.
async fn with_one_in_flight(proxy: &Proxy, upstream: &Upstream) -> Peer {
    let mut peer = Peer::connect(proxy.address).await;
    peer.send(head(1, END_STREAM, &request("POST", "/slow", &[])))
        .await;
    until("the request is in flight", || upstream.seen_count() == 1).await;
    peer
}

#[tokio::test]
async fn malformed_requests_do_not_end_a_connection_with_requests_in_flight() {
    let (upstream, done) = api_with_a_slow_path().await;
    let proxy = Proxy::before(&upstream).await;
    let mut peer = with_one_in_flight(&proxy, &upstream).await;
    for stream in (3..603).step_by(2) {
        peer.send(head(stream, END_STREAM, &request("GET", "/a<b", &[])))
            .await;
        let frame = peer.read_until(|frame| frame.is(RST_STREAM, stream)).await;
        assert!(frame.is_some(), "the connection ended before {stream}");
    }
    done.notify_one();
    assert!(peer.read_until(|frame| frame.ends(1)).await.is_some());
}

#[tokio::test]
async fn a_connection_with_a_thousand_resets_ends_once_it_has_answered_what_is_in_flight() {
    let (upstream, done) = api_with_a_slow_path().await;
    let proxy = Proxy::before(&upstream).await;
    let mut peer = with_one_in_flight(&proxy, &upstream).await;
    for number in 0..1000 {
        let stream = 3 + 2 * number;
        peer.send(head(stream, END_STREAM, &request("GET", "/a<b", &[])))
            .await;
        let frame = peer.read_until(|frame| frame.is(RST_STREAM, stream)).await;
        assert!(frame.is_some(), "the connection ended before {stream}");
    }
    let goaway = peer.read_until(|frame| frame.kind == GOAWAY).await.unwrap();
    assert_eq!(goaway.code(), NO_ERROR);
    done.notify_one();
    assert!(peer.read_until(|frame| frame.ends(1)).await.is_some());
    while peer.next().await.is_some() {}
}

#[tokio::test]
async fn connect_with_content_ends_only_its_own_stream() {
    let (upstream, done) = api_with_a_slow_path().await;
    let proxy = Proxy::before(&upstream).await;
    let mut peer = with_one_in_flight(&proxy, &upstream).await;
    let connect = [
        (":method", "CONNECT"),
        (":authority", "localhost:443"),
        ("content-length", "5"),
    ];
    let both = [head(3, 0, &connect), head(5, 0, &connect)].concat();
    peer.send(both).await;
    for stream in [3, 5] {
        let frame = peer.read_until(|frame| frame.is(RST_STREAM, stream)).await;
        assert!(frame.is_some(), "the connection ended");
    }
    done.notify_one();
    assert!(peer.read_until(|frame| frame.ends(1)).await.is_some());
    peer.send(head(7, END_STREAM, &request("GET", "/", &[])))
        .await;
    assert!(peer.read_until(|frame| frame.ends(7)).await.is_some());
}

/// The bytes that follow the head, for each upload.
type Uploads = Arc<Mutex<Vec<Vec<u8>>>>;

/// An API that notes the bytes of each upload. The first `refused` uploads get a 401 once they have begun.
async fn noting_api(refused: usize) -> (Upstream, Uploads) {
    let uploads = Uploads::default();
    let noted = Arc::clone(&uploads);
    let upstream = Upstream::scripted(move |mut connection: Connection| {
        let uploads = Arc::clone(&noted);
        async move {
            if connection.head().await.is_none() {
                return;
            }
            let number = connection.number;
            let mut noted = Vec::new();
            loop {
                noted.extend(connection.take(connection.buffered()));
                {
                    let mut uploads = uploads.lock().unwrap();
                    let length = uploads.len().max(number + 1);
                    uploads.resize(length, Vec::new());
                    uploads[number].clone_from(&noted);
                }
                if number < refused && !noted.is_empty() {
                    let refusal = "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n";
                    connection
                        .write(&answer("401 Unauthorized", refusal, ""))
                        .await;
                }
                if connection.fill().await.is_none() {
                    return;
                }
            }
        }
    })
    .await;
    (upstream, uploads)
}

/// The fields of an upload, with and without a length.
const UPLOADS: [&[(&str, &str)]; 3] = [
    &[],
    &[("content-length", "1000")],
    &[("content-length", "1000"), ("trailer", "x-sum")],
];

#[tokio::test]
async fn an_upload_that_its_client_resets_never_looks_complete_whatever_the_code() {
    for code in 0..14 {
        for fields in UPLOADS {
            let (upstream, uploads) = noting_api(0).await;
            let proxy = Proxy::before(&upstream).await;
            let mut peer = Peer::connect(proxy.address).await;
            peer.send(head(1, 0, &request("POST", "/", fields))).await;
            peer.send(frame(DATA, 0, 1, b"the first half")).await;
            until("the API has the first half", || {
                let uploads = uploads.lock().unwrap();
                let upload = uploads.first();
                upload.is_some_and(|bytes| {
                    bytes.ends_with(b"the first half\r\n") || bytes == b"the first half"
                })
            })
            .await;
            peer.send(reset(1, code)).await;
            until("the exchange has ended", || upstream.open() == 0).await;
            let upload = String::from_utf8(uploads.lock().unwrap()[0].clone()).unwrap();
            assert!(
                !upload.ends_with("0\r\n\r\n"),
                "{code} {fields:?}: {upload:?}"
            );
            peer.ping().await;
        }
    }
}

#[tokio::test]
async fn an_upload_that_its_client_resets_after_a_401_never_looks_complete() {
    let (upstream, uploads) = noting_api(1).await;
    let proxy = Proxy::before(&upstream).await;
    let mut peer = Peer::connect(proxy.address).await;
    peer.send(head(1, 0, &request("POST", "/", &[]))).await;
    peer.send(frame(DATA, 0, 1, b"the first half")).await;
    until("the API has it again, with another token", || {
        let uploads = uploads.lock().unwrap();
        let replay = uploads.get(1);
        replay.is_some_and(|bytes| bytes.ends_with(b"the first half\r\n"))
    })
    .await;
    peer.send(reset(1, NO_ERROR)).await;
    until("the exchange has ended", || upstream.open() == 0).await;
    for upload in uploads.lock().unwrap().iter() {
        assert!(!upload.ends_with(b"0\r\n\r\n"), "{upload:?}");
    }
}

/// An upload that cupbearer rejects is read to its end: a reset would only be followed by others.
#[tokio::test]
async fn a_rejected_upload_ends_without_a_reset() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("guard.read_only", "true")]).await;
    let mut peer = Peer::connect(proxy.address).await;
    for stream in (1..201).step_by(2) {
        peer.send(head(stream, 0, &request("POST", "/", &[]))).await;
        peer.ends_without_a_reset(stream).await;
        peer.send(frame(DATA, 0, stream, &[0; 16_000])).await;
        peer.send(frame(DATA, END_STREAM, stream, b"the end")).await;
    }
    peer.send(head(201, END_STREAM, &request("GET", "/", &[])))
        .await;
    peer.ends_without_a_reset(201).await;
}

/// An API that answers an upload before it has ended, in this protocol, and never looks at it again.
async fn hasty_api(is_http2: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut socket = listener.accept().await.unwrap().0;
        if !is_http2 {
            let _ = socket.read(&mut [0; 1000]).await;
            let response = answer("200 OK", "", "done");
            socket.write_all(&response).await.unwrap();
            return std::future::pending().await;
        }
        let mut connection = h2::server::handshake(socket).await.unwrap();
        let mut requests = Vec::new();
        while let Some(Ok((request, mut response))) = connection.accept().await {
            let head = http::Response::new(());
            let mut content = response.send_response(head, false).unwrap();
            content.send_data("done".into(), true).unwrap();
            requests.push(request);
        }
    });
    address
}

#[tokio::test]
async fn an_upload_that_was_answered_early_is_reset_though_its_client_sends_nothing_more() {
    for is_http2 in [false, true] {
        let url = format!("http://{}", hasty_api(is_http2).await);
        let mode = if is_http2 { "always" } else { "never" };
        let proxy = Proxy::with(&url, &[("upstream.http2", mode)]).await;
        let mut peer = Peer::connect(proxy.address).await;
        peer.send(head(1, 0, &request("POST", "/", &[]))).await;
        peer.send(frame(DATA, 0, 1, b"the first half")).await;
        peer.ends_without_a_reset(1).await;
        let frame = peer.read_until(|frame| frame.is(RST_STREAM, 1)).await;
        assert_eq!(frame.unwrap().code(), NO_ERROR, "HTTP/2: {is_http2}");
    }
}

/// Frames and heads that the library would log, with a caller's key where it would quote it.
#[cfg(unix)]
fn hostile_frames() -> Vec<Vec<u8>> {
    let authority = format!("x:{CALLER_KEY}@local host");
    let path = format!("http://x:{CALLER_KEY}@localhost/a<b");
    let with = |name, value: &str| {
        let mut fields = request("GET", "/", &[]);
        match fields.iter_mut().find(|(other, _)| *other == name) {
            Some((_, usual)) => *usual = value,
            None => fields.push((name, value)),
        }
        head(1, END_STREAM, &fields)
    };
    let mut sent = vec![
        with("x-well", "formed"),
        with(":authority", &authority),
        with(":path", &path),
        with(":scheme", CALLER_KEY),
        with(":protocol", CALLER_KEY),
        with("te", CALLER_KEY),
    ];
    sent.push(frame(peer::PING, peer::ACK, 0, b"no ping!").repeat(2000));
    sent
}

#[cfg(unix)]
#[tokio::test]
async fn no_client_can_fill_the_log_or_bring_a_key_into_it() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    std::fs::write(&file, CALLER_KEY).unwrap();
    let config = Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: CLIENT_ID,
        secret: SECRET,
        settings: &["log.level=trace", "log.format=json"],
    };
    let key_file = (
        "CUPBEARER_GUARD__CALLERS__CI__KEY__FILE",
        file.to_str().unwrap(),
    );
    let mut binary = Binary::start_with(&config, &[key_file]).await;
    for frames in hostile_frames() {
        let mut peer = Peer::connect(binary.address).await;
        peer.send(frames).await;
        peer.ping().await;
    }
    // The head has too many fields to reach the guard.
    let mut peer = Peer::connect(binary.address).await;
    let key = [("x-cupbearer-key", CALLER_KEY)];
    let many = [&key[..], &[("x-many", "1"); 110]].concat();
    peer.send(head(1, END_STREAM, &request("GET", "/many", &many)))
        .await;
    assert!(peer.read_until(|frame| frame.ends(1)).await.is_some());
    // Cancels more requests than a client may cancel before the library has seen them.
    for _ in 0..20 {
        let mut peer = Peer::connect(binary.address).await;
        let pairs = (1..81).step_by(2).map(|stream| {
            let head = head(stream, END_STREAM, &request("GET", "/", &[]));
            [head, reset(stream, 8)].concat()
        });
        peer.send(pairs.collect::<Vec<_>>().concat()).await;
        while peer.next().await.is_some() {}
    }
    binary.terminate();
    let (status, output) = binary.wait().await;
    assert_eq!(status.code(), Some(0), "{output}");
    assert_eq!(leaked(&output), None, "{output}");
    assert!(output.contains("caller_unknown"), "{output}");
    assert!(output.contains("/many"), "{output}");
    let lines = output.lines().count();
    assert!(lines < 300, "{lines} lines");
    for line in output.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let target = line["target"].as_str().unwrap_or("cupbearer");
        assert!(target.starts_with("cupbearer"), "{line}");
        let caller = line["caller"].as_str().unwrap_or("unknown");
        assert!(line["path"].is_null() || caller != "ci", "{line}");
    }
}
