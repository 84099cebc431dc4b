//! Which parts of a request are forwarded byte for byte, and which are removed.

use crate::support::{
    Client, Connection, End, Proxy, TOKEN, Upstream, answer, ask, get, many_fields, post,
};

async fn forwarded_target(target: &str) -> String {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(
        ask(proxy.address, get(target)).await.status,
        200,
        "{target}"
    );
    upstream.only_request().target
}

#[tokio::test]
async fn path_and_query_arrive_byte_for_byte() {
    let utf8: String = "/gr\u{fc}n?q=\u{2603}".bytes().map(char::from).collect();
    for target in [
        "/a%2fb%2Fc",
        "/?a+b=%2B&c=d;e=f",
        "/a;v=1/b",
        "/?",
        "/??a=b",
        "//double//slash",
        "/a/../b/./c",
        "/%00%0d%0a",
        "/?a=%zz%",
        "/?x={y}|[z]",
    ] {
        assert_eq!(forwarded_target(target).await, target);
    }
    assert_eq!(forwarded_target("/gr\u{fc}n?q=\u{2603}").await, utf8);
}

#[tokio::test]
async fn only_bytes_that_are_illegal_in_a_uri_are_rejected() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for byte in (b'!'..=b'~').filter(|byte| *byte != b'#').map(char::from) {
        for (target, refused) in [
            (format!("/a{byte}b"), "<>`"),
            (format!("/?a{byte}b"), "<>\""),
        ] {
            let answer = ask(proxy.address, get(&target)).await;
            if refused.contains(byte) {
                assert_eq!(answer.status, 400, "{target}");
            } else {
                assert_eq!(answer.text(), target);
            }
        }
    }
}

/// The header fields that the upstream receives if the client sends `fields`.
async fn forwarded_fields(fields: &[u8]) -> Vec<(String, String)> {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let request = [b"GET / HTTP/1.1\r\nHost: localhost\r\n", fields, b"\r\n"].concat();
    assert_eq!(
        ask(proxy.address, request).await.status,
        200,
        "{:?}",
        String::from_utf8_lossy(fields)
    );
    upstream.only_request().fields
}

fn named<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields
        .iter()
        .filter(|(own, _)| own == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

#[tokio::test]
async fn connection_removes_the_fields_it_nominates_but_never_the_bearer() {
    let bearer = format!("Bearer {TOKEN}");
    for fields in [
        &b"Connection: authorization\r\n"[..],
        b"Connection: Authorization, X-Gone\r\nX-Gone: 1\r\n",
        b"CONNECTION: AUTHORIZATION\r\n",
        b"Connection: close\r\nConnection: authorization\r\n",
        b"Connection: keep-alive, \tauthorization\t ,host\r\n",
        b"Connection: host\r\n",
        b"Connection: content-length, transfer-encoding\r\n",
        b"Connection: \xff, x-gone\r\nX-Gone: 1\r\n",
        b"Connection: \xff\r\nConnection: X-GONE\r\nx-gone: 1\r\n",
        b"Connection:\r\nConnection: x-gone\r\nX-Gone: 1\r\nX-Gone: 2\r\n",
        b"Connection: x-gone\r\nKeep-Alive: 5\r\nTE: gzip\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nX-Gone: 1\r\n",
    ] {
        let seen = forwarded_fields(fields).await;
        let context = String::from_utf8_lossy(fields);
        assert_eq!(named(&seen, "authorization"), [bearer.as_str()], "{context:?}");
        assert_eq!(named(&seen, "host").len(), 1, "{context:?}");
        for gone in ["connection", "x-gone", "keep-alive", "te", "proxy-connection", "upgrade"] {
            assert!(named(&seen, gone).is_empty(), "{gone} after {context:?}");
        }
    }
}

#[tokio::test]
async fn a_nominated_request_id_arrives_all_the_same() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: x-request-id\r\nX-Request-Id: mine\r\n\r\n";
    let answer = ask(proxy.address, request).await;
    let seen = upstream.only_request();
    assert_eq!(seen.values("x-request-id"), ["mine"]);
    assert_eq!(answer.field("x-request-id"), Some("mine"));
}

