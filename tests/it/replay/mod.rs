//! A 401 from the upstream: there is one newer token for all of them, and each request is replayed at most once.

mod bodies;
mod storms;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cupbearer::config::{self, Overrides, Setting, Surroundings};
use cupbearer::demo::{self, Behaviour, Demo, Groups, TokenReply};
use cupbearer::proxy::AccessLines;
use cupbearer::token::TokenState;
use http::StatusCode;
use tokio::net::TcpStream;

use upstream::{Head, Scripted, Wire, answer, refused};

/// A proxy that has its first token from the demo's authorization server, in front of any API.
struct Scene {
    demo: Demo,
    proxy: cupbearer::RunningProxy,
}

impl Scene {
    async fn before(upstream: &str) -> Self {
        Self::with(upstream, &[]).await
    }

    /// The same in front of the demo's API.
    async fn before_the_demo(change: impl FnOnce(&mut Behaviour)) -> Self {
        let demo = demo::start(demo::Options::on_free_ports()).await.unwrap();
        demo.state.change(change);
        let proxy = start(&demo, &[]).await;
        Self { demo, proxy }
    }

    async fn with(upstream: &str, more: &[(&str, &str)]) -> Self {
        let demo = demo::start(demo::Options::on_free_ports()).await.unwrap();
        let settings = [&[("upstream.url", upstream)], more].concat();
        let proxy = start(&demo, &settings).await;
        Self { demo, proxy }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.addresses[0]
    }

    async fn connect(&self) -> Wire {
        Wire::new(TcpStream::connect(self.address()).await.unwrap())
    }

    /// One request on a connection of its own.
    async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        ask(self.address(), request).await
    }

    fn token_posts(&self) -> u64 {
        self.demo.state.token_request_count()
    }
}

async fn start(demo: &Demo, settings: &[(&str, &str)]) -> cupbearer::RunningProxy {
    let setting = |(key, text): &(&str, &str)| Setting {
        flag: "--set",
        key: (*key).to_owned(),
        text: (*text).to_owned(),
    };
    let overrides = Overrides {
        file: Some(demo.write_configuration(&demo.configuration()).unwrap()),
        settings: [("listen", "127.0.0.1:0")]
            .iter()
            .chain(settings)
            .map(setting)
            .collect(),
        ..Overrides::default()
    };
    let surroundings = Surroundings {
        working_directory: PathBuf::from("/nonexistent"),
        ..Surroundings::default()
    };
    let loaded =
        config::load(&overrides, &surroundings).unwrap_or_else(|problems| panic!("{problems}"));
    let proxy = cupbearer::start(&loaded.config, AccessLines::None).unwrap();
    assert_eq!(proxy.tokens().settled().await.state, TokenState::Fresh);
    proxy
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: Head,
    body: String,
}

async fn ask(proxy: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::new(TcpStream::connect(proxy).await.unwrap());
    wire.write(request).await;
    answer_on(&mut wire).await
}

