use super::*;

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

fn now() -> Timestamp {
    Clock::SYSTEM.now()
}

#[test]
fn is_younger_agrees_with_the_age_by_both_clocks() {
    let then = now();
    let later = |wall: Duration, monotonic: Duration| Timestamp {
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
    let earlier = Timestamp {
        wall: then.wall - HOUR,
        ..then
    };
    assert!(then.is_younger(SECOND, earlier));
    assert!(!then.is_younger(Duration::ZERO, earlier));
    assert!(then.is_younger(Duration::MAX, later(HOUR, HOUR)));
}

#[test]
fn the_clock_that_reports_the_greater_age_counts() {
    let then = now();
    let suspended = Timestamp {
        wall: then.wall + HOUR,
        monotonic: then.monotonic + SECOND,
    };
    let set_back = Timestamp {
        wall: then.wall - HOUR,
        monotonic: then.monotonic + SECOND,
    };

    assert_eq!(then.age(suspended), HOUR);
    assert_eq!(then.age(set_back), SECOND);
}

#[test]
fn a_step_is_detected_in_both_directions_and_passing_time_is_not_a_step() {
    let then = now();
    let later = Timestamp {
        wall: then.wall + HOUR,
        monotonic: then.monotonic + HOUR,
    };
    let suspended = Timestamp {
        wall: then.wall + HOUR,
        monotonic: then.monotonic + SECOND,
    };
    let set_back = Timestamp {
        wall: then.wall - HOUR,
        monotonic: then.monotonic + SECOND,
    };

    assert_eq!(then.step_until(later), Duration::ZERO);
    assert_eq!(
        then.step_until(suspended),
        HOUR.checked_sub(SECOND).unwrap()
    );
    assert_eq!(then.step_until(set_back), HOUR + SECOND);
}
