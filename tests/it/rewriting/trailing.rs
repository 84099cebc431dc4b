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
    assert_eq!(lines_of(&seen, "trailer"), [names]);
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
