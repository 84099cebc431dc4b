use super::*;

#[test]
fn only_modules_of_this_crate_are_own() {
    for (target, expected) in [
        ("cupbearer", true),
        ("cupbearer::server::accept", true),
        ("cupbearers", false),
        ("h2::server", false),
        ("hyper::proto", false),
        ("", false),
    ] {
        assert_eq!(is_own(target), expected, "{target}");
    }
}
