//! tests/survives.md 42: upstream and token endpoint through a corporate proxy, which sees nothing but their names.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::peers::Ca;
use super::*;

const PASSWORD: &str = "corp-p%40ss";
const BASIC: &str = "Basic dXNlcjpjb3JwLXBAc3M="; // user:corp-p@ss

/// An API and a token endpoint whose names only the proxy can resolve.
struct Destinations {
    ca: Ca,
    api: Peer,
    token: Peer,
}

impl Destinations {
    async fn new() -> Self {
        let ca = Ca::new("Good CA");
        let (api, token) = (ca.issue("api.test"), ca.issue("as.test"));
        Self {
            api: Peer::tls(&api).await,
            token: Peer::tls(&token).await,
            ca,
        }
    }

    fn start(&self, more: &str, variables: &[(&str, &str)]) -> Cupbearer {
        let setup = Setup {
            upstream: &format!("https://api.test:{}", self.api.address.port()),
            token_url: &format!("https://as.test:{}/token", self.token.address.port()),
            trusted: &self.ca.pem,
            more,
            variables,
        };
        setup.start()
    }

    /// Only the upstream is reached through the proxy; the token endpoint is local.
    async fn start_with_token(&self, proxy: &str, more: &str) -> Cupbearer {
        let token = Peer::plain().await;
        let setup = Setup {
            upstream: &format!("https://api.test:{}", self.api.address.port()),
            token_url: &format!("http://{}/token", token.address),
            trusted: &self.ca.pem,
            more: &format!("network.proxy = \"{proxy}\"\n{more}"),
            variables: &[],
        };
        let cupbearer = setup.start();
        assert_eq!(cupbearer.running.tokens().settled().await.last_error, None);
        assert_eq!(token.seen.count("Proxy-Authorization"), 0);
        assert_eq!(token.seen.count("proxy-authorization"), 0);
        cupbearer
    }
}

#[track_caller]
fn assert_proxy_saw_no_secret(proxy: &Peer) {
    let client = BASE64_STANDARD.encode(format!("id:{CLIENT_SECRET}"));
    for secret in [TOKEN, CLIENT_SECRET, &client] {
        assert_eq!(proxy.seen.count(secret), 0, "{secret}");
    }
}

#[tokio::test]
async fn both_use_the_proxy_of_the_configuration_or_of_the_environment() {
    for by_environment in [false, true] {
        let (destinations, proxy) = (Destinations::new().await, Peer::proxy(Some(BASIC)).await);
        let url = format!("http://user:{PASSWORD}@{}", proxy.address);

        let cupbearer = if by_environment {
            destinations.start("", &[("HTTPS_PROXY", &url)])
        } else {
            destinations.start(&format!("network.proxy = \"{url}\""), &[])
        };

        let answer = cupbearer.get().await;
        let tokens = &cupbearer.running.tokens();
        assert!(
            answer.ends_with("\r\n\r\nok"),
            "{answer} {:?}",
            tokens.snapshot().last_error
        );
        for (host, peer) in [
            ("api.test", &destinations.api),
            ("as.test", &destinations.token),
        ] {
            let target = format!("CONNECT {host}:{} HTTP/1.1\r\n", peer.address.port());
            assert_eq!(proxy.seen.count(&target), 1, "{}", proxy.seen.text());
        }
        assert_eq!(destinations.api.seen.count(TOKEN), 1);
        assert_eq!(
            destinations.api.seen.count(BASIC) + destinations.token.seen.count(BASIC),
            0
        );
        assert_proxy_saw_no_secret(&proxy);
    }
}

#[tokio::test]
async fn a_407_says_whether_credentials_are_missing_or_wrong() {
    for (user, words) in [
        ("", "it requires a user name and password"),
        ("user:wrong-p4ss@", "it rejected the user name and password"),
    ] {
        let (destinations, proxy) = (Destinations::new().await, Peer::proxy(Some(BASIC)).await);
        let url = format!("http://{user}{}", proxy.address);

        let problem = destinations
            .start_with_token(&url, "")
            .await
            .problem()
            .await;

        let shown = format!("the corporate proxy http://{}", proxy.address);
        problem.is(
            "upstream_proxy",
            "destination_unavailable",
            &[&shown, "407", words, "network.proxy"],
        );
        assert!(!problem.detail.contains("wrong-p4ss") && !problem.detail.contains("Basic,"));
        assert_proxy_saw_no_secret(&proxy);
    }
}

