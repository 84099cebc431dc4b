//! tests/survives.md 18: a server that does not prove to be the upstream receives no token, and the error says why.

use super::peers::{Ca, Identity, self_signed};
use super::*;

/// The problem details for an upstream at `localhost` with this certificate.
async fn rejected(identity: &Identity, trusted: &Ca) -> Problem {
    let upstream = Peer::tls(identity).await;
    let problem = problem_with(&upstream, &trusted.pem).await;
    assert_eq!(upstream.seen.text(), "", "it received nothing");
    problem
}

async fn problem_with(upstream: &Peer, trusted: &str) -> Problem {
    let token = Peer::plain().await;
    let setup = Setup {
        upstream: &format!("https://localhost:{}", upstream.address.port()),
        token_url: &format!("http://{}/token", token.address),
        trusted,
        more: "",
        variables: &[],
    };
    setup.start().problem().await
}

const CERTIFICATE: &str = "tls_certificate_error";
const PROTOCOL: &str = "tls_protocol_error";

#[tokio::test]
async fn a_certificate_from_a_trusted_ca_is_accepted() {
    let ca = Ca::new("Good CA");
    let upstream = Peer::tls(&ca.issue("localhost")).await;
    let token = Peer::plain().await;
    let setup = Setup {
        upstream: &format!("https://localhost:{}", upstream.address.port()),
        token_url: &format!("http://{}/token", token.address),
        trusted: &ca.pem,
        more: "",
        variables: &[],
    };
    let answer = setup.start().get().await;
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(upstream.seen.count(TOKEN), 1);
}

#[tokio::test]
async fn the_error_names_an_unknown_issuer() {
    let (corporate, good) = (Ca::new("Corp Proxy CA"), Ca::new("Good CA"));
    let problem = rejected(&corporate.issue("localhost"), &good).await;
    problem.is(
        "upstream_tls",
        CERTIFICATE,
        &[
            "the server's certificate is not accepted: issued by \"CN=Corp Proxy CA\" to \"CN=localhost\"",
            "TLS interception",
            "network.ca_file",
        ],
    );
}

#[tokio::test]
async fn a_self_signed_certificate_is_reported_as_self_signed() {
    let problem = rejected(&self_signed("localhost"), &Ca::new("Good CA")).await;
    let words = ["self-signed by \"CN=signs itself\"", "network.ca_file"];
    problem.is("upstream_tls", CERTIFICATE, &words);
}

#[tokio::test]
async fn an_expired_and_a_not_yet_valid_certificate_are_reported_with_their_dates() {
    let ca = Ca::new("Good CA");
    for (years, words) in [
        (
            [2000, 2001],
            "it expired at 2001-01-01T00:00:00Z (issued by \"CN=Good CA\"",
        ),
        (
            [3000, 3001],
            "it is not valid before 3000-01-01T00:00:00Z (issued by \"CN=Good CA\"",
        ),
    ] {
        let problem = rejected(&ca.issue_for("localhost", years), &ca).await;
        problem.is("upstream_tls", CERTIFICATE, &[words, "clock"]);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_reported_with_both_names() {
    let ca = Ca::new("Good CA");
    let problem = rejected(&ca.issue("other.example"), &ca).await;
    let words =
        ["it is valid for \"other.example\", not for \"localhost\" (issued by \"CN=Good CA\""];
    problem.is("upstream_tls", CERTIFICATE, &words);
}

#[tokio::test]
async fn a_name_in_a_certificate_cannot_inject_text_into_the_message() {
    let name = format!("Evil\"\r\n\u{1b}[2J<script>{}", "x".repeat(500));
    let problem = rejected(&Ca::new(&name).issue("localhost"), &Ca::new("Good CA")).await;
    assert!(problem.detail.chars().all(|letter| !letter.is_control()));
    assert!(
        !problem.detail.contains("<script>") && problem.detail.len() < 600,
        "{}",
        problem.detail
    );
}

/// One server sends the alert `protocol_version`, the other a `ServerHello` of version 3.2.
#[tokio::test]
async fn a_server_that_supports_only_tls_1_1_is_reported_as_such() {
    let alert = vec![0x15, 3, 2, 0, 2, 2, 70];
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    for bytes in [alert, hello] {
        let upstream = Peer::saying(bytes).await;
        let problem = problem_with(&upstream, "").await;
        problem.is("upstream_tls", PROTOCOL, &["neither TLS 1.2 nor TLS 1.3"]);
        assert_eq!(upstream.seen.count(TOKEN), 0);
    }
}

#[tokio::test]
async fn a_server_without_tls_is_reported_as_such() {
    let upstream = Peer::saying("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let problem = problem_with(&upstream, "").await;
    problem.is(
        "upstream_tls",
        PROTOCOL,
        &["does not speak TLS", "upstream.url"],
    );
    assert_eq!(upstream.seen.count(TOKEN), 0);
}

#[tokio::test]
async fn a_server_that_closes_during_the_handshake_is_reported_as_such() {
    let upstream = Peer::closing().await;
    let problem = problem_with(&upstream, "").await;
    problem.is(
        "upstream_tls",
        PROTOCOL,
        &["closed the connection during the TLS handshake"],
    );
}

#[tokio::test]
async fn a_rejected_certificate_of_the_token_endpoint_is_explained_in_the_same_words() {
    let (corporate, good) = (Ca::new("Corp Proxy CA"), Ca::new("Good CA"));
    let token = Peer::tls(&corporate.issue("localhost")).await;
    let setup = Setup {
        upstream: "https://localhost:1",
        token_url: &format!("https://localhost:{}/token", token.address.port()),
        trusted: &good.pem,
        more: "",
        variables: &[],
    };
    let error = setup.start().token_error().await;
    for words in [
        "issued by \"CN=Corp Proxy CA\" to \"CN=localhost\"",
        "network.ca_file",
    ] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(error.matches("issued by").count(), 1, "{error}");
    assert_eq!(token.seen.text(), "");
}
