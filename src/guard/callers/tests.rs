//! Identifying callers by key, by uid, by both, and by neither.

mod forwarded;

use super::super::tests::{OURS, request, someone};
use super::super::{Admitted, Guard};
use super::*;
use crate::problem::Reason;

/// The `guard` part of a configuration with these lines.
pub(in crate::guard) fn config(lines: &str) -> config::GuardConfig {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let enough = "upstream.url = \"https://api.example.com\"\n\
                  token = { url = \"https://as.example.com/t\", client_id = \"i\", client_secret = { file = \"s\" } }\n";
    std::fs::write(
        &file,
        format!("guard.local_users = \"any\"\n{enough}{lines}"),
    )
    .unwrap();
    let overrides = config::Overrides {
        file: Some(file),
        settings: Vec::new(),
        ..config::Overrides::default()
    };
    match config::load(&overrides, &config::Surroundings::default()) {
        Ok(loaded) => loaded.config.guard,
        Err(problems) => panic!("{problems}"),
    }
}

const CI: &str = "the-key-of-ci-0001";
const BACKUP: &str = "the-key-of-backup-01";
const BOTH: &str = "the-key-of-both-0001";

/// `ci` by key, `backup` by key and read-only, `alice` by uid, `both` by key and uid.
fn guard() -> Guard {
    let guard = Guard::new(&config(
        "[guard.callers]\n\
         alice = { uid = 1000, allow = [\"GET /alice/**\"] }\n\
         backup = { key = { file = \"b\" }, read_only = true }\n\
         both = { key = { file = \"d\" }, uid = 1001 }\n\
         ci = { key = { file = \"c\" } }\n",
    ));
    let callers = guard.callers().unwrap();
    for (index, key) in [(1, BACKUP), (2, BOTH), (3, CI)] {
        callers
            .set_keys(index, &[KeyDigest::of(key.as_bytes())])
            .unwrap();
    }
    guard
}

#[test]
fn a_caller_with_another_name_in_a_pending_configuration_is_rejected() {
    let with = |lines: &str, key: &str| {
        let guard = Guard::new(&config(lines));
        let callers = guard.callers().unwrap();
        callers
            .set_keys(0, &[KeyDigest::of(key.as_bytes())])
            .unwrap();
        guard
    };
    let ci = with("guard.callers.ci.key = { file = \"c\" }\n", CI);
    let renamed = with("guard.callers.cj.key = { file = \"c\" }\n", CI);
    let head = request("GET", "/", &[OURS, ("x-cupbearer-key", CI)]);
    let caller = |guard: &Guard| guard.check(&head, &someone()).map(Admitted::into_caller);
    assert_eq!(caller(&ci.and(&ci)).unwrap().unwrap().as_str(), "ci");
    let rejection = caller(&ci.and(&renamed)).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.caller),
        (Reason::CallerUnknown, None)
    );
    // A pending configuration without callers admits everyone, under their current names.
    let open = Guard::new(&config(""));
    assert_eq!(caller(&ci.and(&open)).unwrap().unwrap().as_str(), "ci");
    assert_eq!(caller(&open.and(&ci)).unwrap(), None);
}

/// `ci` by key, while `Authorization` is forwarded.
fn keeping_authorization() -> Guard {
    let guard = Guard::new(&config::GuardConfig {
        keeps_authorization: true,
        ..config("guard.callers.ci.key = { file = \"c\" }\n")
    });
    let key = KeyDigest::of(CI.as_bytes());
    guard.callers().unwrap().set_keys(0, &[key]).unwrap();
    guard
}

fn user(uid: u32) -> Peer {
    Peer {
        uid: Some(uid),
        ..someone()
    }
}

fn over_network(uid: Option<u32>) -> Peer {
    Peer {
        transport: Transport::Network,
        uid,
        ..someone()
    }
}

