use super::*;

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

fn now() -> Stamp {
    Clock::SYSTEM.now()
}

#[test]
fn younger_is_whose_age_is_below_on_both_clocks() {
    let then = now();
    let later = |wall: Duration, monotonic: Duration| Stamp {
        wall: then.wall + wall,
        monotonic: then.monotonic + monotonic,
    };
    let ends = [Duration::ZERO, SECOND, HOUR, HOUR + SECOND, HOUR * 2];
    for wall in ends {
        for monotonic in ends {
            for limit in ends {
                let now = later(wall, monotonic);
                assert_eq!(
                    then.is_younger(limit, now),
                    then.age(now) < limit,
                    "{wall:?} {monotonic:?} {limit:?}"
                );
            }
        }
    }
    let earlier = Stamp {
        wall: then.wall - HOUR,
        ..then
    };
    assert!(then.is_younger(SECOND, earlier));
    assert!(!then.is_younger(Duration::ZERO, earlier));
    assert!(then.is_younger(Duration::MAX, later(HOUR, HOUR)));
}

#[test]
fn the_clock_that_says_older_counts() {
    let then = now();
    let slept = Stamp {
        wall: then.wall + HOUR,
        monotonic: then.monotonic + SECOND,
    };
    let set_back = Stamp {
        wall: then.wall - HOUR,
        monotonic: then.monotonic + SECOND,
    };

    assert_eq!(then.age(slept), HOUR);
    assert_eq!(then.age(set_back), SECOND);
}

#[test]
fn a_step_is_seen_in_both_directions_and_plain_time_is_none() {
    let then = now();
    let plain = Stamp {
        wall: then.wall + HOUR,
        monotonic: then.monotonic + HOUR,
    };
    let slept = Stamp {
        wall: then.wall + HOUR,
        monotonic: then.monotonic + SECOND,
    };
    let set_back = Stamp {
        wall: then.wall - HOUR,
        monotonic: then.monotonic + SECOND,
    };

    assert_eq!(then.step_until(plain), Duration::ZERO);
    assert_eq!(then.step_until(slept), HOUR.checked_sub(SECOND).unwrap());
    assert_eq!(then.step_until(set_back), HOUR + SECOND);
}
