use super::*;
use crate::doctor::finding::Outcome;

#[test]
fn a_clock_difference_of_more_than_half_a_minute_is_noted_with_its_direction() {
    let now = SystemTime::now();
    let minutes = |minutes| Duration::from_mins(minutes);
    for (theirs, outcome, words) in [
        (now, Outcome::Ok, "within 0 s"),
        (now + CLOCK_TOLERANCE, Outcome::Ok, "within 30 s"),
        (now + minutes(120), Outcome::Note, "2h behind"),
        (now - minutes(10), Outcome::Note, "10m ahead of"),
    ] {
        let finding = compare_clocks(now, theirs);
        assert_eq!(finding.outcome, outcome);
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}
