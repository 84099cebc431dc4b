use super::*;

#[test]
fn the_oldest_entry_makes_room_and_is_still_counted() {
    let mut ledger = Ledger::default();
    for number in 0..=KEPT as u64 {
        assert_eq!(ledger.push(number), number);
    }
    assert_eq!(ledger.total(), KEPT as u64 + 1);
    assert_eq!(ledger.entries().len(), KEPT);
    assert_eq!(ledger.entry(0), None);
    assert_eq!(ledger.entry(1), Some(&mut 1));
    assert_eq!(ledger.entry(KEPT as u64), Some(&mut (KEPT as u64)));
}

#[test]
fn a_bearer_in_the_ledger_does_not_print() {
    let mut headers = HeaderMap::new();
    headers.append(
        header::AUTHORIZATION,
        HeaderValue::from_static("Bearer abc.def"),
    );
    let lines = header_lines(&headers);
    assert!(!format!("{lines:?}").contains("abc"));
    assert_eq!(lines[header::AUTHORIZATION], "Bearer abc.def");
}
