//! `Retry-After` holds for every attempt but one that a changed secret or a person demands.

use tokio::time::sleep;

use super::scene::{Outcome, Scene, grant, invalid_client, ms, s, settle, throttled, unavailable};
use crate::token::{NoNewerToken, RequestRoute};

#[tokio::test(start_paused = true)]
async fn the_schedule_keeps_the_delay_that_a_forced_attempt_was_told() {
    let scene = Scene::new(|number, _| match number {
        2 => (ms(0), throttled(s(60))),
        _ => (ms(0), grant(s(100))),
    });
    let bearer = scene.tokens.bearer().await.unwrap();
    sleep(s(55)).await;
    let route = RequestRoute::of("GET", "/");
    let newer = scene.tokens.newer_than(bearer.generation, route).await;
    assert!(
        matches!(newer, Err(NoNewerToken::Failed { .. })),
        "{newer:?}"
    );
    // Without the 401 the next attempt would have been made 60 s after the first.
    assert!(scene.tokens.snapshot().next_attempt_in >= s(60));
    sleep(s(59)).await;
    assert_eq!(scene.attempts(), 2);
    // Nor does another 401 advance it.
    let _ = scene.tokens.newer_than(bearer.generation, route).await;
    assert_eq!(scene.attempts(), 2);
    sleep(s(20)).await;
    assert_eq!(scene.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_delay_that_the_server_has_demanded() {
    let scene = Scene::new(|number, _| match number {
        1 => (ms(0), throttled(s(60))),
        _ => (ms(0), grant(s(100))),
    });
    settle().await;
    assert_eq!(scene.attempts(), 1);
    let next = scene.reloaded(|_, _| (ms(0), grant(s(100))));
    let known = next.tokens.settled().await;
    assert!(known.last_error.is_some(), "a reload reports why it waits");
    sleep(s(59)).await;
    assert_eq!(next.attempts(), 0);
    sleep(s(20)).await;
    assert_eq!(next.attempts(), 1);
    // The server has granted a token since.
    let last = scene.reloaded(|_, _| (ms(0), grant(s(100))));
    settle().await;
    assert_eq!(last.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_tried_at_once_after_a_rejection_or_without_a_demanded_delay() {
    let failures: [fn() -> Outcome; 2] = [invalid_client, || unavailable(None)];
    for failure in failures {
        let scene = Scene::new(move |_, _| (ms(0), failure()));
        settle().await;
        let next = scene.reloaded(|_, _| (ms(0), grant(s(100))));
        settle().await;
        assert_eq!(next.attempts(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_and_a_changed_secret_do_not_wait() {
    let scene = Scene::new(|number, _| match number {
        1 | 3 => (ms(0), throttled(s(60))),
        _ => (ms(0), grant(s(1000))),
    });
    sleep(s(2)).await;
    assert!(scene.tokens.refresh().await.is_ok());
    sleep(s(2)).await;
    assert!(scene.tokens.refresh().await.is_err());
    assert_eq!(scene.attempts(), 3);
    scene.set_secret(Ok("second"));
    sleep(s(5)).await;
    assert_eq!(scene.attempts(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_a_person_or_a_changed_secret_has_ended_does_not_come_back_with_a_reload() {
    for is_person in [true, false] {
        let scene = Scene::new(|number, _| match number {
            1 => (ms(0), throttled(s(240))),
            2 => (ms(0), unavailable(None)),
            _ => (s(600), grant(s(100))),
        });
        sleep(s(2)).await;
        let waiting = scene.reloaded(|_, _| (ms(0), grant(s(100))));
        settle().await;
        assert_eq!(waiting.attempts(), 0);
        if is_person {
            assert!(scene.tokens.refresh().await.is_err());
        } else {
            scene.set_secret(Ok("second"));
            sleep(s(5)).await;
        }
        assert!(scene.attempts() >= 2);
        let next = scene.reloaded(|_, _| (ms(0), grant(s(100))));
        settle().await;
        assert_eq!(next.attempts(), 1, "{is_person}");
        // The one that has waited since before looks now and then.
        sleep(s(31)).await;
        assert_eq!(waiting.attempts(), 1, "{is_person}");
    }
}
