//! tests/survives.md 18 and 10, for the token endpoint: a server that does not prove to be it receives no secret, and
//! one line says which address was used, what failed, on whose side, and which key to change.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::peers::{Ca, Identity, self_signed};
use super::*;

/// The error for a token endpoint at `url`: one line without a secret.
async fn error_for(url: &str, trusted: &str, more: &str) -> String {
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

/// The secret, and the form in which it is sent.
fn secrets() -> [String; 2] {
    let pair = format!("id:{CLIENT_SECRET}");
    [CLIENT_SECRET.to_owned(), BASE64_STANDARD.encode(pair)]
}

#[track_caller]
fn has(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "no {word:?} in {error:?}");
    }
}

/// The error for `peer` at `https://localhost`, which must not receive a request.
async fn rejected(peer: &Peer, trusted: &str) -> String {
    let address = format!("localhost:{}", peer.address.port());
    let error = error_for(&format!("https://{address}/token"), trusted, "").await;
    let start = format!("no response from the token endpoint {address}: ");
    assert!(error.starts_with(&start), "{error}");
    for secret in secrets() {
        assert_eq!(peer.seen.count(&secret), 0);
    }
    assert_eq!(peer.seen.count("POST"), 0, "it received no request");
    error
}

#[tokio::test]
async fn a_rejected_certificate_is_reported_with_its_issuer_and_receives_no_secret() {
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
            &["self-signed by \"CN=signs itself\"", "network.ca_file"],
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
        let error = rejected(&Peer::tls(&identity).await, &good.pem).await;
        has(&error, words);
        has(
            &error,
            &["the server's certificate is not accepted", "token.url"],
        );
        assert_eq!(error.matches("not accepted").count(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_supports_only_tls_1_1_receives_no_secret() {
    let alert = vec![0x15, 3, 2, 0, 2, 2, 70];
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    for bytes in [alert, hello] {
        let error = rejected(&Peer::saying(bytes).await, "").await;
        has(
            &error,
            &[
                "neither TLS 1.2 nor TLS 1.3",
                "on the side of the server in token.url",
            ],
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_or_one_that_closes_receives_no_secret() {
    let peer = Peer::saying("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    has(
        &rejected(&peer, "").await,
        &["does not speak TLS", "token.url", "https"],
    );
    let error = rejected(&Peer::closing().await, "").await;
    has(
        &error,
        &["the connection ended before the response was complete"],
    );
}

#[tokio::test]
async fn a_name_without_an_address_and_a_port_without_a_listener_have_different_errors() {
    let of_name = error_for("https://no-such-host.invalid/token", "", "").await;
    has(
        &of_name,
        &[
            "no response from the token endpoint no-such-host.invalid:443: \
             the name no-such-host.invalid cannot be resolved: ",
            "on this machine's side",
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
        "no response from the token endpoint 127.0.0.1:{port}: the connection was refused; \
         no process listens there: start it, or correct the port in token.url"
    );
    let url = format!("http://127.0.0.1:{port}/token");
    assert_eq!(error_for(&url, "", "").await, expected);
}

#[tokio::test]
async fn a_response_that_is_not_http_and_one_that_ends_early_have_different_errors() {
    let peer = Peer::saying("SSH-2.0-OpenSSH_9.2\r\n").await;
    let url = format!("http://{}/token", peer.address);
    let of_ssh = error_for(&url, "", "").await;
    has(
        &of_ssh,
        &[
            "the response is not HTTP/1.1",
            "check that token.url names a token endpoint",
        ],
    );
    let peer = Peer::closing().await;
    let url = format!("http://{}/token", peer.address);
    has(
        &error_for(&url, "", "").await,
        &["ended before the response was complete"],
    );
}

#[tokio::test]
async fn an_error_of_the_corporate_proxy_names_the_proxy_and_the_cause() {
    let unreachable = format!("http://127.0.0.1:{}", crate::support::closed_port().await);
    let filtering = Peer::saying("HTTP/1.1 403 Filtered\r\n\r\n").await;
    let filtering = format!("http://{}", filtering.address);
    for (proxy, words) in [
        (
            unreachable.as_str(),
            "the connection was refused; the problem is on the way to the proxy: check network.proxy",
        ),
        (
            "http://no-such-proxy.invalid:3128",
            "the name no-such-proxy.invalid cannot be resolved",
        ),
        (
            filtering.as_str(),
            "the proxy did not open a connection to it; the problem is on the proxy's side",
        ),
    ] {
        let more = format!("network.proxy = \"{proxy}\"");
        let error = error_for("https://as.test/token", "", &more).await;
        let named = format!(
            "no response from the token endpoint as.test:443 through the corporate proxy {proxy} (network.proxy): "
        );
        has(&error, &[&named, words]);
    }
}
