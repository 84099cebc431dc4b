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
fn what_the_rules_refuse_and_what_nobody_needed_is_told() {
    let rails = rails(false, &["GET /a/*", "DELETE /a/*", "POST /b"]);
    let run = Seen::of(&[
        ("GET", "/a/1", 200),
        ("HEAD", "/a/2", 200),
        ("PUT", "/%61/1", 200),
    ]);
    let found = compare(&run, &rails);
    let refused: Vec<_> = found.refused.iter().map(|one| &*one.path).collect();
    assert_eq!(refused, ["/%61/1"]);
    assert_eq!(found.unused, ["DELETE /a/*", "POST /b"]);
    assert!(!found.is_open);
    assert!(compare(&run, &AccessRules::default()).is_open);
}

#[test]
fn an_upgrade_is_judged_as_one() {
    let run = Seen::of(&[("GET", "/ws", 101)]);
    assert_eq!(
        compare(&run, &rails(false, &["GET /ws"])),
        Comparison::default()
    );
    assert_eq!(compare(&run, &rails(true, &["GET /ws"])).refused.len(), 1);
}
