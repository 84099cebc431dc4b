//! What is changed in both directions, and that nothing else is, as seen on the wire.

mod documents;
mod scene;
mod trailing;

use cupbearer::StartError;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use scene::{Scene, exchange, lines_of, start, start_changed};

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

const BROWSER: &str = "Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\nCookie: jar=1";

#[tokio::test]
async fn a_redirect_to_the_upstream_leads_to_the_address_that_the_client_used() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: http://@UPSTREAM@/a?b=http://@UPSTREAM@/\r\n\
                  Content-Location: http://@UPSTREAM@/c\r\nContent-Length: 0\r\n\r\n";
    let scene = Scene::answering(answer).await;
    let upstream = &scene.upstream.authority;

    let request = "GET / HTTP/1.1\r\nHost: LocalHost:1\r\nConnection: close\r\n\r\n";
    let answer = exchange(&scene.proxy, request.as_bytes()).await;

    let expected = format!("http://LocalHost:1/a?b=http://{upstream}/");
    assert_eq!(lines_of(&answer, "location"), [expected]);
    assert_eq!(
        lines_of(&answer, "content-location"),
        [format!("http://{upstream}/c")]
    );
}

/// A client of a unix socket may send an empty `Host`, which is no address.
#[cfg(unix)]
#[tokio::test]
async fn without_an_address_that_the_client_used_nothing_is_rewritten_to_it() {
    use tokio::io::AsyncReadExt as _;

    let body = r#"{"openapi":"3.1.0","servers":[{"url":"http://@UPSTREAM@/v1"}]}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLocation: http://@UPSTREAM@/a\r\nConnection: close\r\n\r\n{body}"
    );
    let upstream =
        scene::Scripted::start(move |own| answer.replace("@UPSTREAM@", own).into_bytes()).await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("api.sock");
    let listen = format!("unix:{}", socket.display());
    let _running = start(&listen, &upstream.authority, "").await.unwrap();
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    let upstream = &upstream.authority;
    assert_eq!(
        lines_of(&answer, "location"),
        [format!("http://{upstream}/a")]
    );
    let servers = format!("\"url\":\"http://{upstream}/v1\"");
    assert!(answer.contains(&servers), "{answer}");
}

#[tokio::test]
async fn a_reason_phrase_passes_if_it_is_ascii() {
    for (reason, expected) in [
        (&b"Nothing Here"[..], "Nothing Here"),
        (b"Non trouv\xe9", ""),
        ("Non trouv\u{e9}".as_bytes(), ""),
        (b"", ""),
    ] {
        let parts = [b"HTTP/1.1 404 ", reason, b"\r\nContent-Length: 0\r\n\r\n"];
        let upstream = scene::Scripted::start(move |_| parts.concat()).await;
        let answer = Scene::before(upstream, "").await.get("GET /").await;
        assert_eq!(
            answer.lines().next(),
            Some(&*format!("HTTP/1.1 404 {expected}"))
        );
    }
}

#[tokio::test]
async fn every_cookie_line_is_rewritten_for_the_client() {
    let answer = "HTTP/1.1 204 No Content\r\nSet-Cookie: a=1; Secure; SameSite=None\r\n\
                  Set-Cookie: b=2; Path=/\r\nSet-Cookie: c=3; Domain=127.0.0.1\r\n\r\n";
    let answer = Scene::answering(answer).await.get("GET /").await;
    assert_eq!(
        lines_of(&answer, "set-cookie"),
        ["a=1; SameSite=Lax", "b=2; Path=/", "c=3"]
    );
}

#[tokio::test]
async fn without_rewriting_nothing_is_changed() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLocation: http://@UPSTREAM@/\r\n\
                  Set-Cookie: a=1; Secure; Domain=x\r\nETag: \"1\"\r\nConnection: close\r\n\r\n\
                  {\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"http://@UPSTREAM@\"}]}";
    let scene = Scene::configured(answer, "rewrite = false").await;

    let answer = scene.get("GET /openapi.json\nRange: bytes=0-").await;

    let upstream = &scene.upstream.authority;
    assert_eq!(
        lines_of(&answer, "location"),
        [format!("http://{upstream}/")]
    );
    assert_eq!(lines_of(&answer, "set-cookie"), ["a=1; Secure; Domain=x"]);
    assert_eq!(lines_of(&answer, "etag"), ["\"1\""]);
    assert!(
        answer.contains(&format!("\"http://{upstream}\"")),
        "{answer}"
    );
    assert_eq!(lines_of(&scene.upstream.seen()[0], "range"), ["bytes=0-"]);
}

