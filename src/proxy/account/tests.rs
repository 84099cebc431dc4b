use super::*;

#[test]
fn what_is_set_is_what_is_asked_for() {
    let account = Account::new(Metrics::new(None), AccessLines::WritesAndFailures);
    assert_eq!(account.lines(), AccessLines::WritesAndFailures);
    for lines in [
        AccessLines::All,
        AccessLines::None,
        AccessLines::WritesAndFailures,
    ] {
        account.set_lines(lines);
        assert_eq!(account.lines(), lines);
    }
}
