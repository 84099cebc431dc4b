//! No log line, error or debug output contains the secret or the token.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::endpoint::{Act, SECRET, ScriptedEndpoint, answer, config, proxy_config};
use super::scene::{client_secret, ms};
use crate::config::ClientAuth;
use crate::credentials::Secret;
use crate::token::client_auth::ClientCredentials;
use crate::token::grant::Grant;
use crate::token::{AttemptCounter, Ownership, ReadSecrets, RequestRoute, refresh_task};

const TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2F1dGgifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
const BASIC: &str = "YXBwOmNvcnJlY3QlMjBob3JzZSUyQmJhdHRlcnk=";

/// Records every line that is logged.
#[derive(Clone, Default)]
pub(super) struct RecordedLog(Arc<Mutex<Vec<u8>>>);

impl RecordedLog {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for RecordedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for RecordedLog {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn pieces() -> Vec<String> {
    let whole = [
        SECRET,
        "correct%20horse%2Bbattery",
        "correct+horse%2Bbattery",
        BASIC,
    ]
    .map(str::to_owned);
    let token = TOKEN
        .split('.')
        .flat_map(|part| part.as_bytes().windows(12));
    let token = token.map(|piece| String::from_utf8(piece.to_vec()).unwrap());
    whole.into_iter().chain(token).collect()
}

fn assert_silent(text: &str) {
    for piece in pieces() {
        assert!(!text.contains(&piece), "{piece} in {text}");
    }
}

#[test]
fn a_credential_does_not_print() {
    let secret = Secret::new(SECRET);
    assert_silent(&format!(
        "{:?}",
        ClientCredentials {
            method: ClientAuth::Basic,
            id: "app",
            secret: Some(&secret),
            assertion: &super::endpoint::assertion(),
            assertion_type: "",
            presented: Vec::new(),
        }
    ));
}

#[tokio::test]
async fn logs_errors_debug_and_snapshots_hold_neither_secret_nor_token() {
    let lines = RecordedLog::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    // With a single subscriber, tracing asks only the current thread whether an event is enabled, and the threads of
    // other tests have no subscriber.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let _logging = tracing::subscriber::set_default(subscriber);

    let good = format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":3600}}"#);
    let dpop = good.replace("Bearer", "DPoP");
    let cut = good[..good.len() - 3].to_owned();
    let echo = format!(
        r#"{{"error":"invalid_client","error_description":"got {BASIC} {SECRET} {TOKEN}"}}"#
    );
    let html = format!("<html>{SECRET}{TOKEN}</html>");
    let acts = [
        answer("200 OK", "application/json", &good),
        answer("200 OK", "application/json", &dpop),
        answer("200 OK", "application/json", &cut),
        answer("200 OK", "text/html", &html),
        answer("401 Unauthorized", "application/json", &echo),
        answer("503 Service Unavailable", "application/json", &echo),
        answer("403 Forbidden", "text/html", &html),
        answer("403 Forbidden", &format!("text/{TOKEN}"), &html),
        Act::Send(good.clone().into_bytes()),
    ];
    let read_secret: ReadSecrets =
        Arc::new(|_| Box::pin(async { Ok(client_secret(Secret::new(SECRET))) }));
    for act in acts {
        for auth in [ClientAuth::Basic, ClientAuth::Post] {
            let act = act.clone();
            let endpoint = ScriptedEndpoint::new(move |_| act.clone()).await;
            let grant = config(endpoint.url.clone(), auth);
            let mut config = proxy_config(grant.clone());
            config.wait = ms(50);
            let (tokens, task) = refresh_task(
                &config,
                super::endpoint::client(),
                Arc::clone(&read_secret),
                Ownership::default(),
                None,
                AttemptCounter::default(),
            );
            let task = tokio::spawn(task.run());
            let snapshot = tokens.settled().await;
            assert_silent(&format!("{snapshot:?} {tokens:?}"));
            match tokens.bearer().await {
                Ok(bearer) => assert_silent(&format!("{bearer:?}")),
                Err(error) => assert_silent(&format!("{error:?} {error}")),
            }
            if let Err(error) = tokens.newer_than(0, RequestRoute::of("GET", "/")).await {
                assert_silent(&format!("{error:?} {error}"));
            }
            task.abort();
            let grant = Grant::new(grant, super::endpoint::client());
            match grant.exchange(&client_secret(Secret::new(SECRET))).await {
                Ok(granted) => assert_silent(&format!("{granted:?}")),
                Err(failure) => {
                    assert_silent(&format!("{failure:?} {failure} {}", failure.chain()));
                }
            }
            assert_silent(&format!("{grant:?}"));
        }
    }
    let logged = lines.text();
    assert!(
        logged.contains("token request failed") && logged.contains("token fresh"),
        "{logged}"
    );
    assert_silent(&logged);
}

#[tokio::test]
async fn a_failure_quotes_no_token_that_was_granted_before_however_short_it_is() {
    let endpoint = ScriptedEndpoint::new(|number| match number {
        1 => answer(
            "200 OK",
            "application/json",
            r#"{"access_token":"tok-7x9","token_type":"Bearer","expires_in":3600}"#,
        ),
        _ => answer(
            "400 Bad Request",
            "application/json",
            r#"{"error":"invalid_request","error_description":"tok-7x9 is still valid"}"#,
        ),
    })
    .await;
    let grant = Grant::new(
        config(endpoint.url.clone(), ClientAuth::Post),
        super::endpoint::client(),
    );
    let secret = client_secret(Secret::new(SECRET));
    grant.exchange(&secret).await.unwrap();
    let error = grant.exchange(&secret).await.unwrap_err().chain();
    assert!(
        error.contains("invalid_request") && error.contains("withheld"),
        "{error}"
    );
    assert!(!error.contains("7x9"), "{error}");
}