#[tokio::test]
async fn origin_and_referer_that_name_the_proxy_name_the_upstream_instead() {
    let more = "[guard]\norigins = [\"https://tool.example\"]";
    let scene = Scene::configured(EMPTY, more).await;
    let (ours, upstream) = (&scene.proxy, &scene.upstream.authority);
    for (origin, referer, expected_origin, expected_referer) in [
        (
            format!("http://{ours}"),
            format!("http://{ours}/docs?a=http://{ours}"),
            format!("http://{upstream}"),
            format!("http://{upstream}/docs?a=http://{ours}"),
        ),
        (
            "https://tool.example".into(),
            "https://tool.example/a".into(),
            "https://tool.example".into(),
            "https://tool.example/a".into(),
        ),
    ] {
        let request = format!("POST /\nOrigin: {origin}\nReferer: {referer}\nContent-Length: 0");
        assert!(scene.get(&request).await.starts_with("HTTP/1.1 204"));
        let seen = scene.upstream.seen().pop().unwrap();
        assert_eq!(lines_of(&seen, "origin"), [expected_origin]);
        assert_eq!(lines_of(&seen, "referer"), [expected_referer]);
    }
}

#[tokio::test]
async fn cookies_of_browsers_are_removed_and_those_of_other_clients_are_forwarded() {
    let scene = Scene::answering(EMPTY).await;
    let own_page = format!("GET /\nCookie: jar=1\nOrigin: http://{}", scene.proxy);
    for (request, expected) in [
        (format!("GET /\n{BROWSER}"), vec![]),
        (
            "GET /\nCookie: jar=1\nSec-Fetch-Mode: navigate".into(),
            vec![],
        ),
        (own_page, vec![]),
        (
            "GET /\nCookie: jar=1\nCookie: other=2".into(),
            vec!["jar=1", "other=2"],
        ),
    ] {
        scene.get(&request).await;
        let seen = scene.upstream.seen().pop().unwrap();
        assert_eq!(lines_of(&seen, "cookie"), expected, "{request}");
    }
}

#[tokio::test]
async fn cookies_of_browsers_are_forwarded_if_configured() {
    let scene = Scene::configured(EMPTY, "cookies = true").await;
    scene.get(&format!("GET /\n{BROWSER}")).await;
    assert_eq!(lines_of(&scene.upstream.seen()[0], "cookie"), ["jar=1"]);
}

#[tokio::test]
async fn our_via_follows_those_of_earlier_proxies() {
    let scene = Scene::answering(EMPTY).await;
    scene
        .get("GET /\nVia: 1.0 first, 1.1 second (x)\nVia: 1.1 third")
        .await;
    let via = lines_of(&scene.upstream.seen()[0], "via");
    assert_eq!(via[..2], ["1.0 first, 1.1 second (x)", "1.1 third"]);
    assert!(via[2].starts_with("1.1 cupbearer-"), "{via:?}");
    assert_eq!(via.len(), 3);
}

#[tokio::test]
async fn via_can_be_disabled() {
    let scene = Scene::configured(EMPTY, "via = false").await;
    scene.get("GET /").await;
    assert_eq!(lines_of(&scene.upstream.seen()[0], "via"), [""; 0]);
}

#[tokio::test]
async fn a_request_that_comes_back_is_a_508_after_one_round() {
    let way_back = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let detour = way_back.local_addr().unwrap().to_string();
    let running = start("127.0.0.1:0", &detour, "").await.unwrap();
    let proxy = running.addresses[0].to_string();
    let back_to = proxy.clone();
    let rounds = tokio::spawn(async move {
        let mut rounds = 0;
        while let Ok((mut from, _)) = way_back.accept().await {
            rounds += 1;
            assert!(rounds < 3, "the request is caught in a loop");
            let mut to = TcpStream::connect(&back_to).await.unwrap();
            tokio::io::copy_bidirectional(&mut from, &mut to).await.ok();
            to.shutdown().await.ok();
        }
    });

    let request = format!("GET / HTTP/1.1\r\nHost: {proxy}\r\nConnection: close\r\n\r\n");
    let answer = exchange(&proxy, request.as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 508 "), "{answer}");
    assert!(answer.contains("\"reason\":\"loop\""), "{answer}");
    assert!(!rounds.is_finished());
    rounds.abort();
}

#[tokio::test]
async fn an_upstream_that_is_our_own_listener_is_rejected_at_start() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for upstream in [address.to_string(), format!("localhost:{}", address.port())] {
        let other = "127.0.0.1:1";
        let refused = start_changed(&address.to_string(), other, "", |config| {
            config.upstream.url.authority = upstream.parse().unwrap();
        })
        .await;
        assert!(
            matches!(refused, Err(StartError::Loop { listener, .. }) if listener == address),
            "{upstream}"
        );
    }
}

#[tokio::test]
async fn a_chunked_get_arrives_with_its_body() {
    let scene = Scene::answering(EMPTY).await;
    let request = format!(
        "GET /search HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        scene.proxy
    );
    exchange(&scene.proxy, request.as_bytes()).await;
    let seen = &scene.upstream.seen()[0];
    assert_eq!(lines_of(seen, "transfer-encoding"), ["chunked"]);
    assert!(seen.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{seen}");
}
