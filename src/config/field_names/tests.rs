use super::*;

#[test]
fn names_that_differ_only_in_underscores_are_the_same() {
    let name = HeaderName::from_static;
    assert!(is_same_field(&name("x-a-b"), &name("x_a-b")));
    assert!(is_same_field(&name("x-a"), &name("x-a")));
    for other in ["x-ab", "x-a-c", "x-a-bc"] {
        assert!(!is_same_field(&name("x-a-b"), &name(other)), "{other}");
    }
}

#[test]
fn a_field_with_a_meaning_of_its_own_is_recognized_in_each_spelling() {
    for name in [
        "content-length",
        "x_forwarded_for",
        "x-cupbearer-key",
        "x_cupbearer",
        "x_original_url",
        "keep_alive",
    ] {
        assert!(has_own_meaning(name), "{name}");
    }
    for name in [
        "authorization",
        "x-api-key",
        "private-token",
        "x-for",
        "cookies",
    ] {
        assert!(!has_own_meaning(name), "{name}");
    }
}
