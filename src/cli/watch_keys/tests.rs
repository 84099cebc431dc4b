use super::*;

#[test]
fn tab_goes_through_the_overview_and_all_proxies_and_numbers_choose_one() {
    let mut shown = None;
    let mut seen = Vec::new();
    for _ in 0..4 {
        shown = key_of(b"\t").unwrap().apply(shown, 2);
        seen.push(shown);
    }
    assert_eq!(seen, [Some(0), Some(1), None, Some(0)]);
    let back = key_of(b"\x1b[Z").unwrap();
    assert_eq!(back.apply(Some(0), 2), None);
    assert_eq!(back.apply(None, 2), Some(1));
    assert_eq!(key_of(b"2").unwrap().apply(None, 2), Some(1));
    assert_eq!(key_of(b"3").unwrap().apply(Some(1), 2), Some(1));
    assert_eq!(key_of(b"0").unwrap().apply(Some(1), 2), None);
    assert_eq!(key_of(b"x"), None);
    assert_eq!(keys_of(b"xq"), [WatchKey::Quit]);
    assert_eq!(keys_of(b"\x1b[Z"), [WatchKey::Previous]);
    // A key that is held down, or a slow connection.
    let twice = [WatchKey::Next, WatchKey::Next];
    assert_eq!(keys_of(b"\x1b[C\x1b[C"), twice);
    assert_eq!(keys_of(b"\x1bOC\t"), twice);
    assert_eq!(
        keys_of(b"\x1b[1;5C2q"),
        [WatchKey::Proxy(1), WatchKey::Quit]
    );
    assert!(keys_of(b"\x1b").is_empty());
}
