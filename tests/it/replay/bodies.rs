//! What is replayed of a request body, whenever and however the 401 arrives.

use aws_lc_rs::digest::{Context, SHA256};
use tokio::task::JoinSet;

use super::upstream::{Scripted, answer, refused};
use super::{Scene, answer_on, because, chunked, post};

#[tokio::test]
async fn a_body_at_the_limit_is_replayed_and_one_byte_more_is_not() {
    let mut cases = JoinSet::new();
    for request in [post, chunked] {
        cases.spawn(reject_after_the_body(request, 1024, (200, 2)));
        cases.spawn(reject_after_the_body(request, 1025, (401, 1)));
    }
    cases.join_all().await;
}

async fn reject_after_the_body(
    request: fn(&str, &str) -> String,
    length: usize,
    (status, attempts): (u16, usize),
) {
    let api = Scripted::bind().await;
    let scene = Scene::with(&api.url, &[("upstream.retry_body", "1KiB")]).await;
    let revoked = scene.proxy.tokens().usable().unwrap().header;
    let api = api.serve(move |head, body| {
        if head.bearer().as_bytes() == revoked.as_bytes() {
            refused("")
        } else {
            answer("200 OK", "", &String::from_utf8_lossy(body))
        }
    });
    let body: String = ('a'..='z').cycle().take(length).collect();

    let answer = scene.ask(request("/", &body)).await;

    assert_eq!(answer.status, status, "{length}");
    let requests = api.requests();
    assert_eq!(requests.len(), attempts);
    for name in ["content-length", "transfer-encoding"] {
        let framing = |at: usize| requests[at].0.value(name);
        assert_eq!(framing(0), framing(attempts - 1), "{name}");
    }
    if status == 200 {
        assert_eq!(answer.body, body);
    } else {
        let why = because("the request body exceeds upstream.retry_body");
        assert_eq!(answer.head.value("proxy-status"), Some(&*why));
        assert_eq!(answer.head.value("connection"), None, "all of it was read");
    }
}

/// What the upstream does with the connection on which it sent a 401 without reading the body.
#[derive(Debug, Clone, Copy)]
enum Then {
    Stays,
    SaysClose,
    HangsUp,
}

#[tokio::test]
async fn a_request_with_an_early_401_is_replayed_whatever_happens_to_its_connection() {
    let mut cases = JoinSet::new();
    for then in [Then::Stays, Then::SaysClose, Then::HangsUp] {
        cases.spawn(reject_before_the_body(post, then));
        cases.spawn(reject_before_the_body(chunked, then));
    }
    cases.join_all().await;
}

async fn reject_before_the_body(request: fn(&str, &str) -> String, then: Then) {
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut client = scene.connect().await;
    client.write(request("/", "the body")).await;

    let (mut first, _) = api.request().await;
    let stays = refused("not to be seen");
    let closes = stays.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    match then {
        Then::Stays => first.write(stays).await,
        Then::SaysClose => first.write(closes).await,
        Then::HangsUp => {
            first.write(closes).await;
            drop(first); // the unread body makes it a reset
        }
    }
    let (mut second, head) = api.request().await;
    assert_eq!(second.body(&head).await, b"the body", "{then:?}");
    second.write(answer("200 OK", "", "seen")).await;

    let answer = answer_on(&mut client).await;
    assert_eq!((answer.status, &*answer.body), (200, "seen"), "{then:?}");
    assert!(api.has_no_other_connection());
}

#[tokio::test]
async fn after_a_401_to_an_expectation_the_client_sends_its_body_only_once_the_newer_token_is_accepted()
 {
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut client = scene.connect().await;
    let head =
        "PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n";
    client.write(head).await;
    let (mut first, _) = api.request().await;
    first.write(refused("no")).await;
    let (mut second, head) = api.request().await;
    assert_eq!(head.value("expect"), Some("100-continue"));
    second.write("HTTP/1.1 100 Continue\r\n\r\n").await;

    let interim = client.head().await.unwrap();
    assert!(interim.0.starts_with("HTTP/1.1 100 "), "{interim:?}");
    client.write("the body").await;
    assert_eq!(second.body(&head).await, b"the body");
    second.write(answer("200 OK", "", "")).await;
    assert_eq!(answer_on(&mut client).await.status, 200);
}

#[tokio::test]
async fn an_upload_of_100_mib_that_gets_an_immediate_401_is_replayed_in_full() {
    const LENGTH: usize = 100 << 20;
    const EARLY: usize = 32 << 10;
    let body: Vec<u8> = (0..LENGTH / 4)
        .flat_map(|n| u32::try_from(n).unwrap().to_be_bytes())
        .collect();
    let mut sent = Context::new(&SHA256);
    sent.update(&body);
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut client = scene.connect().await;
    let head = format!("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n");
    client.write(head).await;
    client.write(&body[..EARLY]).await;
    let (mut first, _) = api.request().await;
    let mut early = 0;
    first.bytes(EARLY, |piece| early += piece.len()).await;
    first.write(refused("")).await;
    let (mut second, head) = api.request().await;
    assert_eq!(
        head.values("content-length").collect::<Vec<_>>(),
        [LENGTH.to_string()]
    );

    let mut came = Context::new(&SHA256);
    let uploading = async {
        client.write(&body[EARLY..]).await;
        answer_on(&mut client).await
    };
    let receiving = async {
        second.bytes(LENGTH, |piece| came.update(piece)).await;
        second.write(answer("200 OK", "", "whole")).await;
    };
    let (answer, ()) = tokio::join!(uploading, receiving);

    assert_eq!((early, answer.status, &*answer.body), (EARLY, 200, "whole"));
    assert_eq!(came.finish().as_ref(), sent.finish().as_ref());
}

#[tokio::test]
async fn an_upload_that_gets_a_401_beyond_the_limit_is_not_read_to_its_end() {
    const SENT: usize = (64 << 10) + 1;
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut client = scene.connect().await;
    client
        .write("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5368709120\r\n\r\n")
        .await;
    client.write(vec![b'x'; SENT]).await;
    let (mut first, _) = api.request().await;
    first.bytes(SENT, |_| ()).await;
    first.write(refused("as it came")).await;

    let answer = answer_on(&mut client).await;

    assert_eq!((answer.status, &*answer.body), (401, "as it came"));
    let why = because("the request body exceeds upstream.retry_body");
    assert_eq!(answer.head.value("proxy-status"), Some(&*why));
    assert_eq!(answer.head.value("connection"), Some("close"));
    assert!(api.has_no_other_connection());
}
