use super::*;

#[test]
fn rejected_replays_double_the_pause_from_30_s_to_15_min_once_per_refresh() {
    let mut forced = ForcedRefreshes::new();
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    for number in 1..=8 {
        forced.demand(number, now).expect("the pause is over");
        for _ in 0..100 {
            forced.replayed(false);
        }
        let pause = forced.demand(number + 1, now).expect_err("paused");
        pauses.push(pause.as_secs());
        now += pause;
    }
    assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900, 900]);
    assert!(forced.was_ineffective());
}

#[test]
fn an_accepted_replay_resets_the_pause_regardless_of_the_others() {
    let mut forced = ForcedRefreshes::new();
    let start = Instant::now();
    forced.demand(1, start).unwrap();
    forced.replayed(false);
    forced.demand(2, start + Duration::from_mins(1)).unwrap();
    for accepted in [false, true, false, false] {
        forced.replayed(accepted);
    }
    assert_eq!(
        forced.demand(3, start + Duration::from_mins(1)),
        Err(FORCED_PAUSE_MIN)
    );
    assert!(!forced.was_ineffective());
}

#[test]
fn a_rejected_replay_without_a_forced_refresh_changes_nothing() {
    let mut forced = ForcedRefreshes::new();
    forced.replayed(false);
    let start = Instant::now();
    forced.demand(1, start).unwrap();
    assert_eq!(forced.demand(2, start), Err(FORCED_PAUSE_MIN));
}
