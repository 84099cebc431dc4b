use super::*;

#[test]
fn the_oldest_entry_is_dropped_and_is_still_counted() {
    let mut recording = RecentEntries::default();
    for number in 0..=KEPT as u64 {
        assert_eq!(recording.push(number), number);
    }
    assert_eq!(recording.total(), KEPT as u64 + 1);
    assert_eq!(recording.entries().len(), KEPT);
    assert_eq!(recording.entry(0), None);
    assert_eq!(recording.entry(1), Some(&mut 1));
    assert_eq!(recording.entry(KEPT as u64), Some(&mut (KEPT as u64)));
}

#[test]
fn a_recorded_token_is_not_printed() {
    let mut headers = HeaderMap::new();
    headers.append(
        header::AUTHORIZATION,
        HeaderValue::from_static("Bearer abc.def"),
    );
    let lines = field_lines(&headers);
    assert!(!format!("{lines:?}").contains("abc"));
    assert_eq!(lines[header::AUTHORIZATION], "Bearer abc.def");
}