#[tokio::test]
async fn a_request_id_that_is_no_id_is_replaced() {
    let long = format!("X-Request-Id: {}\r\n", "a".repeat(65));
    for fields in [
        "",
        "X-Request-Id:\r\n",
        "X-Request-Id: a b\r\n",
        "X-Request-Id: a\r\nX-Request-Id: a\r\n",
        &long,
    ] {
        let seen = forwarded_fields(fields.as_bytes()).await;
        let [id] = named(&seen, "x-request-id")[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(id.len(), 16, "{fields}");
    }
    let id = "a".repeat(64);
    let seen = forwarded_fields(format!("X-Request-Id: {id}\r\n").as_bytes()).await;
    assert_eq!(named(&seen, "x-request-id"), [id]);
}

#[tokio::test]
async fn exactly_one_authorization_arrives_whatever_the_client_sends() {
    let bearer = format!("Bearer {TOKEN}");
    for fields in [
        "",
        "Authorization: Basic eDp5\r\n",
        "Authorization: Bearer mine\r\nAuthorization: Bearer mine too\r\n",
        "authorization:\r\nAUTHORIZATION: Digest x\r\n",
    ] {
        assert_eq!(
            named(&forwarded_fields(fields.as_bytes()).await, "authorization"),
            [bearer.as_str()]
        );
    }
}

#[tokio::test]
async fn claims_about_the_clients_identity_are_removed() {
    let seen = forwarded_fields(
        b"Proxy-Authorization: Basic eDp5\r\nProxy-Anything: 1\r\nForwarded: for=evil\r\nX-Forwarded-For: 1.2.3.4\r\n\
          X-Forwarded-Host: evil\r\nX-Forwarded-Anything: 1\r\nX-Real-IP: 1.2.3.4\r\nDPoP: x\r\n\
          X-Cupbearer-Key: x\r\nX_Forwarded_For: 1.2.3.4\r\nX-Forwarded_Host: evil\r\nX_Real-IP: 1\r\nX_Cupbearer_Key: x\r\n\
          Proxy_Authorization: Basic eDp5\r\nContent_Length: 7\r\nTransfer_Encoding: chunked\r\nX_Mine: kept\r\nX-Mine: kept\r\n",
    )
    .await;
    for (name, value) in &seen {
        let name = &*name.replace('_', "-");
        assert!(
            !name.starts_with("proxy-")
                && name != "content-length"
                && name != "transfer-encoding"
                && !name.contains("forwarded")
                && name != "x-real-ip"
                && name != "dpop"
                && name != "x-cupbearer-key",
            "{name}: {value}"
        );
    }
    assert_eq!(named(&seen, "x-mine"), ["kept"]);
    assert_eq!(named(&seen, "x_mine"), ["kept"]);
}

#[tokio::test]
async fn the_upstreams_host_is_the_configured_one() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let absolute = format!(
        "GET http://localhost:{0}/x?y HTTP/1.1\r\nHost: localhost:{0}\r\n\r\n",
        proxy.address.port()
    );
    assert_eq!(ask(proxy.address, absolute).await.text(), "/x?y");
    assert_eq!(
        upstream.only_request().values("host"),
        [upstream.address.to_string()]
    );
}

#[tokio::test]
async fn whatever_form_a_target_has_a_path_is_sent_or_nothing() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(
        &upstream.url(),
        &[("guard.allow", "[\"GET /\", \"OPTIONS /\"]")],
    )
    .await;
    let host = format!("localhost:{}", proxy.address.port());
    for (method, target, expected) in [
        ("GET", "http://HOST", Some("/")),
        ("GET", "http://HOST/", Some("/")),
        ("GET", "http://HOST#x", Some("/")),
        ("GET", "http://HOST#", Some("/")),
        ("GET", "http://HOST/#x", Some("/")),
        ("GET", "http://HOST#/x", Some("/")),
        ("GET", "http://HOST#?x", Some("/")),
        ("GET", "/#x", Some("/")),
        ("GET", "/?#x", Some("/?")),
        ("OPTIONS", "http://HOST#x", Some("/")),
        ("OPTIONS", "http://HOST", Some("/")),
        ("GET", "http://HOST?x", None),
        ("GET", "http://HOST?#x", None),
        ("GET", "HOST", None),
        ("GET", "#x", None),
        ("GET", "?x", None),
        ("GET", "*", None),
        ("OPTIONS", "*", None),
        ("OPTIONS", "*#x", None),
    ] {
        let target = target.replace("HOST", &host);
        let before = upstream.seen_count();
        let answer = ask(
            proxy.address,
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        )
        .await;
        let sent: Vec<String> = upstream
            .seen()
            .drain(before..)
            .map(|seen| seen.target)
            .collect();
        if let Some(expected) = expected {
            assert_eq!(sent, [expected], "{method} {target}");
        } else {
            assert_eq!(answer.status, 400, "{method} {target}");
            assert_eq!(sent, [""; 0], "{method} {target}");
        }
    }
}