async fn answer_on(wire: &mut Wire) -> Answer {
    let head = wire.head().await.expect("an answer");
    let body = wire.body(&head).await;
    Answer {
        status: head.0[9..12].parse().unwrap(),
        body: String::from_utf8(body).unwrap(),
        head,
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn chunked(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    )
}

/// `Proxy-Status` of a 401 after which the request was not replayed.
fn because(why: &str) -> String {
    format!("cupbearer; received-status=401; details=\"not sent again: {why}\"")
}

#[tokio::test]
async fn a_revoked_token_is_replaced_unnoticed_for_any_method() {
    for (request, status) in [
        (get("/api/v1/certificates"), 200),
        (
            post("/api/v1/hostnames", r#"{"hostname": "a.example.com"}"#),
            422,
        ),
        (
            get("/api/v1/certificates")
                .replace("GET", "DELETE")
                .replace(" HTTP", "/nobody HTTP"),
            404,
        ),
    ] {
        let scene = Scene::before_the_demo(|_| ()).await;
        scene.demo.state.revoke_all_tokens();
        let answer = scene.ask(&request).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.head.value("proxy-status"), None);
        assert_eq!(scene.token_posts(), 2);
        let seen = scene.demo.state.api_requests();
        let statuses: Vec<u16> = seen.iter().map(|seen| seen.status.as_u16()).collect();
        assert_eq!(statuses, [401, status]);
        assert!(seen.iter().all(|seen| seen.authorization_lines() == 1));
    }
}

#[tokio::test]
async fn a_403_is_never_replayed_and_requests_no_token() {
    let scene = Scene::before_the_demo(|demo| demo.groups = Groups::Missing).await;
    assert_eq!(scene.ask(get("/api/v1/certificates")).await.status, 403);
    let counts = (scene.token_posts(), scene.demo.state.api_request_count());
    assert_eq!(counts, (1, 1));
}

#[tokio::test]
async fn a_401_for_insufficient_scope_is_forwarded_with_the_cause_in_proxy_status() {
    let api = Scripted::bind().await.serve(|_, _| {
        let challenge = "WWW-Authenticate: Bearer realm=\"x\"\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n";
        answer("401 Unauthorized", challenge, "scope")
    });
    let scene = Scene::before(&api.url).await;
    let upgrade =
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (count, request) in [post("/", "body"), upgrade.to_owned()].iter().enumerate() {
        let answer = scene.ask(request).await;
        assert_eq!((answer.status, &*answer.body), (401, "scope"));
        let why = because("the token lacks a scope");
        assert_eq!(answer.head.value("proxy-status"), Some(&*why));
        assert_eq!((api.requests().len(), scene.token_posts()), (count + 1, 1));
    }
}

#[tokio::test]
async fn the_401_of_a_replay_is_forwarded_and_there_is_no_second_replay() {
    let api = Scripted::bind()
        .await
        .serve(|head, _| refused(&head.bearer()));
    let scene = Scene::before(&api.url).await;
    let answer = scene.ask(post("/", "body")).await;
    let requests = api.requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].0.bearer(), requests[1].0.bearer());
    assert_eq!((answer.status, answer.body), (401, requests[1].0.bearer()));
    assert_eq!(answer.head.value("proxy-status"), None);
    assert!(
        scene
            .proxy
            .tokens()
            .snapshot()
            .refused_although_fresh
            .is_some()
    );
}

#[tokio::test]
async fn without_a_newer_token_the_401_is_forwarded_with_the_cause_in_proxy_status() {
    for (reply, wait, why) in [
        (
            TokenReply::trouble(StatusCode::SERVICE_UNAVAILABLE),
            "10s",
            "no newer token, the token endpoint issued none",
        ),
        (
            TokenReply::Never,
            "200ms",
            "no newer token within token.wait",
        ),
    ] {
        let api = Scripted::bind().await.serve(|_, _| refused("no"));
        let scene = Scene::with(&api.url, &[("token.wait", wait)]).await;
        scene.demo.state.reply_always(reply);
        let answer = scene.ask(post("/", "body")).await;
        assert_eq!((answer.status, &*answer.body), (401, "no"));
        assert_eq!(answer.head.value("proxy-status"), Some(&*because(why)));
        assert_eq!(
            answer.head.value("www-authenticate"),
            Some("Bearer error=\"invalid_token\"")
        );
        assert_eq!(api.requests().len(), 1);
        assert_eq!(
            scene.proxy.tokens().snapshot().state,
            TokenState::Fresh,
            "still in use"
        );
    }
}

#[tokio::test]
async fn a_replay_that_loses_its_connection_is_an_error_and_is_not_sent_a_third_time() {
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut client = scene.connect().await;
    client.write(post("/", "body")).await;
    let (mut first, head) = api.request().await;
    first.body(&head).await;
    first.write(refused("no")).await;
    let (mut second, head) = api.request().await;
    second.body(&head).await;
    drop(second);
    let answer = answer_on(&mut client).await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("upstream_closed"), "{}", answer.body);
    assert!(api.has_no_other_connection());
}

#[tokio::test]
async fn a_get_that_was_retried_and_then_gets_a_401_is_still_replayed() {
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut client = scene.connect().await;
    client.write(get("/warm")).await;
    let (mut reused, _) = api.request().await;
    reused.write(answer("200 OK", "", "")).await;
    assert_eq!(answer_on(&mut client).await.status, 200);

    client.write(get("/")).await;
    let lost = reused.head().await.unwrap();
    drop(reused);
    let (mut again, rejected) = api.request().await;
    again.write(refused("first")).await;
    let (mut replay, newer) = api.request().await;
    replay.write(answer("200 OK", "", "second")).await;

    assert_eq!(answer_on(&mut client).await.body, "second");
    assert_eq!(lost.bearer(), rejected.bearer());
    assert_ne!(rejected.bearer(), newer.bearer());
    assert!(api.has_no_other_connection());
}

/// Longer than any of these tests takes.
const LATENCY: Duration = Duration::from_millis(300);