/// The caller's name, or the reason of the rejection.
fn who(
    guard: &Guard,
    method: &str,
    target: &str,
    fields: &[(&'static str, &str)],
    peer: &Peer,
) -> String {
    let fields = [&[OURS], fields].concat();
    match guard.check(&request(method, target, &fields), peer) {
        Ok(admitted) => admitted.into_caller().unwrap().as_str().to_owned(),
        Err(rejection) => rejection.reason.name().to_owned(),
    }
}

#[test]
fn a_key_identifies_its_caller_however_it_is_sent() {
    let guard = guard();
    let bearer = format!("Bearer {CI}");
    // x:the-key-of-ci-0001
    let basic = "Basic eDp0aGUta2V5LW9mLWNpLTAwMDE=";
    for fields in [
        &[("authorization", bearer.as_str())][..],
        &[("authorization", basic)],
        &[("x-cupbearer-key", CI)],
        &[
            ("x-cupbearer-key", CI),
            ("authorization", "Bearer the-tools-own"),
        ],
        &[("x-cupbearer-key", CI), ("authorization", &bearer)],
    ] {
        for peer in [someone(), user(1000), over_network(None)] {
            assert_eq!(who(&guard, "GET", "/", fields, &peer), "ci", "{fields:?}");
        }
    }
}

#[test]
fn a_request_with_no_key_a_wrong_one_or_several_is_rejected() {
    let guard = guard();
    let (ci, backup) = (format!("Bearer {CI}"), format!("Bearer {BACKUP}"));
    for fields in [
        &[][..],
        &[("authorization", "Bearer the-key-of-nobody-1")],
        &[("authorization", CI)],
        &[("authorization", "Bearer the-key-of-ci-000")],
        &[("authorization", "Bearer the-key-of-ci-00011")],
        &[("authorization", "Bearer THE-KEY-OF-CI-0001")],
        &[("authorization", "Bearer ")],
        &[("x-cupbearer-key", "")],
        &[("authorization", &ci), ("authorization", &ci)],
        &[("x-cupbearer-key", CI), ("x-cupbearer-key", CI)],
        &[("x-cupbearer-key", CI), ("authorization", &backup)],
        &[
            ("x-cupbearer-key", "the-key-of-nobody-1"),
            ("authorization", &ci),
        ],
    ] {
        assert_eq!(
            who(&guard, "GET", "/", fields, &someone()),
            "caller_unknown",
            "{fields:?}"
        );
    }
    let rejection = guard
        .check(&request("GET", "/", &[OURS]), &someone())
        .unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.caller),
        (Reason::CallerUnknown, None)
    );
}

#[test]
fn a_uid_counts_on_this_machine_but_never_over_a_network() {
    let guard = guard();
    assert_eq!(who(&guard, "GET", "/alice", &[], &user(1000)), "alice");
    let other_credentials = [("authorization", "Bearer the-tools-own")];
    assert_eq!(
        who(&guard, "GET", "/alice", &other_credentials, &user(1000)),
        "alice"
    );
    let unix = Peer {
        transport: Transport::Unix,
        ..user(1000)
    };
    assert_eq!(who(&guard, "GET", "/alice", &[], &unix), "alice");
    for peer in [user(1001), someone(), over_network(Some(1000))] {
        assert_eq!(
            who(&guard, "GET", "/alice", &[], &peer),
            "caller_unknown",
            "{peer:?}"
        );
    }
    let wrong = [("x-cupbearer-key", "the-key-of-nobody-1")];
    assert_eq!(
        who(&guard, "GET", "/alice", &wrong, &user(1000)),
        "caller_unknown"
    );
}

#[test]
fn with_key_and_uid_both_must_match_and_the_rejection_names_the_caller() {
    let guard = guard();
    let key = [("x-cupbearer-key", BOTH)];
    assert_eq!(who(&guard, "GET", "/", &key, &user(1001)), "both");
    for peer in [user(1000), someone(), over_network(Some(1001))] {
        assert_eq!(
            who(&guard, "GET", "/", &key, &peer),
            "caller_unknown",
            "{peer:?}"
        );
    }
    assert_eq!(who(&guard, "GET", "/", &[], &user(1001)), "caller_unknown");
    let rejection = guard
        .check(&request("GET", "/", &[OURS, key[0]]), &user(1000))
        .unwrap_err();
    assert_eq!(rejection.caller, Some(CallerName::new("both")));
}

#[test]
fn each_caller_has_its_own_rules_and_its_rejections_name_it() {
    let guard = guard();
    let key = [("x-cupbearer-key", BACKUP)];
    assert_eq!(who(&guard, "GET", "/x", &key, &someone()), "backup");
    assert_eq!(who(&guard, "POST", "/x", &key, &someone()), "rule_refused");
    assert_eq!(who(&guard, "GET", "/x", &[], &user(1000)), "rule_refused");
    let ci = [("x-cupbearer-key", CI)];
    assert_eq!(who(&guard, "POST", "/x/a%2fb;c", &ci, &someone()), "ci");
    let rejection = guard
        .check(&request("POST", "/x", &[OURS, key[0]]), &someone())
        .unwrap_err();
    assert_eq!(rejection.caller, Some(CallerName::new("backup")));
    assert!(
        rejection.detail.contains("guard.callers.backup.read_only"),
        "{}",
        rejection.detail
    );
}

