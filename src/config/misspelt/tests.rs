use proptest::prelude::*;

use super::*;
use crate::config::keys::CALLER_KEYS;
use crate::config::keys::caller_path;

fn meant(name: &str) -> Option<Meant> {
    meant_for_guard(name, &guarding(&["ci"]))
}

/// The variables of all keys of the guard, with a caller that is configured and one that is not.
fn all_of_guard() -> Vec<String> {
    let keys = KEYS.iter().filter(|key| key.path.starts_with("guard."));
    let callers = ["ci", "other"].map(|caller| {
        let paths = CALLER_KEYS.iter();
        paths.map(move |key| variable(&caller_path(caller, key.path)))
    });
    let keys = keys.map(|key| variable(key.path));
    keys.chain(callers.into_iter().flatten()).collect()
}

fn without(name: &str, at: usize) -> String {
    format!("{}{}", &name[..at], &name[at + 1..])
}

fn exchanged(name: &str, at: usize) -> String {
    let (before, after) = name.split_at(at);
    let mut letters = after.chars();
    let (one, other) = (letters.next().unwrap(), letters.next().unwrap());
    format!("{before}{other}{one}{}", letters.as_str())
}

#[test]
fn every_key_of_the_guard_is_recognized_in_each_misspelling() {
    for right in all_of_guard() {
        let rest = right.strip_prefix("CUPBEARER_GUARD__").unwrap();
        let mut wrong = vec![
            right.replace("__", "_"),
            right.replacen('_', "__", 1),
            right.replace('_', ""),
            right.replace("__", "___"),
            right.replace('_', "-"),
            right.replace("__", "."),
            right.to_ascii_lowercase(),
            format!("CUPBEARER_GAURD_{}", rest.replace("__", "_")),
            format!("CUPBEARER_GAURD__{rest}"),
            format!("CUPBEARER_GARD__{rest}"),
            format!("CUPBEARER_GUARDS__{rest}"),
            format!("CUPBEARER__GAURD__{rest}"),
        ];
        wrong.extend((10..right.len()).map(|at| without(&right, at)));
        wrong.extend((10..right.len() - 1).map(|at| exchanged(&right, at)));
        if !right.contains("CALLERS__OTHER") {
            wrong.extend((0..10).map(|at| without(&right, at)));
            wrong.extend((0..9).map(|at| exchanged(&right, at)));
        }
        for name in wrong.into_iter().filter(|name| *name != right) {
            assert!(meant(&name).is_some(), "{name} of {right}");
        }
    }
}

#[test]
fn a_key_that_only_the_guard_has_is_recognized_in_another_table_and_in_none() {
    let only: Vec<String> = only_in_guard().collect();
    let expected = [
        "ALLOW",
        "DENY",
        "HOSTS",
        "LOCAL_USERS",
        "ORIGINS",
        "READ_ONLY",
        "SHARE_LOGIN",
    ];
    let mut sorted = only.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    for key in only {
        let right = format!("CUPBEARER_GUARD__{key}");
        for name in [
            format!("CUPBEARER_{key}"),
            format!("CUPBEARER__{key}"),
            format!("CUPBEARER_{}", key.replace('_', "")),
            format!("CUPBEARER_UPSTREAM__{key}"),
            format!("CUPBEARER_RULES__{key}"),
            format!("cupbearer_{}", key.to_ascii_lowercase()),
        ] {
            assert_eq!(meant(&name), Some(Meant::Variable(right.clone())), "{name}");
        }
    }
    for (name, right) in [
        ("CUPBEARER_API_READ_ONLY", "CUPBEARER_GUARD__READ_ONLY"),
        ("CUPBEARER_UPSTREAM_ALLOW", "CUPBEARER_GUARD__ALLOW"),
        (
            "CUPBEARER_TLS_REQUIRE_CLIENT",
            "CUPBEARER_TLS__REQUIRE_CLIENT",
        ),
        (
            "CUPBEARER_TLS__REQUIER_CLIENT",
            "CUPBEARER_TLS__REQUIRE_CLIENT",
        ),
        ("CUPBEARR_GUARD__READ_ONLY", "CUPBEARER_GUARD__READ_ONLY"),
        ("CUPBEARERGUARD_READ_ONLY", "CUPBEARER_GUARD__READ_ONLY"),
    ] {
        assert_eq!(
            meant(name),
            Some(Meant::Variable(right.to_owned())),
            "{name}"
        );
    }
    for name in [
        "CUPBEARER_CALLERS__CI__UID",
        "CUPBEARER__CALLERS_CI_READ_ONLY",
    ] {
        assert_eq!(meant(name), Some(Meant::Caller), "{name}");
    }
}

#[test]
fn what_others_set_is_not_taken_for_a_key_of_the_guard() {
    for name in [
        "CUPBEARER_PORT",
        "CUPBEARER_PORT_6749_TCP",
        "CUPBEARER_PORT_6749_TCP_ADDR",
        "CUPBEARER_PORT_6749_TCP_PORT",
        "CUPBEARER_PORT_6749_TCP_PROTO",
        "CUPBEARER_PORT_53_UDP_ADDR",
        "CUPBEARER_SERVICE_HOST",
        "CUPBEARER_SERVICE_PORT",
        "CUPBEARER_SERVICE_PORT_READ_ONLY",
        "CUPBEARER_GUARD_PORT_80_TCP",
        "CUPBEARER_GUARD_SERVICE_HOST",
        "CUPBEARER_READ_ONLY_SERVICE_HOST",
        "CUPBEARER_READ_ONLY_PORT",
        "CUPBEARER_EGRESS_PORT_6749_TCP_ADDR",
    ] {
        assert!(is_of_service(name), "{name}");
        assert_eq!(meant(name), None, "{name}");
    }
    for name in [
        "CUPBEARER_KEY",
        "CUPBEARER_UID",
        "CUPBEARER_BIN",
        "CUPBEARER_HOST",
        "CUPBEARER_NETWORK",
        "CUPBEARER_CALLER_KEY",
        "CUPBEARER_TLS_CERT",
        "CUPBEARER_BOARD_URL",
        "CUPBEARER_UPSTREAM_URL",
        "CUPBEARER_DB_HOSTS",
        "CUPBEARER_ALLOW_LIST_URL",
        "PATH",
        "READ_ONLY",
        "GUARD__READ_ONLY",
        "KUBERNETES_SERVICE_HOST",
    ] {
        assert!(
            !is_of_service(name) || name.starts_with("KUBERNETES"),
            "{name}"
        );
        assert_eq!(meant(name), None, "{name}");
    }
}

proptest! {
    #[test]
    fn no_variable_of_a_kubernetes_service_is_taken_for_a_key(
        service in "(_[A-Z][A-Z0-9]{0,8}){0,3}|_GUARD|_READ_ONLY|_GUARD_DENY",
        what in "_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9]{1,8}){0,2}|_PORT(_[1-9][0-9]{0,4}_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?",
    ) {
        let name = format!("CUPBEARER{service}{what}");
        prop_assert!(is_of_service(&name), "{name}");
        prop_assert_eq!(meant(&name), None);
    }
}
