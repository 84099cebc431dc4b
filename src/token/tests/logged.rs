//! What the log tells about an outage of the token endpoint.

use std::io;

use tokio::time::{Instant, sleep};

use super::scene::{Scene, grant, invalid_client, ms, s, unavailable};
use super::secrets::RecordedLog;

#[tokio::test(start_paused = true)]
async fn an_outage_is_logged_when_it_changes_and_once_a_minute_and_the_expiry_says_why() {
    let log = RecordedLog::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // With a single subscriber, tracing asks only the current thread whether an event is enabled.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let _logging = tracing::subscriber::set_default(subscriber);

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
