use super::super::find;
use super::*;

#[test]
fn a_callers_key_is_found_by_any_name_and_the_name_by_the_variable() {
    let found = find("guard.callers.ci.key").unwrap();
    assert_eq!(found.path, "guard.callers.NAME.key");
    assert_eq!(caller_path("ci", found.path), "guard.callers.ci.key");
    assert!(find("guard.callers.ci.kee").is_none());
    assert!(find("guard.callers.ci").is_none());
    assert!(find("guard.callers.a.b.key").is_none());
    let name = "CUPBEARER_GUARD__CALLERS__CI__KEY__FILE";
    assert_eq!(caller_in_variable(name).as_deref(), Some("ci"));
}

#[test]
fn a_callers_name_has_only_one_spelling_in_a_variable() {
    for name in ["ci", "build-1", "a_b", "0"] {
        assert!(is_caller_name(name), "{name}");
    }
    for name in [
        "",
        "CI",
        "a__b",
        "_a",
        "a_",
        "a.b",
        "a b",
        "é",
        &"x".repeat(33),
    ] {
        assert!(!is_caller_name(name), "{name}");
    }
}
