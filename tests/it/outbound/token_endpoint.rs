//! tests/survives.md 18 and 10, for the token endpoint: what does not prove that it is the one gets no secret,
//! and one line says where it was looked for, what failed, on whose side, and which key to change.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::peers::{Ca, Identity, self_signed};
use super::*;

/// What is said of a token endpoint at `url`: one line, which holds no secret.
async fn said(url: &str, trusted: &str, more: &str) -> String {
    let setup = Setup {
        upstream: "https://localhost:1",
        token_url: url,
        trusted,
        more,
        variables: &[],
    };
    let error = setup.start().token_error().await;
    assert_eq!(error.lines().count(), 1, "{error}");
    for secret in secrets() {
        assert!(!error.contains(&secret), "{error}");
    }
    error
}

/// The secret as it stands and as it is sent.
fn secrets() -> [String; 2] {
    let pair = format!("id:{CLIENT_SECRET}");
    [CLIENT_SECRET.to_owned(), BASE64_STANDARD.encode(pair)]
}

#[track_caller]
fn has(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said:?}");
    }
}

/// What is said of `peer` as `https://localhost`, which must not be told anything.
async fn refused(peer: &Peer, trusted: &str) -> String {
    let address = format!("localhost:{}", peer.address.port());
    let said = said(&format!("https://{address}/token"), trusted, "").await;
    let start = format!("no answer from the token endpoint {address}: ");
    assert!(said.starts_with(&start), "{said}");
    for secret in secrets() {
        assert_eq!(peer.seen.count(&secret), 0);
    }
    assert_eq!(peer.seen.count("POST"), 0, "nothing is sent to it");
    said
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_told_with_its_issuer_and_gets_no_secret() {
    let (good, corporate) = (Ca::new("Good CA"), Ca::new("Corp Proxy CA"));
    let cases: [(Identity, &[&str]); 5] = [
        (
            corporate.issue("localhost"),
            &[
                "issued by \"CN=Corp Proxy CA\" to \"CN=localhost\"",
                "network.ca_file",
            ],
        ),
        (
            self_signed("localhost"),
            &[
                "self-signed by \"CN=vouches for itself\"",
                "network.ca_file",
            ],
        ),
        (
            good.issue_for("localhost", [2000, 2001]),
            &["it expired at 2001-01-01T00:00:00Z", "CN=Good CA"],
        ),
        (
            good.issue_for("localhost", [3000, 3001]),
            &["it is not valid before 3000-01-01T00:00:00Z", "clock"],
        ),
        (
            good.issue("other.example"),
            &["it is valid for \"other.example\", not for \"localhost\""],
        ),
    ];
    for (identity, words) in cases {
        let said = refused(&Peer::tls(&identity).await, &good.pem).await;
        has(&said, words);
        has(
            &said,
            &["the server's certificate is not accepted", "token.url"],
        );
        assert_eq!(said.matches("not accepted").count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_server_of_tls_1_1_gets_no_secret() {
    let alert = vec![0x15, 3, 2, 0, 2, 2, 70];
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    for bytes in [alert, hello] {
        let said = refused(&Peer::saying(bytes).await, "").await;
        has(
            &said,
            &["neither TLS 1.2 nor TLS 1.3", "on its side", "token.url"],
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_or_that_hangs_up_gets_no_secret() {
    let peer = Peer::saying("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    has(
        &refused(&peer, "").await,
        &["does not speak TLS", "token.url", "https"],
    );
    let said = refused(&Peer::hanging_up().await, "").await;
    has(
        &said,
        &["the connection ended before the answer was complete"],
    );
}

#[tokio::test]
async fn a_name_without_address_and_a_port_without_listener_are_told_apart() {
    let of_name = said("https://no-such-host.invalid/token", "", "").await;
    has(
        &of_name,
        &[
            "no answer from the token endpoint no-such-host.invalid:443: \
             the name no-such-host.invalid cannot be resolved: ",
            "on our side",
            "token.url",
            "network.proxy",
        ],
    );
    assert_eq!(
        of_name.matches("cannot be resolved").count(),
        1,
        "{of_name}"
    );
    let port = crate::support::closed_port().await;
    let expected = format!(
        "no answer from the token endpoint 127.0.0.1:{port}: the connection is refused; \
         nobody listens there: start it, or correct the port in token.url"
    );
    let url = format!("http://127.0.0.1:{port}/token");
    assert_eq!(said(&url, "", "").await, expected);
}

#[tokio::test]
async fn an_answer_that_is_no_http_and_one_that_breaks_off_are_told_apart() {
    let peer = Peer::saying("SSH-2.0-OpenSSH_9.2\r\n").await;
    let url = format!("http://{}/token", peer.address);
    let of_ssh = said(&url, "", "").await;
    has(
        &of_ssh,
        &[
            "no HTTP/1.1 answer",
            "does token.url name a token endpoint?",
        ],
    );
    let peer = Peer::hanging_up().await;
    let url = format!("http://{}/token", peer.address);
    has(
        &said(&url, "", "").await,
        &["ended before the answer was complete"],
    );
}

#[tokio::test]
async fn a_proxy_on_the_way_is_named_with_what_is_wrong_with_it() {
    let away = format!("http://127.0.0.1:{}", crate::support::closed_port().await);
    let filtering = Peer::saying("HTTP/1.1 403 Filtered\r\n\r\n").await;
    let filtering = format!("http://{}", filtering.address);
    for (proxy, words) in [
        (
            away.as_str(),
            "the connection is refused; on the way to the proxy: check network.proxy",
        ),
        (
            "http://no-such-proxy.invalid:3128",
            "the name no-such-proxy.invalid cannot be resolved",
        ),
        (
            filtering.as_str(),
            "the proxy did not connect us; on the proxy's side",
        ),
    ] {
        let more = format!("network.proxy = \"{proxy}\"");
        let said = said("https://as.test/token", "", &more).await;
        let named = format!(
            "no answer from the token endpoint as.test:443 through the corporate proxy {proxy} (network.proxy): "
        );
        has(&said, &[&named, words]);
    }
}
