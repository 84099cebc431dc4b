use super::*;

fn starts(keys: &[&str]) -> KeyStarts {
    let keys = keys.iter();
    KeyStarts::of(keys.map(|key| (KeyStart::of(key.as_bytes()), key.len())))
}

#[test]
fn a_key_is_possible_wherever_it_stands_and_however_long_it_is() {
    let keys = [
        "0123456789abcdef",
        "0123456789abcdef-longer",
        "another-key-of-someone",
    ];
    let starts = starts(&keys);
    for (text, expected) in [
        ("0123456789abcdef", &keys[..1]),
        ("x0123456789abcdef-longer.y", &keys[..2]),
        ("0123456789abcdef-longe", &keys[..1]),
        ("_another-key-of-someone", &keys[2..]),
        ("another-key-of-someon", &[]),
        ("0123456789abcde", &[]),
        ("", &[]),
    ] {
        let mut found: Vec<_> = starts.possible_keys(text.as_bytes()).collect();
        found.sort_unstable();
        let expected: Vec<_> = expected.iter().map(|key| key.as_bytes()).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn hardly_anything_else_is_possible() {
    let keys: Vec<String> = (0..100)
        .map(|n| format!("the-key-of-caller-{n:06}-{n}"))
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let starts = starts(&keys);
    let text: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(starts.possible_keys(&text).count(), 0);
}

#[test]
fn each_of_the_bytes_counts() {
    let key = b"0123456789abcdef";
    for changed in 0..key.len() {
        let mut other = *key;
        other[changed] ^= 1;
        assert!(KeyStart::of(key) != KeyStart::of(&other), "byte {changed}");
    }
    assert!(KeyStart::of(b"0123456789abcde") == KeyStart(0));
}
