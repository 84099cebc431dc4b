use std::time::UNIX_EPOCH;

use super::*;

fn route(path: &str) -> RequestRoute {
    RequestRoute::of("GET", path)
}

/// A moment of which only the monotonic clock matters.
fn at(monotonic: Instant) -> Timestamp {
    Timestamp {
        wall: UNIX_EPOCH,
        monotonic,
    }
}

#[test]
fn rejected_replays_double_the_pause_from_30_s_to_15_min_once_per_refresh() {
    let mut forced = ForcedRefreshes::new();
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    for number in 1..=8 {
        forced
            .demand(number, route("/"), now)
            .expect("the pause is over");
        for _ in 0..100 {
            forced.replayed(route("/"), false, false, at(now));
        }
        let pause = forced
            .demand(number + 1, route("/"), now)
            .expect_err("paused");
        pauses.push(pause.as_secs());
        now += pause;
    }
    assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900, 900]);
    assert_eq!(forced.ineffective_since(), Some(UNIX_EPOCH));
}

#[test]
fn an_accepted_replay_resets_the_pause_regardless_of_the_others() {
    let mut forced = ForcedRefreshes::new();
    let start = Instant::now();
    forced.demand(1, route("/"), start).unwrap();
    forced.replayed(route("/"), false, false, at(start));
    let later = start + Duration::from_mins(1);
    forced.demand(2, route("/"), later).unwrap();
    for accepted in [false, true, false, false] {
        forced.replayed(route("/"), accepted, false, at(later));
    }
    assert_eq!(forced.demand(3, route("/"), later), Err(FORCED_PAUSE_MIN));
    assert_eq!(forced.ineffective_since(), None);
}

#[test]
fn a_route_that_is_always_rejected_pauses_no_other_and_many_of_them_are_bounded() {
    let mut forced = ForcedRefreshes::new();
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    forced.demand(1, route("/bad"), start).unwrap();
    forced.replayed(route("/bad"), false, false, at(start));
    forced
        .demand(2, route("/good"), start)
        .expect("a pause of its own");
    forced.replayed(route("/good"), true, false, at(start));
    assert!(forced.demand(3, route("/bad"), after(59)).is_err());
    assert!(forced.demand(3, route("/good"), after(29)).is_err());

    // Invented paths: three at once, then one in every pause, which doubles as long as nothing is accepted.
    let mut demanded = 0;
    for second in 1_000..4_600 {
        let path = format!("/{second}");
        if forced.demand(second, route(&path), after(second)).is_ok() {
            forced.replayed(route(&path), false, false, at(after(second)));
            demanded += 1;
        }
    }
    assert!((5..=10).contains(&demanded), "{demanded} in an hour");
    assert!(forced.routes.len() <= MAX_ROUTES);
    // With the same token other requests are accepted, so it is not at fault: at most one in 30 s.
    forced.worked();
    let mut demanded = 0;
    for second in 10_000..13_600 {
        let path = format!("/{second}");
        if forced.demand(second, route(&path), after(second)).is_ok() {
            forced.replayed(route(&path), false, true, at(after(second)));
            demanded += 1;
        }
    }
    assert!((100..=124).contains(&demanded), "{demanded} in an hour");
    assert_eq!(forced.ineffective_since(), None);
}

#[test]
fn a_demand_that_yielded_no_token_does_not_count() {
    let mut forced = ForcedRefreshes::new();
    let now = Instant::now();
    for number in 1..20 {
        forced
            .demand(number, route("/"), now)
            .expect("nothing was gained");
        forced.failed(number);
    }
    forced.demand(20, route("/"), now).unwrap();
    assert_eq!(forced.demand(21, route("/"), now), Err(FORCED_PAUSE_MIN));
}

#[test]
fn three_routes_may_force_a_refresh_at_once_and_each_pause_allows_one_more_up_to_three() {
    let mut forced = ForcedRefreshes::new();
    let start = Instant::now();
    let pause = FORCED_PAUSE_MIN;
    for number in 1..=3 {
        let own = route(&format!("/{number}"));
        forced.demand(number, own, start).expect("at once");
    }
    assert_eq!(forced.demand(4, route("/4"), start), Err(pause));
    let soon = start + pause / 3;
    let rest = pause.saturating_sub(pause / 3);
    assert_eq!(forced.demand(4, route("/4"), soon), Err(rest));
    let later = start + pause;
    assert_eq!(forced.demand(4, route("/4"), later), Ok(()));
    assert_eq!(forced.demand(5, route("/5"), later), Err(pause));

    let much_later = later + pause * 20;
    for number in 5..=7 {
        let own = route(&format!("/{number}"));
        assert_eq!(forced.demand(number, own, much_later), Ok(()));
    }
    assert_eq!(forced.demand(8, route("/8"), much_later), Err(pause));
}

#[test]
fn a_route_that_is_rejected_with_the_token_that_another_one_forced_pauses_for_a_minute() {
    let mut forced = ForcedRefreshes::new();
    let start = Instant::now();
    forced.demand(1, route("/first"), start).unwrap();
    forced.replayed(route("/second"), false, false, at(start));
    let left = forced.demand(2, route("/second"), start);
    assert_eq!(left, Err(FORCED_PAUSE_MIN * 2));
}

#[test]
fn refreshes_are_known_to_be_useless_since_the_first_that_did_not_help() {
    let mut forced = ForcedRefreshes::new();
    let seconds = |count| UNIX_EPOCH + Duration::from_secs(count);
    let start = Instant::now();
    let after = |count| Timestamp {
        wall: seconds(count),
        monotonic: start,
    };
    forced.replayed(route("/"), false, false, after(1));
    forced.replayed(route("/second"), false, false, after(2));
    assert_eq!(forced.ineffective_since(), Some(seconds(1)));
    forced.replayed(route("/"), true, false, after(3));
    forced.replayed(route("/other"), false, false, after(4));
    assert_eq!(forced.ineffective_since(), Some(seconds(4)));
}

#[test]
fn routes_that_share_a_refresh_do_not_end_the_pause_of_the_one_that_forced_it() {
    let mut forced = ForcedRefreshes::new();
    let start = Instant::now();
    let mut now = start;
    for round in 0..20 {
        if forced.demand(round, route("/r0"), now).is_ok() {
            assert_eq!(now, start, "the pause of the route has not ended");
            forced.replayed(route("/r0"), false, false, at(now));
        }
        for other in 0..MAX_ROUTES * 2 {
            forced.replayed(route(&format!("/{round}/{other}")), false, false, at(now));
        }
        now += Duration::from_secs(2);
    }
    assert!(forced.routes.len() <= MAX_ROUTES);
}
