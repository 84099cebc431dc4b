//! Where the token endpoint is by the metadata of the issuer, as requests show it.

use std::time::Duration;

use super::endpoint::{Act, ScriptedEndpoint, answer, client, config};
use super::proofs::{SECRET, asked, granted};
use super::scene::client_secret;
use crate::config::{self, ClientAuth};
use crate::credentials::Secret;
use crate::token::grant::Grant;

/// A server with metadata at the address `at`.
async fn issuer(
    at: &'static str,
    document: impl Fn(&str) -> String + Send + 'static,
) -> ScriptedEndpoint {
    let own = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let known = std::sync::Arc::clone(&own);
    let endpoint = ScriptedEndpoint::of_requests(move |_, request| {
        if request.starts_with("POST ") {
            return granted();
        }
        if request.starts_with(&format!("GET {at} ")) {
            return answer(
                "200 OK",
                "application/json",
                &document(known.get().unwrap()),
            );
        }
        answer("404 Not Found", "text/html", "<html>")
    })
    .await;
    own.set(endpoint.url.origin().ascii_serialization())
        .unwrap();
    endpoint
}

fn by_issuer(issuer: String) -> config::GrantConfig {
    let mut config = config("http://unused.example".parse().unwrap(), ClientAuth::Basic);
    config.endpoint = config::Endpoint::Issuer {
        issuer,
        allow_plaintext: false,
    };
    config
}

#[tokio::test]
async fn an_issuer_alone_is_enough_at_either_address_and_its_metadata_is_read_once() {
    for (at, gets) in [
        ("/tenant/.well-known/openid-configuration", 1),
        ("/.well-known/oauth-authorization-server/tenant", 2),
    ] {
        let server = issuer(at, |own| {
            format!(r#"{{"issuer":"{own}/tenant","token_endpoint":"{own}/token"}}"#)
        })
        .await;
        let own = server.url.origin().ascii_serialization();
        let requests = asked(
            by_issuer(format!("{own}/tenant")),
            &Secret::new(SECRET),
            &server,
        )
        .await;
        let count = |start: &str| requests.iter().filter(|one| one.starts_with(start)).count();
        assert_eq!(
            (count("GET "), count("POST /token ")),
            (gets, 2),
            "{requests:?}"
        );
        let get = requests.iter().find(|one| one.starts_with("GET ")).unwrap();
        assert!(!get.contains("authorization:"), "{get}");
    }
}

#[cfg(target_os = "linux")] // on other systems a full queue refuses connections
#[tokio::test]
async fn metadata_is_read_again_if_the_endpoint_swallows_connection_attempts() {
    let (_queue, _waiting, address) = super::endpoint::silent();
    let server = issuer("/.well-known/openid-configuration", move |own| {
        format!(r#"{{"issuer":"{own}","token_endpoint":"http://{address}/token"}}"#)
    })
    .await;
    let own = server.url.origin().ascii_serialization();
    let mut grant = Grant::new(by_issuer(own), client());
    grant.limit = super::scene::ms(300);
    for _ in 0..2 {
        let failure = grant
            .exchange(&client_secret(Secret::new(SECRET)))
            .await
            .unwrap_err();
        assert!(failure.chain().contains("no connection to"), "{failure}");
    }
    assert_eq!(server.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn metadata_that_must_not_be_used_gets_no_secret_and_is_read_again() {
    type Document = fn(&str) -> String;
    let cases: [(Document, &str); 4] = [
        (
            |own| format!(r#"{{"issuer":"{own}/","token_endpoint":"{own}/token"}}"#),
            "its \"issuer\" differs",
        ),
        (
            |own| format!(r#"{{"issuer":"{own}","token_endpoint":"http://as.example.com/token"}}"#),
            "its token_endpoint is not https",
        ),
        (|_| "<html>".to_owned(), "it is not a JSON object"),
        (
            |own| format!(r#"{{"issuer":"{own}"}}"#),
            "names no token_endpoint",
        ),
    ];
    for (document, expected) in cases {
        let server = issuer("/.well-known/openid-configuration", document).await;
        let own = server.url.origin().ascii_serialization();
        let grant = Grant::new(by_issuer(own), client());
        for _ in 0..2 {
            let failure = grant
                .exchange(&client_secret(Secret::new(SECRET)))
                .await
                .unwrap_err();
            assert!(failure.chain().contains(expected), "{}", failure.chain());
            assert!(failure.is_rejection());
        }
        let requests = server.requests.lock().unwrap();
        assert_eq!(requests.len(), 2);
        assert!(requests.iter().all(|one| one.starts_with("GET ")));
    }
}

#[tokio::test]
async fn an_issuer_without_metadata_counts_as_unavailable_not_as_a_rejection() {
    let server = issuer("/nowhere", |_| String::new()).await;
    let own = server.url.origin().ascii_serialization();
    let grant = Grant::new(by_issuer(own), client());
    let failure = grant
        .exchange(&client_secret(Secret::new(SECRET)))
        .await
        .unwrap_err();
    assert!(failure.chain().contains("not found: "), "{failure}");
    assert!(!failure.is_rejection());
}

#[tokio::test]
async fn metadata_is_bounded_like_a_response_and_its_redirects_are_not_followed() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n";
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    for (act, expected) in [
        (Act::Flood(head.into()), "longer than 1048576 bytes"),
        (Act::Send(moved.into()), "responded with 302 Found"),
        (
            Act::Drip(head.into()),
            "no complete response from the token endpoint",
        ),
        (
            answer("503 Service Unavailable", "text/html", "<html>"),
            "responded with 503",
        ),
    ] {
        let endpoint = ScriptedEndpoint::new(move |_| act.clone()).await;
        let own = endpoint.url.origin().ascii_serialization();
        let mut grant = Grant::new(by_issuer(own), client());
        grant.limit = Duration::from_millis(300);
        let failure = grant
            .exchange(&client_secret(Secret::new(SECRET)))
            .await
            .unwrap_err();
        assert!(failure.chain().contains(expected), "{}", failure.chain());
    }
}
