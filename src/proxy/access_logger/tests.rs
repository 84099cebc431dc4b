use super::*;

#[test]
fn the_lines_that_were_set_last_are_used() {
    let log = AccessLogger::new(Metrics::new(None), AccessLines::WritesAndFailures);
    assert_eq!(log.lines(), AccessLines::WritesAndFailures);
    for lines in [
        AccessLines::All,
        AccessLines::None,
        AccessLines::WritesAndFailures,
    ] {
        log.set_lines(lines);
        assert_eq!(log.lines(), lines);
    }
}
