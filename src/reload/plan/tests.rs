use super::*;
use crate::config::keys::{CALLER_KEYS, KEYS};

#[test]
fn every_key_has_an_effect() {
    for key in KEYS.iter().chain(&CALLER_KEYS) {
        assert!(effect(key.path).is_some(), "{}", key.path);
    }
    assert_eq!(effect("no.key"), None);
}

#[test]
fn only_these_keys_need_a_restart() {
    let all: Vec<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(
        need_restart(&all, false),
        [
            "name",
            "listen",
            "listen_mode",
            "admin.listen",
            "log.format",
            "runtime.threads"
        ]
    );
}

#[test]
fn tls_waits_for_the_restart_that_moves_the_listener() {
    let keys = [
        "guard.deny",
        "listen",
        "tls.cert_file",
        "tls.client_ca_file",
    ]
    .map(str::to_owned);
    assert_eq!(need_restart(&keys, false), keys[1..2]);
    assert_eq!(need_restart(&keys, true), keys[1..]);
}

#[test]
fn the_plan_follows_from_the_changed_keys() {
    let plan_of = |keys: &[&str], has_source| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let plan = ReloadPlan::of(&keys, has_source);
        (
            plan.identity(),
            plan.guard(),
            plan.generation(),
            plan.process(),
        )
    };
    let plan = |keys: &[&str]| plan_of(keys, false);
    assert_eq!(plan(&["upstream.url"]), (false, false, true, false));
    assert_eq!(plan_of(&["upstream.url"], true), (true, false, true, false));
    assert_eq!(plan(&[]), (false, false, false, false));
    assert_eq!(plan(&["listen"]), (false, false, false, false));
    assert_eq!(plan(&["drain"]), (false, false, false, true));
    assert_eq!(plan(&["upstream.via"]), (false, false, true, false));
    assert_eq!(plan(&["limits.in_flight"]), (false, false, true, false));
    assert_eq!(
        plan(&["guard.callers.ci", "listen"]),
        (false, true, true, false)
    );
    assert_eq!(
        plan(&["token.scope", "guard.deny"]),
        (true, true, true, false)
    );
    assert_eq!(plan(&["network.ca_file"]), (true, false, true, false));
}
