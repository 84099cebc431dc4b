use super::*;
use crate::doctor::finding::Outcome;

#[test]
fn half_a_minute_is_no_clock_skew_and_more_is_said_with_its_direction() {
    let now = SystemTime::now();
    let minutes = |minutes| Duration::from_mins(minutes);
    for (theirs, outcome, words) in [
        (now, Outcome::Ok, "within 0 s"),
        (now + CLOCK_TOLERANCE, Outcome::Ok, "within 30 s"),
        (now + minutes(120), Outcome::Note, "2h behind"),
        (now - minutes(10), Outcome::Note, "10m ahead of"),
    ] {
        let finding = compare(now, theirs);
        assert_eq!(finding.outcome, outcome);
        assert!(finding.said.contains(words), "{}", finding.said);
    }
}
