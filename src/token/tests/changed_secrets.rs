//! The refresh task while the source of its secret changes, is missing, or cannot be read.

use tokio::time::sleep;

use super::scene::{ATTEMPT_LIMIT, Scene, grant, invalid_client, ms, s, settle, timed_out};
use crate::token::{TokenState, TokenUnavailable};

#[tokio::test(start_paused = true)]
async fn a_corrected_secret_file_takes_effect_within_3_s() {
    let scene = Scene::new(|_, secret| {
        (
            ms(20),
            if secret == "right" {
                grant(s(3600))
            } else {
                invalid_client()
            },
        )
    });
    sleep(s(10)).await;
    scene.set_secret(Ok("right"));
    sleep(s(3)).await;
    assert!(scene.tokens.usable().is_some());
    assert_eq!(scene.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_counts_as_a_rejection_and_is_tried_within_5_s_once_it_exists() {
    let scene = Scene::new(|_, _| (ms(20), grant(s(3600))));
    scene.set_secret(Err("no such file"));
    let snapshot = scene.tokens.settled().await;
    assert_eq!(
        snapshot.last_error.as_deref(),
        Some("token.client_secret cannot be read: no such file")
    );
    assert!(matches!(
        scene.tokens.bearer().await,
        Err(TokenUnavailable::Refused { .. })
    ));
    scene.set_secret(Ok(""));
    sleep(s(5)).await;
    assert_eq!(scene.attempts(), 0, "an empty secret is never sent");
    scene.set_secret(Ok("there"));
    sleep(s(5)).await;
    assert!(scene.tokens.usable().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_is_tried_while_the_token_is_usable_and_its_failure_keeps_the_token() {
    let scene = Scene::new(|_, secret| {
        (
            ms(20),
            if secret == "wrong" {
                invalid_client()
            } else {
                grant(s(3600))
            },
        )
    });
    sleep(s(10)).await;
    scene.set_secret(Ok("wrong"));
    sleep(s(5)).await;
    assert_eq!(scene.attempts(), 2);
    let snapshot = scene.tokens.snapshot();
    assert!(snapshot.refused, "a wrong rotation is noticed in time");
    assert_eq!(
        (snapshot.state, snapshot.generation),
        (TokenState::Fresh, 1)
    );
    assert_eq!(scene.tokens.bearer().await.unwrap().generation, 1);

    scene.set_secret(Ok("second"));
    sleep(s(5)).await;
    assert_eq!(scene.tokens.bearer().await.unwrap().generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_secret_file_that_is_deleted_does_not_interrupt_the_service() {
    let scene = Scene::new(|_, _| (ms(20), grant(s(60))));
    sleep(s(10)).await;
    scene.set_secret(Err("no such file"));
    sleep(s(600)).await;
    assert_eq!(scene.tokens.snapshot().state, TokenState::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_polled_is_read_again_once_after_a_rejection() {
    let scene = Scene::with_source(false, |_, secret| {
        (
            ms(20),
            if secret == "first" {
                grant(s(60))
            } else {
                invalid_client()
            },
        )
    });
    sleep(s(10)).await;
    assert_eq!(scene.attempts(), 1);
    // rotated: the authorization server rejects the old secret from now on
    let rotated = Scene::with_source(false, |number, secret| {
        let good = number == 1 || secret == "second";
        (ms(20), if good { grant(s(60)) } else { invalid_client() })
    });
    sleep(s(10)).await;
    rotated.set_secret(Ok("second"));
    sleep(s(30)).await;
    assert_eq!(rotated.tokens.snapshot().generation, 2);
    assert_eq!(
        rotated.attempts(),
        3,
        "rejected with the first secret, granted with the second one, without a pause in between"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_secret_ends_an_attempt_that_hangs() {
    let scene = Scene::new(|_, secret| match secret {
        "right" => (ms(100), grant(s(3600))),
        _ => (ATTEMPT_LIMIT, timed_out()),
    });
    sleep(s(3)).await;
    scene.set_secret(Ok("right"));
    sleep(s(3)).await;
    assert!(scene.tokens.usable().is_some());
    assert!(
        scene.gaps().iter().all(|gap| *gap >= 1000),
        "{:?}",
        scene.gaps()
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_read_again_after_a_rejection_is_tried_a_second_later() {
    let scene = Scene::with_source(false, |_, secret| match secret {
        "first" => (ms(7), invalid_client()),
        _ => (ms(7), grant(s(3600))),
    });
    settle().await;
    scene.set_secret(Ok("second"));
    sleep(s(2)).await;
    assert!(scene.tokens.usable().is_some());
    assert_eq!(scene.gaps(), [1000]);
}
