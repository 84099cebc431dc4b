//! `upstream.san`: the API's certificate must have this name instead of the host's.

use super::peers::{Ca, Identity};
use super::*;

const ID: &str = "spiffe://cluster.local/ns/a/sa/api";

/// The response of the API, which has this certificate, or of cupbearer.
async fn response(ca: &Ca, identity: &Identity, san: &str) -> String {
    let (token, upstream) = (Peer::plain().await, Peer::tls(identity).await);
    let setup = Setup {
        upstream: &format!("https://localhost:{}", upstream.address.port()),
        token_url: &format!("http://{}/token", token.address),
        trusted: &ca.pem,
        more: &format!("upstream.san = \"{san}\""),
        variables: &[],
    };
    let response = setup.start().get().await;
    let is_sent = !upstream.seen.text().is_empty();
    assert_eq!(is_sent, response.ends_with("\r\n\r\nok"), "{response}");
    response
}

#[tokio::test]
async fn a_certificate_with_the_configured_name_is_accepted_whatever_the_host_is() {
    let ca = Ca::new("Mesh CA");
    for (identity, san) in [
        (ca.issue("other.example"), "other.example"),
        (ca.issue("other.example"), "OTHER.example"),
        (ca.issue_with_uris(&[ID]), ID),
    ] {
        let response = response(&ca, &identity, san).await;
        assert!(response.ends_with("\r\n\r\nok"), "{response}");
    }
}

#[tokio::test]
async fn a_certificate_with_only_the_hosts_name_or_another_one_is_rejected() {
    let ca = Ca::new("Mesh CA");
    let other_id = "spiffe://cluster.local/ns/a/sa/web";
    let unknown = Ca::new("Unknown CA");
    for (identity, san, expected) in [
        (
            ca.issue("localhost"),
            "other.example",
            "not for \\\"other.example\\\"",
        ),
        (ca.issue("localhost"), ID, "it contains no URI, not for"),
        (
            ca.issue_with_uris(&[other_id]),
            ID,
            "it is valid for spiffe://cluster.local/ns/a/sa/web, not for",
        ),
        (
            ca.issue_with_uris(&[ID, other_id]),
            ID,
            "it contains several URIs",
        ),
        (
            unknown.issue_with_uris(&[ID]),
            ID,
            "this issuer is not trusted",
        ),
        (
            unknown.issue("other.example"),
            "other.example",
            "this issuer is not trusted",
        ),
    ] {
        let response = response(&ca, &identity, san).await;
        assert!(response.contains("upstream_tls"), "{response}");
        assert!(response.contains(expected), "{expected}: {response}");
    }
}