#[test]
fn a_rejection_before_the_caller_is_identified_names_it_too() {
    let guard = guard();
    let caller = |guard: &Guard, method: &str, target: &str, fields: &[(&'static str, &str)]| {
        let rejection = guard.check(&request(method, target, fields), &someone());
        let rejection = rejection.unwrap_err();
        let name = rejection.caller.map(|name| name.as_str().to_owned());
        (rejection.reason.name(), name.unwrap_or_default())
    };
    let key = ("x-cupbearer-key", CI);
    for (method, target, field, reason) in [
        ("GET", "/", ("host", "evil.example"), "host_refused"),
        (
            "GET",
            "/",
            ("origin", "http://evil.example"),
            "origin_refused",
        ),
        (
            "GET",
            "/",
            ("sec-fetch-site", "cross-site"),
            "origin_refused",
        ),
        ("GET", "http://evil.example/", ("a", "b"), "target_refused"),
        ("TRACE", "/", ("a", "b"), "method_refused"),
        ("GET", "/", ("transfer-encoding", "x"), "bad_request"),
    ] {
        let host = if field.0 == "host" { field } else { OURS };
        let fields = [host, field, key];
        let fields = if field.0 == "host" {
            &fields[1..]
        } else {
            &fields[..]
        };
        let named = caller(&guard, method, target, fields);
        assert_eq!(named, (reason, "ci".to_owned()));
        let unknown = [
            &fields[..fields.len() - 1],
            &[("x-cupbearer-key", "unknown")],
        ]
        .concat();
        let named = caller(&guard, method, target, &unknown);
        assert_eq!(named, (reason, String::new()));
    }
    let renamed = Guard::new(&config("guard.callers.cj.key = { file = \"c\" }\n"));
    let keys = [KeyDigest::of(CI.as_bytes())];
    renamed.callers().unwrap().set_keys(0, &keys).unwrap();
    let evil = [OURS, ("origin", "http://evil.example"), key];
    assert_eq!(
        caller(&guard.and(&renamed), "GET", "/", &evil),
        ("origin_refused", String::new())
    );
}

#[test]
fn the_rules_for_everyone_apply_to_callers_too() {
    let guard = Guard::new(&config(
        "guard.deny = [\"* /admin/**\"]\n[guard.callers.alice]\nuid = 1000\nallow = [\"* /**\"]\n",
    ));
    assert_eq!(who(&guard, "GET", "/x", &[], &user(1000)), "alice");
    assert_eq!(
        who(&guard, "GET", "/admin/x", &[], &user(1000)),
        "rule_refused"
    );
}

#[test]
fn a_replaced_key_stops_working_at_once_and_those_of_others_keep_working() {
    let guard = guard();
    let callers = guard.callers().unwrap();
    let clone = guard.clone();
    callers
        .set_keys(
            3,
            &[b"one-more-key-0001", b"one-more-key-0002"].map(|key| KeyDigest::of(key)),
        )
        .unwrap();
    for (key, expected) in [
        (CI, "caller_unknown"),
        ("one-more-key-0001", "ci"),
        ("one-more-key-0002", "ci"),
        (BACKUP, "backup"),
    ] {
        assert_eq!(
            who(&clone, "GET", "/", &[("x-cupbearer-key", key)], &someone()),
            expected,
            "{key}"
        );
    }
    let taken = callers.set_keys(1, &[KeyDigest::of(b"one-more-key-0002")]);
    assert_eq!(taken, Err(SharedKey(CallerName::new("ci"))));
    assert_eq!(
        who(
            &clone,
            "GET",
            "/",
            &[("x-cupbearer-key", BACKUP)],
            &someone()
        ),
        "backup"
    );
}

#[test]
fn a_source_that_is_read_late_leaves_its_caller_the_keys_of_before() {
    let live = guard();
    let next = Guard::new(&config(
        "[guard.callers]\n\
         both = { key = { file = \"elsewhere\" } }\n\
         ci = { key = { file = \"c\" }, read_only = true }\n\
         other = { key = { file = \"b\" } }\n",
    ));
    next.take_over_keys(&live);
    let callers = next.callers().unwrap();
    let knows = |key: &str| callers.owner(KeyDigest::of(key.as_bytes())).is_some();
    assert!(knows(CI), "it has the same name and file");
    assert!(
        knows(BOTH),
        "its file is another one that has not been read"
    );
    assert!(!knows(BACKUP), "the caller of this file has another name");

    // The key has moved to another caller, whose file is read first.
    let ci = [KeyDigest::of(CI.as_bytes())];
    callers.set_keys(2, &ci).unwrap();
    assert_eq!(callers.owner(ci[0]).unwrap().name.as_str(), "other");
    callers.set_keys(1, &[]).unwrap();
    next.take_over_keys(&live);
    assert_eq!(callers.owner(ci[0]).unwrap().name.as_str(), "other");
    callers.set_keys(2, &[]).unwrap();
    next.take_over_keys(&live);
    assert!(!knows(CI), "its own source has been read, and has no key");
}

#[test]
fn a_rejection_says_whether_the_key_is_missing_or_wrong() {
    let (reading, forwarding) = (guard(), keeping_authorization());
    let (missing, missing_own, wrong) = (
        "send a key as Authorization: Bearer",
        "send a key as X-Cupbearer-Key.",
        "does not belong to any of guard.callers",
    );
    let theirs = ("authorization", "Bearer the-key-of-nobody-1");
    for (guard, fields, expected) in [
        (&reading, &[OURS][..], missing),
        (&reading, &[OURS, theirs], wrong),
        (&forwarding, &[OURS], missing_own),
        (&forwarding, &[OURS, theirs], missing_own),
    ] {
        let rejection = guard.check(&request("GET", "/", fields), &someone());
        let detail = rejection.unwrap_err().detail;
        assert!(detail.contains(expected), "{fields:?}: {detail}");
    }
}