#[tokio::test]
async fn bodies_arrive_complete_with_any_framing() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n";
    let lengthy = "Content-Length: 11\r\n\r\nhello world";
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET", "HEAD", "QUERY", "PROPFIND",
    ] {
        for framing in [chunked, lengthy] {
            let mut client = Client::connect(proxy.address).await;
            client
                .send(format!(
                    "{method} / HTTP/1.1\r\nHost: localhost\r\n{framing}"
                ))
                .await;
            let answer = if method == "HEAD" {
                client.head_answer().await
            } else {
                client.answer().await
            };
            assert_eq!(answer.status, 200, "{method} {framing:?} {}", answer.text());
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(
                (seen.method.as_str(), seen.body.as_slice()),
                (method, &b"hello world"[..]),
                "{framing:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_content_length_of_0_is_forwarded() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(ask(proxy.address, post("/", "")).await.status, 200);
    assert_eq!(upstream.only_request().values("content-length"), ["0"]);
    assert!(
        upstream
            .only_request()
            .values("transfer-encoding")
            .is_empty()
    );
}

#[tokio::test]
async fn sixty_kibibytes_of_fields_are_forwarded_and_more_than_the_limit_is_a_431() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let with = |count: usize| {
        let fields = many_fields(count, &"y".repeat(1020));
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
    };
    assert!(with(60).len() > 60 * 1024);
    assert_eq!(ask(proxy.address, with(60)).await.status, 200);
    assert_eq!(ask(proxy.address, with(70)).await.status, 431);
    assert_eq!(upstream.seen_count(), 1);
    assert_eq!(ask(proxy.address, get("/")).await.status, 200);
}

/// By then the buffer has grown and could hold more.
#[tokio::test]
async fn an_endless_head_is_a_431_at_the_limit_even_after_a_long_upload() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(post("/", &"x".repeat(4 << 20))).await;
    assert_eq!(client.answer().await.status, 200);
    let fields = many_fields(65, &"y".repeat(1020));
    client
        .send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}"))
        .await;
    assert_eq!(client.answer().await.status, 431);
}

#[tokio::test]
async fn ten_pipelined_requests_get_their_responses_in_order() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    let all: String = (0..10)
        .map(|number| {
            if number % 3 == 0 {
                post(&format!("/{number}"), "body")
            } else {
                get(&format!("/{number}"))
            }
        })
        .collect();
    client.send(all).await;
    for number in 0..10 {
        assert_eq!(client.answer().await.text(), format!("/{number}"));
    }
}

#[tokio::test]
async fn an_http_1_0_client_is_served_with_and_without_keep_alive() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            if request.target == "/chunked" {
                connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
            } else {
                connection.write(&answer("200 OK", "", "abc")).await;
            }
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;

    let mut plain = Client::connect(proxy.address).await;
    plain
        .send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(plain.answer().await.text(), "abc");
    assert!(plain.rest().await.is_empty(), "closed after one response");

    let mut kept = Client::connect(proxy.address).await;
    for _ in 0..3 {
        kept.send("GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
            .await;
        assert_eq!(kept.answer().await.text(), "abc");
    }

    let mut old = Client::connect(proxy.address).await;
    old.send("GET /chunked HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await;
    let answer = old.answer().await;
    assert_eq!(
        (
            answer.field("transfer-encoding"),
            answer.end,
            answer.text().as_str()
        ),
        (None, End::ConnectionClosed, "abc")
    );
}

/// Many clients take the first response for the final one, whatever its status.
#[tokio::test]
async fn interim_responses_of_the_upstream_are_not_forwarded() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let last = answer("200 OK", "", "last");
    let upstream = Upstream::answering([interim.as_bytes(), &last].concat()).await;
    let proxy = Proxy::before(&upstream).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_eq!((answer.status, answer.text()), (200, "last".to_owned()));
    assert_eq!(answer.field("link"), None);
}
