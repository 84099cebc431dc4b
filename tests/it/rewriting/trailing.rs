//! Trailers in both directions, between raw sockets.

use super::scene::{Scene, exchange, lines_of};

#[tokio::test]
async fn announced_request_trailers_arrive_without_the_fields_of_a_head() {
    let scene = Scene::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let names = "X-Sum, Authorization, Host, Content-Length, Transfer-Encoding, X-Forwarded-For, Cookie, X-HTTP-Method-Override";
    let trailers = "X-Sum: 1\r\nAuthorization: Bearer x\r\nHost: evil\r\nContent-Length: 3\r\nTransfer-Encoding: x\r\n\
                    X-Forwarded-For: 1\r\nCookie: a\r\nX-HTTP-Method-Override: DELETE\r\nX-Unannounced: 1\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nTrailer: {names}\r\nConnection: close\r\n\r\n\
         3\r\nabc\r\n0\r\n{trailers}\r\n",
        scene.proxy
    );

    let answer = exchange(&scene.proxy, request.as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let seen = scene.upstream.seen().pop().unwrap();
    assert_eq!(lines_of(&seen, "trailer"), ["X-Sum"]);
    assert!(
        seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_connection_is_reused_after_request_trailers() {
    let scene = Scene::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let request = |connection: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n{connection}\r\n\
             3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
            scene.proxy
        )
    };
    let two = request("") + &request("Connection: close\r\n");

    let answers = exchange(&scene.proxy, two.as_bytes()).await;

    assert_eq!(answers.matches("HTTP/1.1 204").count(), 2, "{answers}");
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                      Trailer: X-Sum, Set-Cookie, Alt-Svc, Content-Length, WWW-Authenticate\r\n\r\n3\r\nabc\r\n0\r\n\
                      X-Sum: 1\r\nSet-Cookie: a=1\r\nAlt-Svc: h2\r\nContent-Length: 9\r\nWWW-Authenticate: Basic\r\n\r\n";

#[tokio::test]
async fn announced_response_trailers_reach_a_client_that_accepts_them() {
    let scene = Scene::answering(ANSWER).await;

    let answer = scene.get("GET /\nTE: gzip;q=0.5, Trailers").await;

    let seen = scene.upstream.seen().pop().unwrap();
    assert_eq!(lines_of(&seen, "te"), ["trailers"]);
    assert_eq!(lines_of(&seen, "connection"), ["te"]);
    assert!(
        answer.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_that_does_not_accept_trailers_gets_the_complete_body_without_them() {
    let scene = Scene::answering(ANSWER).await;

    let answer = scene.get("GET /\nTE: gzip").await;

    let seen = scene.upstream.seen().pop().unwrap();
    assert_eq!(lines_of(&seen, "te"), [""; 0]);
    assert_eq!(lines_of(&seen, "connection"), [""; 0]);
    assert!(
        answer.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "{answer}"
    );
}

/// Fields that never pass as trailers, in either direction, and one that does.
const NEVER: &str = "X-Hop, Surrogate-Control, CDN-Cache-Control, X-CDN-Cache-Control, Proxy-Authentication-Info, \
                     Proxy-Support, Keep-Alive, X-Sum";

fn as_trailers(names: &str) -> String {
    let lines = names.split(", ").map(|name| format!("{name}: 1\r\n"));
    lines.collect()
}

#[tokio::test]
async fn what_a_request_head_may_not_carry_does_not_cross_as_a_trailer() {
    let scene = Scene::configured(
        "HTTP/1.1 204 No Content\r\n\r\n",
        "headers = { X-Fixed = \"ours\" }",
    )
    .await;
    let names = format!("X-Fixed, X_Fixed, X-Cupbearer-Key, X_Cupbearer_Key, {NEVER}");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nX_Fixed: theirs\r\nX-Fixed: theirs\r\nTransfer-Encoding: chunked\r\nTrailer: X-Fixed\r\nTrailer: {names}\r\n\
         Connection: close, X-Hop\r\n\r\n3\r\nabc\r\n0\r\n{}\r\n",
        scene.proxy,
        as_trailers(&names)
    );

    let answer = exchange(&scene.proxy, request.as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let seen = scene.upstream.seen().pop().unwrap();
    assert_eq!(lines_of(&seen, "trailer"), ["X-Sum"]);
    assert_eq!(lines_of(&seen, "x-fixed"), ["ours"]);
    assert_eq!(lines_of(&seen, "x_fixed"), [""; 0]);
    assert!(seen.ends_with("\r\n0\r\nx-sum: 1\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn what_a_response_head_may_not_carry_does_not_cross_as_a_trailer() {
    for announced in ["", "X-Sum, "] {
        let names = format!("{announced}{}", NEVER.trim_end_matches(", X-Sum"));
        let scene = Scene::answering(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: {names}\r\nConnection: X-Hop\r\n\r\n\
             3\r\nabc\r\n0\r\n{}\r\n",
            as_trailers(&names)
        ))
        .await;

        let answer = scene.get("GET /\nTE: trailers").await;

        let (expected, end) = match announced {
            "" => (&[][..], "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            _ => (&["X-Sum"][..], "\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"),
        };
        assert_eq!(lines_of(&answer, "trailer"), expected);
        assert!(answer.ends_with(end), "{answer}");
    }
}

#[tokio::test]
async fn fields_between_proxies_do_not_cross_in_a_response_head() {
    let fields = "Proxy-Authentication-Info: a\r\nProxy-Support: b\r\nProxy-Anything: c\r\nConnection: X-Hop\r\nX-Hop: d";
    let scene = Scene::answering(&format!("HTTP/1.1 204 No Content\r\n{fields}\r\n\r\n")).await;
    let answer = scene.get("GET /").await;
    for line in fields
        .lines()
        .filter(|line| !line.starts_with("Connection"))
    {
        let name = line.split(':').next().unwrap();
        assert_eq!(lines_of(&answer, name), [""; 0], "{name}");
    }
}
