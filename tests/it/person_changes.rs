//! A request is sent for one person only, also if another one signs in while it waits or before it is sent again.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{
    Answer, Connection, ReloadingProxy, Upstream, answer, ask, get, server_certificate, until,
    within,
};

/// A token of this person; no two are alike.
fn token_of(person: &str, number: u32) -> String {
    let end = SystemTime::now() + Duration::from_hours(1);
    let end = end.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "exp": end, "sub": person, "jti": number });
    format!(
        "{}.{}.c2ln",
        part(&json!({ "alg": "ES256" })),
        part(&claims)
    )
}

fn configuration(upstream: &str, more: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nupstream.url = \"{upstream}\"\n\
         token.grant = \"paste\"\ntoken.login_url = \"https://login.example.com/copy\"\n{more}"
    )
}

/// What happens while the request of a person is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The same person pastes a newer token.
    NewerToken,
    /// Another person pastes a token.
    AnotherPerson,
    /// The person signs out, and back in.
    SignedOut,
}

const CHANGES: [Change; 3] = [Change::NewerToken, Change::AnotherPerson, Change::SignedOut];

impl Change {
    fn happen(self, proxy: &ReloadingProxy) {
        let tokens = proxy.running.tokens();
        if self == Self::SignedOut {
            drop(tokens.sign_out().unwrap());
        }
        let person = if self == Self::AnotherPerson {
            "bob"
        } else {
            "ada"
        };
        tokens.paste(token_of(person, 2).as_bytes()).unwrap();
    }
}

/// A proxy to which Ada has signed in with this token.
fn proxy_of_ada(directory: &tempfile::TempDir, text: &str, token: &str) -> ReloadingProxy {
    let proxy = ReloadingProxy::start(directory.path().join("cupbearer.toml"), text);
    proxy.running.tokens().paste(token.as_bytes()).unwrap();
    proxy
}

fn request_in_background(address: SocketAddr) -> tokio::task::JoinHandle<Answer> {
    tokio::spawn(async move { ask(address, get("/")).await })
}

/// An API that rejects one token, once it may respond.
async fn rejecting(token: &str, may_respond: &watch::Sender<bool>) -> Upstream {
    let (rejected, gate) = (format!("Bearer {token}"), may_respond.clone());
    Upstream::scripted(move |mut connection: Connection| {
        let (rejected, mut gate) = (rejected.clone(), gate.subscribe());
        async move {
            while let Some(request) = connection.request().await {
                gate.wait_for(|is_open| *is_open).await.unwrap();
                let response = if request.values("authorization") == [&*rejected] {
                    let challenge = "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n";
                    answer("401 Unauthorized", challenge, "")
                } else {
                    answer("200 OK", "", "")
                };
                connection.write(&response).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn no_request_is_sent_again_after_a_401_as_another_person_not_even_after_a_reload() {
    for change in CHANGES {
        for reloads in [false, true] {
            let (token, may_respond) = (token_of("ada", 1), watch::Sender::new(false));
            let upstream = rejecting(&token, &may_respond).await;
            let directory = tempfile::tempdir().unwrap();
            let text = configuration(&upstream.url(), "");
            let proxy = proxy_of_ada(&directory, &text, &token);
            let request = request_in_background(proxy.running.addresses[0]);
            until("the request", || upstream.seen_count() == 1).await;
            if reloads {
                proxy
                    .replace_and_wait(&format!("{text}token.wait = \"3s\"\n"))
                    .await;
            }
            change.happen(&proxy);
            may_respond.send_replace(true);
            let got = within("the response", request).await.unwrap();
            let note = got.field("proxy-status").unwrap_or_default();
            if change == Change::NewerToken {
                assert_eq!((got.status, upstream.seen_count()), (200, 2), "{reloads}");
                continue;
            }
            assert_eq!(
                (got.status, upstream.seen_count()),
                (401, 1),
                "{change:?} {reloads}"
            );
            assert!(note.contains("has signed out"), "{note}");
        }
    }
}

/// Connections to `target` wait until `may_pass`.
async fn gate_before(
    target: SocketAddr,
    may_pass: &watch::Sender<bool>,
) -> (SocketAddr, watch::Receiver<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (waiting, is_waiting) = watch::channel(0);
    let may_pass = may_pass.clone();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut may_pass = may_pass.subscribe();
            waiting.send_modify(|count| *count += 1);
            tokio::spawn(async move {
                may_pass.wait_for(|may| *may).await.unwrap();
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, is_waiting)
}

#[tokio::test]
async fn a_request_that_waits_for_its_connection_is_not_sent_as_another_person() {
    for change in CHANGES {
        let may_pass = watch::Sender::new(false);
        let (tls, ca_file) = server_certificate();
        let upstream = Upstream::scripted_tls(tls, async |mut connection: Connection| {
            while connection.request().await.is_some() {
                connection.write(&answer("200 OK", "", "")).await;
            }
        })
        .await;
        let (gate, mut waiting) = gate_before(upstream.address, &may_pass).await;
        let directory = tempfile::tempdir().unwrap();
        let text = configuration(
            &format!("https://localhost:{}", gate.port()),
            &format!("network.ca_file = {:?}\n", ca_file.path()),
        );
        let proxy = proxy_of_ada(&directory, &text, &token_of("ada", 1));
        let request = request_in_background(proxy.running.addresses[0]);
        within("the connection", waiting.wait_for(|count| *count > 0))
            .await
            .unwrap();
        change.happen(&proxy);
        may_pass.send_replace(true);
        let got = within("the response", request).await.unwrap();
        if change == Change::NewerToken {
            assert_eq!((got.status, upstream.seen_count()), (200, 1));
            continue;
        }
        assert_eq!(
            got.outcome(),
            (503, "login_required".to_owned()),
            "{change:?}"
        );
        assert!(got.text().contains("has signed out"), "{}", got.text());
        assert_eq!(upstream.seen_count(), 0, "{change:?}");
    }
}
