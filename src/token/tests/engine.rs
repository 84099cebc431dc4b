//! The refresh task: schedule, one request at a time, waiting requests, failing closed.

use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::scene::{
    ATTEMPT_LIMIT, Outcome, Scene, grant, invalid_client, ms, s, server, settle, throttled,
    timed_out, unavailable, wall,
};
use crate::token::{GrantError, TokenState, TokenUnavailable, Unreachable, UnreachableCause};

#[tokio::test(start_paused = true)]
async fn two_hundred_first_requests_cause_one_token_request_and_all_get_the_token() {
    let scene = Scene::new(|_, _| (s(2), grant(s(3600))));
    let start = Instant::now();
    let mut herd = JoinSet::new();
    for _ in 0..200 {
        let tokens = scene.tokens.clone();
        herd.spawn(async move { tokens.bearer().await.map(|bearer| bearer.generation) });
    }
    for served in herd.join_all().await {
        assert_eq!(served.unwrap(), 1);
    }
    assert_eq!(scene.attempts(), 1);
    assert!(start.elapsed() < ms(2500), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_next_token_is_requested_in_the_background_at_the_drawn_point_of_the_lifetime() {
    let scene = Scene::new(|_, _| (ms(200), grant(s(300))));
    sleep(s(3500)).await;
    // drawn 0.5: 60 % of 300 s after the moment before each request
    assert_eq!(scene.gaps(), vec![180_000; 19]);
    assert_eq!(scene.tokens.snapshot().state, TokenState::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_request_never_waits_while_a_token_is_usable_even_if_the_endpoint_hangs() {
    let scene = Scene::new(|number, _| (if number == 1 { ms(0) } else { s(10) }, grant(s(60))));
    sleep(s(40)).await;
    assert_eq!(scene.tokens.snapshot().state, TokenState::Stale);
    let start = Instant::now();
    assert_eq!(scene.tokens.bearer().await.unwrap().generation, 1);
    assert_eq!(start.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_ends_before_the_expiry_affects_no_request() {
    // 60 s tokens, refresh due at 36 s; the endpoint is out from 30 s to 56 s
    let start = Instant::now();
    let scene = Scene::new(move |_, _| {
        let out = start.elapsed() > s(30) && start.elapsed() < s(56);
        (ms(50), if out { unavailable(None) } else { grant(s(60)) })
    });
    settle().await;
    sleep(ms(100)).await;
    while start.elapsed() < s(70) {
        assert!(scene.tokens.usable().is_some(), "at {:?}", start.elapsed());
        sleep(ms(100)).await;
    }
    let failed = scene.tokens.snapshot().attempts.unavailable;
    assert!((3..=12).contains(&failed), "{failed}");
    let gaps = scene.gaps();
    let growing = &gaps[1..=4];
    assert!(growing.windows(2).all(|pair| pair[0] < pair[1]), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_past_the_expiry_fails_closed_and_recovery_takes_at_most_5_s_without_traffic() {
    let start = Instant::now();
    // 40 min, as in case 45 of tests/survives.md
    let back = s(60) + s(40 * 60);
    let scene = Scene::new(move |_, _| {
        let out = start.elapsed() > s(30) && start.elapsed() < back;
        (
            ms(50),
            if out {
                unavailable(None)
            } else {
                grant(s(300))
            },
        )
    });
    sleep(s(310)).await;
    let passed = |since: Option<SystemTime>| wall().duration_since(since.unwrap()).unwrap();
    while start.elapsed() < back {
        assert!(
            scene.tokens.usable().is_none(),
            "an expired token is never sent"
        );
        let asked = Instant::now();
        let refused = scene.tokens.bearer().await.expect_err("there is none");
        assert!(asked.elapsed() <= s(1), "{:?}", asked.elapsed());
        assert!(
            matches!(refused, TokenUnavailable::NotYet { retry_after, .. } if retry_after >= s(1) && retry_after <= s(5))
        );
        // Not only since the oldest of the attempts that are kept.
        let snapshot = scene.tokens.snapshot();
        assert!(passed(snapshot.failing_since) + s(215) > start.elapsed());
        let expired = passed(snapshot.unusable_since);
        assert!(expired.abs_diff(start.elapsed().saturating_sub(s(300))) < s(2));
        sleep(s(97)).await;
    }
    let recovered = start.elapsed().max(back);
    sleep((back + s(5)).saturating_sub(start.elapsed())).await;
    assert!(
        scene.tokens.usable().is_some(),
        "no token 5 s after {recovered:?}"
    );
    let snapshot = scene.tokens.snapshot();
    assert_eq!(
        (snapshot.failing_since, snapshot.unusable_since),
        (None, None)
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_as_long_as_configured_and_then_fails() {
    let scene = Scene::new(|_, _| (s(3600), grant(s(60))));
    let start = Instant::now();
    let refused = scene
        .tokens
        .bearer()
        .await
        .expect_err("the endpoint is silent");
    assert!(matches!(refused, TokenUnavailable::NotYet { .. }));
    assert_eq!(start.elapsed(), s(10));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_and_one_attempt_follows() {
    let scene = Scene::new(|number, _| {
        (
            ms(0),
            if number == 1 {
                throttled(s(20))
            } else {
                grant(s(3600))
            },
        )
    });
    sleep(ms(19_900)).await;
    assert_eq!(scene.attempts(), 1);
    // a request for a token does not advance the attempt
    assert!(scene.tokens.bearer().await.is_err());
    sleep(s(30)).await;
    assert_eq!(scene.attempts(), 2);
    assert!(scene.gaps()[0] >= 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_configuration_is_tried_at_most_twice_a_minute_and_requests_fail_at_once() {
    let scene = Scene::new(|_, _| (ms(20), invalid_client()));
    scene.tokens.settled().await;
    let start = Instant::now();
    let refused = scene.tokens.bearer().await.expect_err("refused");
    assert_eq!(
        start.elapsed(),
        ms(0),
        "a wrong secret does not make callers wait"
    );
    assert!(matches!(refused, TokenUnavailable::Refused { .. }));

    sleep(s(600)).await;
    assert!(scene.attempts() <= 20, "{}", scene.attempts());
    let snapshot = scene.tokens.snapshot();
    assert_eq!(snapshot.state, TokenState::Starting);
    assert!(snapshot.refused);
    assert!(
        snapshot
            .last_error
            .unwrap()
            .contains("invalid_client: Request denied: Invalid client credentials")
    );
}

#[tokio::test(start_paused = true)]
async fn tiny_lifetimes_and_constant_failures_cause_at_most_one_attempt_per_second() {
    let short = Scene::new(|_, _| (ms(0), grant(ms(1))));
    sleep(s(60)).await;
    assert!(
        short.gaps().iter().all(|gap| *gap >= 1000),
        "{:?}",
        short.gaps()
    );
    assert!(short.attempts() > 50, "and it continues");

    let failing = Scene::new(|_, _| (ms(0), unavailable(None)));
    for _ in 0..600 {
        let _ = failing.tokens.bearer().await; // traffic does not make it faster
    }
    assert!(
        failing.gaps().iter().all(|gap| *gap >= 1000),
        "{:?}",
        failing.gaps()
    );
}

#[tokio::test(start_paused = true)]
async fn a_300_s_token_is_not_refreshed_on_every_wakeup_and_a_ten_year_token_not_at_all() {
    let short = Scene::new(|_, _| (ms(10), grant(s(300))));
    sleep(s(900)).await;
    assert!(short.attempts() <= 6, "{}", short.attempts());
    let long = Scene::with_source(false, |_, _| (ms(10), grant(s(10 * 365 * 86_400))));
    sleep(s(2 * 86_400)).await;
    assert_eq!(long.attempts(), 1);
}

fn refused_connection() -> GrantError {
    let unreachable = Unreachable {
        server: server(),
        cause: UnreachableCause::Refused,
    };
    GrantError::Unreachable(Box::new(unreachable))
}

#[tokio::test(start_paused = true)]
async fn the_task_survives_every_kind_of_failure_including_a_panic() {
    let scene = Scene::new(|number, _| {
        let outcome = match number {
            1 => panic!("inside the request"),
            2 => unavailable(None),
            3 => throttled(s(1)),
            4 => invalid_client(),
            5 => timed_out(),
            6 => Err(refused_connection()),
            7 => Err(GrantError::Redirected {
                endpoint: crate::token::EndpointRole::Token,
                status: http::StatusCode::FOUND,
            }),
            8 => Err(GrantError::Unusable {
                endpoint: crate::token::EndpointRole::Token,
                status: http::StatusCode::OK,
                defect: crate::token::ResponseDefect::Empty,
            }),
            _ => grant(s(3600)),
        };
        (ms(10), outcome)
    });
    sleep(s(300)).await;
    assert_eq!(scene.attempts(), 9);
    assert_eq!(scene.tokens.snapshot().state, TokenState::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_2_s_at_most_if_the_token_has_expired_during_an_attempt() {
    let scene = Scene::new(|number, _| match number {
        1 => (ms(0), grant(s(10))),
        _ => (ATTEMPT_LIMIT, timed_out()),
    });
    sleep(ms(9_600)).await; // the attempt that began at 6 s hangs; the token expires at 9.5 s
    let start = Instant::now();
    let refused = scene.tokens.bearer().await.expect_err("it has expired");
    assert_eq!(start.elapsed(), s(2));
    let TokenUnavailable::NotYet { retry_after, .. } = refused else {
        panic!("{refused}");
    };
    let announced = scene.attempts() + 1;
    sleep(retry_after).await;
    settle().await;
    assert!(
        scene.attempts() >= announced,
        "the announced attempt is made"
    );
}

/// An attempt that began before the endpoint returned may hang until it times out. The other one is answered.
#[test]
fn an_endpoint_that_returns_during_attempts_that_hang_is_noticed_within_5_s() {
    is_noticed_within_5_s(ATTEMPT_LIMIT, timed_out);
}

/// A gateway answers for an endpoint that it cannot reach, but not at once.
#[test]
fn an_endpoint_that_returns_behind_a_gateway_that_is_slow_to_fail_is_noticed_within_5_s() {
    for latency in [2_000, 3_900, 5_000, 7_000, 9_500] {
        is_noticed_within_5_s(ms(latency), || unavailable(None));
    }
}

/// `failure` is what a request ends with after `latency`, until the endpoint has returned.
fn is_noticed_within_5_s(latency: Duration, failure: fn() -> Outcome) {
    for offset in (0..24_000).step_by(700) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(async move {
            let start = Instant::now();
            let back = s(60) + ms(offset);
            let scene = Scene::new(move |_, _| {
                let out = start.elapsed() > s(10) && start.elapsed() < back;
                if out {
                    (latency, failure())
                } else {
                    (ms(200), grant(s(20)))
                }
            });
            sleep(back).await;
            assert!(scene.tokens.usable().is_none());
            sleep(s(5)).await;
            assert!(
                scene.tokens.usable().is_some(),
                "back at {back:?}, {latency:?}"
            );
            assert!(
                scene.gaps().iter().all(|gap| *gap >= 1000),
                "{:?}",
                scene.gaps()
            );
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_takes_8_s_still_issues_tokens() {
    let scene = Scene::new(|_, _| (s(8), grant(s(20))));
    sleep(s(9)).await;
    assert!(scene.tokens.usable().is_some());
    for _ in 0..100 {
        sleep(s(1)).await;
        assert!(scene.tokens.snapshot().failures == 0);
    }
}
