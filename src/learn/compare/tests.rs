use super::*;
use crate::config::Rule;

fn rails(read_only: bool, allow: &[&str]) -> AccessRules {
    let rules = allow.iter().map(|text| Rule::parse(text).unwrap());
    AccessRules {
        read_only,
        allow: Some(rules.collect()),
        deny: Vec::new(),
    }
}

#[test]
fn rejected_requests_and_unused_rules_are_reported() {
    let rails = rails(false, &["GET /a/*", "DELETE /a/*", "POST /b"]);
    let run = ObservedRequests::of(&[
        ("GET", "/a/1", 200),
        ("HEAD", "/a/2", 200),
        ("PUT", "/%61/1", 200),
    ]);
    let found = compare(&run, &rails);
    let refused: Vec<_> = found.rejected.iter().map(|one| &*one.path).collect();
    assert_eq!(refused, ["/%61/1"]);
    assert_eq!(found.unused, ["DELETE /a/*", "POST /b"]);
    assert!(!found.has_no_allow);
    assert!(compare(&run, &AccessRules::default()).has_no_allow);
}

#[test]
fn a_request_whose_path_is_not_known_as_a_whole_is_neither_allowed_nor_rejected() {
    let run = ObservedRequests::of(&[("GET", "/...@h/q", 200), ("GET", "/a", 200)]);
    let mut denies = rails(false, &["GET /**"]);
    denies.deny.push(Rule::parse("GET /x:y@h/q").unwrap());
    for rails in [denies, rails(false, &["GET /x:y@h/q", "GET /a"])] {
        let found = compare(&run, &rails);
        let cut: Vec<_> = found.cut.iter().map(|one| &*one.path).collect();
        assert_eq!((cut, found.rejected), (vec!["/...@h/q"], Vec::new()));
    }
}

#[test]
fn an_upgraded_request_is_checked_as_an_upgrade() {
    let run = ObservedRequests::of(&[("GET", "/ws", 101)]);
    assert_eq!(
        compare(&run, &rails(false, &["GET /ws"])),
        Comparison::default()
    );
    assert_eq!(compare(&run, &rails(true, &["GET /ws"])).rejected.len(), 1);
}