#[tokio::test]
async fn a_407_for_the_token_endpoint_names_the_proxy_and_no_credential() {
    let (destinations, proxy) = (Destinations::new().await, Peer::proxy(Some(BASIC)).await);
    let url = format!("http://user:wrong-p4ss@{}", proxy.address);

    let cupbearer = destinations.start(&format!("network.proxy = \"{url}\""), &[]);

    let error = cupbearer.token_error().await;
    let shown = format!("through the corporate proxy http://{}", proxy.address);
    assert!(
        error.contains(&shown) && error.contains("requires a user name and password"),
        "{error}"
    );
    let wrong = BASE64_STANDARD.encode("user:wrong-p4ss");
    for secret in ["wrong-p4ss", &wrong, CLIENT_SECRET] {
        assert!(!error.contains(secret), "{error}");
    }
    assert_proxy_saw_no_secret(&proxy);
}

#[tokio::test]
async fn any_other_response_of_the_proxy_is_reported_as_the_proxys() {
    let destinations = Destinations::new().await;
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for (answer, words) in [
        (
            "HTTP/1.1 403 Filtered\r\n\r\n<html>",
            "it answered 403 to CONNECT api.test:",
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"corp\"\r\n\r\n",
            "it answered 401: it requires a user name and password",
        ),
        (
            "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n",
            "does not offer Basic",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "its response is not HTTP"),
        ("HTTP/1.1 200 OK\r\n\r\nearly", "its response is not HTTP"),
        (&long, "more than 16384 bytes"),
    ] {
        let proxy = Peer::saying(answer).await;
        let url = format!("http://{}", proxy.address);
        let problem = destinations
            .start_with_token(&url, "")
            .await
            .problem()
            .await;
        problem.is("upstream_proxy", "destination_unavailable", &[words, &url]);
        assert_eq!(proxy.seen.count(TOKEN), 0);
    }
    let proxy = Peer::closing().await;
    let url = format!("http://{}", proxy.address);
    let problem = destinations
        .start_with_token(&url, "")
        .await
        .problem()
        .await;
    problem.is(
        "upstream_proxy",
        "destination_unavailable",
        &["ended before it responded"],
    );
}

#[tokio::test]
async fn an_unreachable_or_silent_proxy_is_reported_within_the_connect_timeout() {
    let destinations = Destinations::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{free}");
    let problem = destinations
        .start_with_token(&url, "")
        .await
        .problem()
        .await;
    problem.is(
        "upstream_proxy",
        "destination_unavailable",
        &["could not connect to", "HTTPS_PROXY"],
    );

    let url = "http://no-such-proxy.invalid:3128";
    let problem = destinations.start_with_token(url, "").await.problem().await;
    problem.is(
        "upstream_proxy",
        "destination_unavailable",
        &["could not be resolved", url],
    );

    let silent = Peer::saying("").await;
    let url = format!("http://{}", silent.address);
    let limit = "upstream.connect_timeout = \"300ms\"";
    let start = std::time::SystemTime::now();
    let problem = destinations
        .start_with_token(&url, limit)
        .await
        .problem()
        .await;
    problem.is(
        "upstream_connect_timeout",
        "connection_timeout",
        &["300ms", "through the corporate proxy", &url],
    );
    assert!(start.elapsed().unwrap() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_loopback_token_endpoint_is_never_reached_through_a_proxy() {
    let ca = Ca::new("Good CA");
    let (api, proxy) = (
        Peer::tls(&ca.issue("localhost")).await,
        Peer::proxy(None).await,
    );
    let port = api.address.port();
    let url = format!("http://user:{PASSWORD}@{}", proxy.address);
    let all = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
    ];
    for more in ["", &format!("network.proxy = \"{url}\"")] {
        let setup = Setup {
            upstream: &format!("https://localhost:{port}"),
            token_url: &format!("https://localhost:{port}/token"),
            trusted: &ca.pem,
            more,
            variables: &all.map(|name| (name, url.as_str())),
        };
        let answer = setup.start().get().await;
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    assert_eq!(proxy.seen.text(), "");
    assert_eq!(api.seen.count(BASIC), 0);
}
