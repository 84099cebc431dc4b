//! 401s from the upstream: one refresh for all of them, then a pause that grows.

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::scene::{Scene, grant, ms, s, throttled, unavailable};
use crate::token::{NoNewerToken, RequestRoute};

fn route() -> RequestRoute {
    RequestRoute::of("GET", "/")
}

/// The token endpoint grants tokens of an hour, but fails once, at its second request.
fn scene_whose_second_request_fails() -> Scene {
    Scene::new(|number, _| {
        (
            ms(10),
            if number == 2 {
                unavailable(None)
            } else {
                grant(s(3600))
            },
        )
    })
}

#[tokio::test(start_paused = true)]
async fn two_hundred_401s_cause_one_token_request_and_the_rejected_token_stays_in_use_until_then() {
    let scene = Scene::new(|_, _| (ms(500), grant(s(3600))));
    let first = scene.tokens.bearer().await.unwrap().generation;
    sleep(s(5)).await;
    let mut storm = JoinSet::new();
    for _ in 0..200 {
        let tokens = scene.tokens.clone();
        storm.spawn(async move {
            tokens
                .newer_than(first, route())
                .await
                .map(|bearer| bearer.generation)
        });
    }
    sleep(ms(100)).await;
    assert_eq!(
        scene.tokens.usable().unwrap().generation,
        first,
        "in use for other requests"
    );
    for newer in storm.join_all().await {
        assert_eq!(newer.unwrap(), first + 1);
    }
    assert_eq!(scene.attempts(), 2);
    // a straggler gets the newer one at once: a 401 never spends a token that it was not about
    assert_eq!(
        scene
            .tokens
            .newer_than(first, route())
            .await
            .unwrap()
            .generation,
        first + 1
    );
    assert_eq!(scene.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn forced_refreshes_are_30_s_apart_and_the_pause_doubles_to_15_min_while_replays_are_rejected()
 {
    let scene = Scene::new(|_, _| (ms(10), grant(s(86_400))));
    let start = Instant::now();
    scene.tokens.bearer().await.unwrap();
    while start.elapsed() < s(2 * 3600) {
        let current = scene.tokens.bearer().await.unwrap().generation;
        match scene.tokens.newer_than(current, route()).await {
            Ok(_) => (0..50).for_each(|_| scene.tokens.replayed(current + 1, route(), false)),
            Err(NoNewerToken::Paused { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        sleep(s(1)).await;
    }
    let gaps: Vec<u128> = scene.gaps()[1..].iter().map(|gap| gap / 1000).collect();
    for (gap, expected) in gaps.iter().zip([60, 120, 240, 480, 900, 900]) {
        assert!(gap.abs_diff(expected) <= 2, "{gaps:?}");
    }
    assert!(scene.tokens.snapshot().refused_although_fresh.is_some());

    // a revoked token: the replay is accepted, the pause is short again
    sleep(s(900)).await;
    let current = scene.tokens.bearer().await.unwrap().generation;
    scene.tokens.newer_than(current, route()).await.unwrap();
    scene.tokens.replayed(current + 1, route(), true);
    sleep(s(31)).await;
    assert!(scene.tokens.newer_than(current + 1, route()).await.is_ok());
    assert!(scene.tokens.snapshot().refused_although_fresh.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failed_forced_refresh_changes_nothing() {
    let scene = scene_whose_second_request_fails();
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    let before = scene.tokens.snapshot();
    let failed = scene
        .tokens
        .newer_than(1, route())
        .await
        .expect_err("the endpoint is out");
    assert!(matches!(failed, NoNewerToken::Failed { .. }));
    let after = scene.tokens.snapshot();
    assert_eq!((after.state, after.generation), (before.state, 1));
    assert!(before.next_attempt_in.abs_diff(after.next_attempt_in) < s(1));
    assert_eq!(scene.tokens.bearer().await.unwrap().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_401_does_not_shorten_the_delay_that_the_endpoint_requested() {
    let scene = Scene::new(|number, _| {
        (
            ms(10),
            if number == 2 {
                throttled(s(120))
            } else {
                grant(s(3600))
            },
        )
    });
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    assert!(scene.tokens.newer_than(1, route()).await.is_err());
    sleep(s(60)).await; // the pause between forced refreshes is over, the endpoint's is not
    for _ in 0..10 {
        assert!(scene.tokens.newer_than(1, route()).await.is_err());
    }
    assert_eq!(scene.attempts(), 2);
    sleep(s(80)).await; // 120 s and the spread
    assert_eq!(
        scene
            .tokens
            .newer_than(1, route())
            .await
            .unwrap()
            .generation,
        2
    );
    assert!(scene.gaps()[1] >= 120_000, "{:?}", scene.gaps());
}

#[tokio::test(start_paused = true)]
async fn a_401_during_a_refresh_waits_for_it_and_forces_none() {
    let scene = Scene::new(|_, _| (s(2), grant(s(100))));
    scene.tokens.bearer().await.unwrap();
    sleep(ms(59_500)).await; // the refresh of 60 s is in flight
    assert_eq!(scene.attempts(), 2);
    assert_eq!(
        scene
            .tokens
            .newer_than(1, route())
            .await
            .unwrap()
            .generation,
        2
    );
    assert_eq!(scene.attempts(), 2);
    assert_eq!(
        scene
            .tokens
            .newer_than(2, route())
            .await
            .unwrap()
            .generation,
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejected_request_waits_no_longer_than_configured() {
    let scene = Scene::new(|number, _| (if number == 1 { ms(10) } else { s(60) }, grant(s(3600))));
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    let start = Instant::now();
    assert!(matches!(
        scene.tokens.newer_than(1, route()).await,
        Err(NoNewerToken::Late { .. })
    ));
    assert_eq!(start.elapsed(), s(10));
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_always_rejected_does_not_hide_from_others_that_the_token_was_revoked() {
    let scene = Scene::new(|_, _| (ms(10), grant(s(3600))));
    let bad = RequestRoute::of("GET", "/bad");
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    assert_eq!(scene.tokens.newer_than(1, bad).await.unwrap().generation, 2);
    scene.tokens.replayed(2, bad, false);
    assert!(scene.tokens.snapshot().refused_although_fresh.is_some());
    // Revoked: the next request of another route gets a newer token.
    assert_eq!(
        scene
            .tokens
            .newer_than(2, route())
            .await
            .unwrap()
            .generation,
        3
    );
    scene.tokens.replayed(3, route(), true);
    assert!(matches!(
        scene.tokens.newer_than(3, bad).await,
        Err(NoNewerToken::Paused { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_accepted_clears_that_a_fresh_token_was_rejected() {
    let scene = Scene::new(|_, _| (ms(10), grant(s(3600))));
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    scene.tokens.newer_than(1, route()).await.unwrap();
    scene.tokens.replayed(2, route(), false);
    assert!(scene.tokens.snapshot().refused_although_fresh.is_some());
    scene.tokens.accepted(1);
    assert!(
        scene.tokens.snapshot().refused_although_fresh.is_some(),
        "that was the old one"
    );
    scene.tokens.accepted(2);
    assert!(scene.tokens.snapshot().refused_although_fresh.is_none());
    // Others are accepted with the same token, so that of this route is no sign of a bad token.
    scene
        .tokens
        .replayed(2, RequestRoute::of("GET", "/bad"), false);
    assert!(scene.tokens.snapshot().refused_although_fresh.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_replaced_at_the_pace_of_the_back_off_after_the_endpoint_has_failed() {
    let scene = scene_whose_second_request_fails();
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    let failed = scene.tokens.newer_than(1, route()).await;
    assert!(matches!(failed, Err(NoNewerToken::Failed { .. })));
    let start = Instant::now();
    assert_eq!(
        scene
            .tokens
            .newer_than(1, route())
            .await
            .unwrap()
            .generation,
        2
    );
    assert!(start.elapsed() <= s(2), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn while_the_endpoint_fails_each_401_is_told_so_and_the_back_off_grows() {
    let scene = Scene::new(|number, _| {
        (
            ms(10),
            if number == 1 {
                grant(s(86_400))
            } else {
                unavailable(None)
            },
        )
    });
    scene.tokens.bearer().await.unwrap();
    sleep(s(5)).await;
    let start = Instant::now();
    while start.elapsed() < s(300) {
        let why = scene.tokens.newer_than(1, route()).await.unwrap_err();
        assert!(matches!(why, NoNewerToken::Failed { .. }), "{why}");
        sleep(ms(100)).await;
    }
    let attempts = scene.attempts();
    assert!((10..=18).contains(&attempts), "{attempts} in five minutes");
}
