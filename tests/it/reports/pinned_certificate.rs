//! A server whose certificate is itself in `network.ca_file`, as people make it with `openssl req -x509`.

use crate::outbound::peers::{Identity, Peer, SelfSigned};
use crate::outbound::{Problem, Setup};

/// The response to `GET /` from an upstream at this host with this certificate, if `trusted` is the bundle.
async fn answer(host: &str, identity: &Identity, trusted: &str) -> String {
    let upstream = Peer::tls(identity).await;
    let token = Peer::plain().await;
    let setup = Setup {
        upstream: &format!("https://{host}:{}", upstream.address.port()),
        token_url: &format!("http://{}/token", token.address),
        trusted,
        more: "",
        variables: &[],
    };
    setup.start().get().await
}

#[track_caller]
fn rejected(answer: &str, words: &[&str]) {
    Problem::of(answer).is("upstream_tls", "tls_certificate_error", words);
}

#[tokio::test]
async fn a_self_signed_authority_in_the_ca_file_is_accepted_as_the_servers_own_certificate() {
    let by_name = SelfSigned::authority().san("localhost").issue();
    let by_common_name = SelfSigned::authority().common_name("localhost").issue();
    let address = SelfSigned::authority().common_name("127.0.0.1").issue();
    for (host, identity) in [
        ("localhost", &by_name),
        ("localhost", &by_common_name),
        ("127.0.0.1", &address),
    ] {
        let other = SelfSigned::authority().san("other.example").issue();
        for bundle in [identity.pem.clone(), other.pem + &identity.pem] {
            let answer = answer(host, identity, &bundle).await;
            assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_pinned_certificate_must_have_the_name_and_be_valid_now() {
    let name = SelfSigned::authority().san("other.example").issue();
    let answered = answer("localhost", &name, &name.pem).await;
    rejected(
        &answered,
        &["it is valid for \"other.example\", not for \"localhost\""],
    );

    let common_name = SelfSigned::authority().common_name("other.example").issue();
    let answered = answer("localhost", &common_name, &common_name.pem).await;
    rejected(
        &answered,
        &["it is valid for \"other.example\", not for \"localhost\""],
    );

    let both = SelfSigned::authority()
        .san("other.example")
        .common_name("localhost")
        .issue();
    let answered = answer("localhost", &both, &both.pem).await;
    rejected(
        &answered,
        &["it is valid for \"other.example\", not for \"localhost\""],
    );

    let expired = SelfSigned::authority()
        .san("localhost")
        .years([2000, 2001])
        .issue();
    let answered = answer("localhost", &expired, &expired.pem).await;
    rejected(&answered, &["it expired at 2001-01-01T00:00:00Z"]);
}

#[tokio::test]
async fn the_common_name_of_any_other_certificate_does_not_count() {
    let ca = crate::outbound::peers::Ca::new("Good CA");
    let issued = ca.issue_without_san("localhost");
    let answered = answer("localhost", &issued, &ca.pem).await;
    rejected(&answered, &["it is valid for no name at all"]);
    let pinned = answer("localhost", &issued, &(ca.pem.clone() + &issued.pem)).await;
    assert!(pinned.ends_with("\r\n\r\nok"), "{pinned}");
}

#[tokio::test]
async fn an_authority_that_is_not_pinned_is_rejected_in_words() {
    let ca = crate::outbound::peers::Ca::new("Good CA");
    let identity = SelfSigned::authority().san("localhost").issue();
    let answered = answer("localhost", &identity, &ca.pem).await;
    rejected(
        &answered,
        &[
            "it is the certificate of a certificate authority, not of a server",
            "network.ca_file",
        ],
    );
    for debug in ["CaUsedAsEndEntity", "OtherError"] {
        assert!(!answered.contains(debug), "{answered}");
    }
}

#[tokio::test]
async fn a_certificate_for_clients_only_is_rejected_in_words() {
    let ca = crate::outbound::peers::Ca::new("Good CA");
    let identity = ca.issue_to_client("localhost");
    let answered = answer("localhost", &identity, &ca.pem).await;
    rejected(
        &answered,
        &["it is not meant for servers: its extended key usage lacks serverAuth"],
    );
    assert!(!answered.contains("EkuError"), "{answered}");
}
