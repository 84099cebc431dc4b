use super::*;

#[test]
fn an_unrelated_instance_differs_in_name_api_or_address_and_has_no_pending_change() {
    let status = |has_pending_change: bool| {
        format!(
            r#"{{"pid": 7, "proxies": [{{"name": "one", "upstream": "http://a", "listens_on": ["http://127.0.0.1:6749"],
                "has_pending_change": {has_pending_change}}}]}}"#
        )
    };
    let own = |name: &str, upstream: &str, listen: Option<Listen>| ProxyFingerprint {
        name: (!name.is_empty()).then(|| name.to_owned()),
        upstream: (!upstream.is_empty()).then(|| upstream.to_owned()),
        listen,
        ..ProxyFingerprint::default()
    };
    for (own, is_unrelated) in [
        (own("", "", None), false),
        (own("one", "http://a", Some(Listen::Localhost(6749))), false),
        (own("", "", Some(Listen::Localhost(0))), false),
        (own("two", "", None), true),
        (own("", "http://b", None), true),
        (own("", "", Some(Listen::Localhost(6740))), true),
        (own("one", "http://b", None), true),
    ] {
        let expected = is_unrelated.then(|| "http://a".to_owned());
        let own = [own];
        assert_eq!(
            upstream_if_unrelated(&status(false), &own),
            expected,
            "{own:?}"
        );
        assert_eq!(upstream_if_unrelated(&status(true), &own), None);
    }
    let nothing_in_common = own("two", "http://b", Some(Listen::Localhost(6740)));
    assert!(upstream_if_unrelated(&status(true), &[nothing_in_common]).is_some());
    let everything = own("two", "http://b", Some(Listen::Localhost(6740)));
    let field = format!("\"pending_fingerprint\": \"{}\", ", everything.digest());
    let waiting = status(true).replace("\"has_pending", &(field + "\"has_pending"));
    assert!(waiting.contains("pending_fingerprint"));
    assert_eq!(upstream_if_unrelated(&waiting, &[everything]), None);
    // It says which change it has read: it is no other proxy, although the name is the same.
    let same_name = own("one", "http://b", Some(Listen::Localhost(6740)));
    assert!(upstream_if_unrelated(&waiting, &[same_name]).is_some());
    assert_eq!(
        upstream_if_unrelated(&waiting, &[own("one", "http://a", None)]),
        None
    );
    let unreadable = [ProxyFingerprint {
        is_unreadable: true,
        ..ProxyFingerprint::default()
    }];
    assert!(upstream_if_unrelated(&status(false), &unreadable).is_some());
    assert_eq!(upstream_if_unrelated(&status(true), &unreadable), None);
    // An older version sends no such field.
    let older = status(false).replace("has_pending_change", "unknown");
    assert!(upstream_if_unrelated(&older, &[own("one", "http://a", None)]).is_none());
    assert!(upstream_if_unrelated(&older, &[own("two", "", None)]).is_some());
    assert_eq!(
        upstream_if_unrelated("<html>", &[own("two", "", None)]),
        None
    );
}

#[test]
fn a_proxy_is_that_of_an_invalid_configuration_only_if_it_has_read_and_rejected_it() {
    let invalid = ProxyFingerprint {
        is_invalid: true,
        name: Some("one".to_owned()),
        ..ProxyFingerprint::default()
    };
    let status = |pending: &str| {
        format!(r#"{{"pid": 7, "proxies": [{{"name": "one", "upstream": "http://a"{pending}}}]}}"#)
    };
    let rejected = format!(
        r#", "has_pending_change": true, "pending_fingerprint": "{}""#,
        invalid.digest()
    );
    for (pending, is_unrelated) in [
        ("", true),
        (r#", "has_pending_change": true"#, true),
        (
            r#", "has_pending_change": true, "pending_fingerprint": "other""#,
            true,
        ),
        (rejected.as_str(), false),
    ] {
        let found = upstream_if_unrelated(&status(pending), std::slice::from_ref(&invalid));
        assert_eq!(found.is_some(), is_unrelated, "{pending}");
    }
}

#[test]
fn an_instance_with_the_same_name_and_api_at_this_address_is_the_same() {
    let configured = ConfiguredProxy::without_admin();
    let address = "127.0.0.1:6749".parse().unwrap();
    let status = |name: &str, upstream: &str, at: &str| {
        format!(
            r#"{{"proxies": [{{"name": "{name}", "upstream": "{upstream}", "listens_on": ["http://[::1]:1", "http://{at}"]}}]}}"#
        )
    };
    let (ours, theirs) = ("https://api.example.com", "https://other.example.com");
    for (text, expected) in [
        (
            status("cupbearer", ours, "127.0.0.1:6749"),
            Some(InstanceMatch::Same),
        ),
        (
            status("cupbearer", theirs, "127.0.0.1:6749"),
            Some(InstanceMatch::Different(format!(
                "which forwards to {theirs}"
            ))),
        ),
        (
            status("prod", ours, "127.0.0.1:6749"),
            Some(InstanceMatch::Different(format!(
                "which forwards to {ours}"
            ))),
        ),
        (status("cupbearer", ours, "127.0.0.1:6740"), None),
        ("7".to_owned(), None),
    ] {
        let status = serde_json::from_str(&text).ok();
        let instance = status.and_then(|status| configured.compare(&status, address));
        assert_eq!(instance, expected, "{text}");
    }
}

#[test]
fn an_instance_with_another_fingerprint_is_another_one_unless_it_cannot_be_compared() {
    let configured = ConfiguredProxy::without_admin();
    let address = "127.0.0.1:6749".parse().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for (version, fingerprint, has_pending_change, is_same) in [
        (version, "f00d", false, true),
        (version, "beef", false, false),
        (version, "beef", true, false),
        (version, "f00d", true, true),
        (version, "", false, true),
        ("0.0.0", "beef", false, true),
    ] {
        let text = format!(
            r#"{{"version": "{version}", "proxies": [{{"name": "cupbearer", "upstream": "https://api.example.com",
                "fingerprint": "{fingerprint}", "has_pending_change": {has_pending_change},
                "listens_on": ["http://127.0.0.1:6749"]}}]}}"#
        );
        let status = serde_json::from_str(&text).unwrap();
        let found = configured.compare(&status, address);
        assert_eq!(
            found == Some(InstanceMatch::Same),
            is_same,
            "{text}: {found:?}"
        );
    }
}
