//! Clocks that jump, and machines that are suspended.

use tokio::time::{Instant, sleep};

use super::scene::{Scene, grant, move_wall, ms, s, settle};
use crate::token::TokenState;

const TWO_HOURS: i64 = 7200;

#[tokio::test(start_paused = true)]
async fn after_a_suspend_no_request_gets_the_expired_token_and_traffic_wakes_the_task() {
    let scene = Scene::new(|_, _| (ms(300), grant(s(3600))));
    scene.tokens.bearer().await.unwrap();
    sleep(s(31)).await;
    move_wall(TWO_HOURS);
    assert!(scene.tokens.usable().is_none());
    assert_eq!(scene.tokens.snapshot().state, TokenState::Expired);
    let start = Instant::now();
    assert_eq!(scene.tokens.bearer().await.unwrap().generation, 2);
    assert_eq!(start.elapsed(), ms(300));
}

#[tokio::test(start_paused = true)]
async fn a_suspend_is_noticed_within_30_s_without_traffic_and_reported_once() {
    // a source that is not polled: nothing else wakes the task
    let scene = Scene::with_source(false, |_, _| (ms(300), grant(s(3600))));
    let steps = scene.tokens.clock_steps();
    sleep(s(45)).await;
    move_wall(TWO_HOURS);
    sleep(s(31)).await;
    assert_eq!(scene.tokens.usable().unwrap().generation, 2);
    assert_eq!(*steps.borrow(), 1);
    sleep(s(600)).await;
    assert_eq!((*steps.borrow(), scene.attempts()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_back_neither_extends_a_token_nor_causes_a_loop() {
    let scene = Scene::new(|_, _| (ms(300), grant(s(300))));
    scene.tokens.bearer().await.unwrap();
    move_wall(-TWO_HOURS);
    settle().await;
    assert_eq!(
        scene.tokens.usable().unwrap().generation,
        1,
        "still usable by its age"
    );
    sleep(s(900)).await;
    assert_eq!(scene.gaps(), vec![180_000; 5]);
    assert_eq!(*scene.tokens.clock_steps().borrow(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_usable_by_its_age_is_used_after_a_clock_step() {
    let scene = Scene::new(|_, _| (ms(300), grant(s(86_400))));
    scene.tokens.bearer().await.unwrap();
    move_wall(TWO_HOURS);
    sleep(s(60)).await;
    assert_eq!(scene.tokens.usable().unwrap().generation, 1);
    assert_eq!(scene.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_ages_from_the_moment_before_its_request_and_expires_up_to_2_s_early() {
    // the response takes 8 s: 12 s of the 20 s are left, minus one for the time that a request travels
    let scene = Scene::new(|number, _| (if number == 1 { s(8) } else { s(3600) }, grant(s(20))));
    scene.tokens.bearer().await.unwrap();
    sleep(ms(10_999)).await;
    assert!(scene.tokens.usable().is_some());
    sleep(ms(2)).await;
    assert!(scene.tokens.usable().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_reported_expiry_follows_the_wall_clock() {
    let scene = Scene::new(|_, _| (ms(0), grant(s(3600))));
    scene.tokens.bearer().await.unwrap();
    let shown = scene.tokens.snapshot().expires_at.unwrap();
    move_wall(-TWO_HOURS);
    let moved = scene.tokens.snapshot().expires_at.unwrap();
    assert_eq!(shown.duration_since(moved).unwrap(), s(7200));
}
