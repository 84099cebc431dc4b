//! What the log tells about an outage of the token endpoint.

use std::io;
use std::sync::Arc;

use tokio::time::{Instant, sleep};
use tracing::subscriber::DefaultGuard;

use super::scene::{Scene, client_secret, grant, invalid_client, ms, s, unavailable};
use super::secrets::RecordedLog;
use crate::credentials::SecretSource;
use crate::token::watched_secrets::WatchedSecrets;
use crate::token::{ReadSecrets, UnreadableSecret};

/// Records what is logged until the guard is dropped.
pub(super) fn record() -> (RecordedLog, (tracing::Dispatch, DefaultGuard)) {
    let log = RecordedLog::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // With a single subscriber, tracing asks only the current thread whether an event is enabled.
    let second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    (log, (second, tracing::subscriber::set_default(subscriber)))
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_logged_when_it_changes_and_once_a_minute_and_the_expiry_says_why() {
    let (log, _logging) = record();

    let start = Instant::now();
    let scene = Scene::with_source(false, move |number, _| {
        let outcome = match start.elapsed().as_secs() {
            _ if number == 1 => grant(s(60)),
            0..200 => unavailable(None),
            200..400 => invalid_client(),
            _ => grant(s(3600)),
        };
        (ms(10), outcome)
    });
    sleep(s(500)).await;
    let text = log.text();
    let failures: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("token request failed"))
        .collect();
    assert!(scene.attempts() > 40, "{}", scene.attempts());
    // Out from 36 s to 200 s, rejected from then on: each at once and then once a minute.
    assert!((6..=8).contains(&failures.len()), "{failures:#?}");
    assert!(failures[0].contains("repeated=0"), "{}", failures[0]);
    assert!(!failures[1].contains("repeated=0"), "{}", failures[1]);
    let expired: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("token expired"))
        .collect();
    assert_eq!(expired.len(), 1, "{expired:?}");
    assert!(
        expired[0].contains("503 Service Unavailable") && expired[0].contains("status=503"),
        "{}",
        expired[0]
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_success_the_same_failure_is_logged_at_once() {
    let (log, _logging) = record();
    let scene = Scene::with_source(false, |number, _| {
        let outcome = match number {
            1 | 3 => unavailable(None),
            _ => grant(s(20)),
        };
        (ms(10), outcome)
    });
    while scene.attempts() < 4 {
        sleep(ms(100)).await;
    }
    let text = log.text();
    let failures = text
        .lines()
        .filter(|line| line.contains("token request failed"));
    assert_eq!(failures.count(), 2, "{text}");
    assert_eq!(text.matches("repeated=0").count(), 2, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_read_is_logged_once_until_it_can_be_read_again() {
    let (log, _logging) = record();
    let scene = Scene::new(|_, _| (ms(10), grant(s(3600))));
    let lines = || log.text().matches("cannot read the token secret").count();
    sleep(s(5)).await;
    for expected in [1, 2] {
        scene.set_secret(Err("gone"));
        sleep(s(30)).await;
        assert_eq!(lines(), expected);
        scene.set_secret(Ok("first"));
        sleep(s(30)).await;
        assert_eq!(lines(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_has_never_been_read_is_no_last_secret() {
    let (log, _logging) = record();
    let scene = Scene::new(|_, _| (ms(10), grant(s(3600))));
    scene.set_secret(Err("gone"));
    sleep(s(30)).await;
    let text = log.text();
    assert!(!text.contains("cannot read the token secret"), "{text}");
    assert!(text.contains("token request failed"), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_fails_shows_nothing_of_the_secret_that_it_printed_before() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark").display().to_string();
    let script = format!(
        "if [ -e '{mark}' ]; then echo cannot renew horsebattery >&2; exit 1; fi; touch '{mark}'; echo horsebattery"
    );
    let words = vec!["sh".to_owned(), "-c".to_owned(), script];
    let source = Arc::new(SecretSource::Command(words));
    let read: ReadSecrets = Arc::new(move |_| {
        let source = Arc::clone(&source);
        Box::pin(async move {
            let read = source.read().await.map_err(|error| UnreadableSecret {
                what: "token.subject_token",
                is_renewed: true,
                cause: error.into(),
            });
            read.map(client_secret)
        })
    });
    let mut secrets = WatchedSecrets::new(read, Some(Instant::now()));
    assert!(secrets.prepare().await.unwrap().is_none());
    let (log, _logging) = record();
    assert!(!secrets.reread().await);
    let text = log.text();
    assert!(
        text.contains("withheld") && !text.contains("horse"),
        "{text}"
    );
}
