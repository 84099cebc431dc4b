use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nothing_is_avoided_before_a_waiting_connection_was_closed() {
    let patience = Patience::unknown();
    patience.kept(SECOND);
    assert!(patience.outlasts(50 * SECOND));
}

#[test]
fn after_a_close_the_last_tenth_before_it_is_avoided() {
    let patience = Patience::unknown();
    patience.closed(5 * SECOND);
    assert!(patience.outlasts(SECOND * 44 / 10));
    assert!(!patience.outlasts(SECOND * 46 / 10));
}

#[test]
fn a_connection_that_outlasts_what_was_known_corrects_it() {
    let patience = Patience::unknown();
    patience.closed(SECOND); // a restart
    patience.kept(20 * SECOND);
    assert!(patience.outlasts(15 * SECOND));
}

#[test]
fn a_close_right_after_an_answer_says_nothing() {
    let patience = Patience::unknown();
    patience.closed(Duration::from_millis(1));
    assert!(patience.outlasts(SECOND));
}
