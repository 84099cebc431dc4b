use super::*;

#[test]
fn a_stranger_has_another_name_api_or_address_and_announces_no_change() {
    let status = |notes: &str| {
        format!(
            r#"{{"pid": 7, "proxies": [{{"name": "one", "upstream": "http://a", "listens_on": ["http://127.0.0.1:6749"],
                "notes": [{notes}]}}]}}"#
        )
    };
    let own = |name: &str, upstream: &str, listen: Option<Listen>| ProxyFingerprint {
        name: (!name.is_empty()).then(|| name.to_owned()),
        upstream: (!upstream.is_empty()).then(|| upstream.to_owned()),
        listen,
        ..ProxyFingerprint::default()
    };
    for (own, is_stranger) in [
        (own("", "", None), false),
        (own("one", "http://a", Some(Listen::Localhost(6749))), false),
        (own("", "", Some(Listen::Localhost(0))), false),
        (own("two", "", None), true),
        (own("", "http://b", None), true),
        (own("", "", Some(Listen::Localhost(6740))), true),
    ] {
        let expected = is_stranger.then(|| "http://a".to_owned());
        let own = [own];
        assert_eq!(stranger(&status(""), &own), expected, "{own:?}");
        let restart = r#""changed in the configuration, and needs a restart: name""#;
        assert_eq!(stranger(&status(restart), &own), None);
    }
    assert_eq!(stranger("<html>", &[own("two", "", None)]), None);
}

#[test]
fn the_same_name_and_api_at_this_address_are_us() {
    let wanted = Wanted::unasked();
    let address = "127.0.0.1:6749".parse().unwrap();
    let status = |name: &str, upstream: &str, at: &str| {
        format!(
            r#"{{"proxies": [{{"name": "{name}", "upstream": "{upstream}", "listens_on": ["http://[::1]:1", "http://{at}"]}}]}}"#
        )
    };
    let (ours, theirs) = ("https://api.example.com", "https://other.example.com");
    for (text, expected) in [
        (status("cupbearer", ours, "127.0.0.1:6749"), Some(Runs::Us)),
        (
            status("cupbearer", theirs, "127.0.0.1:6749"),
            Some(Runs::Another(theirs.to_owned())),
        ),
        (
            status("prod", ours, "127.0.0.1:6749"),
            Some(Runs::Another(ours.to_owned())),
        ),
        (status("cupbearer", ours, "127.0.0.1:6740"), None),
        ("7".to_owned(), None),
    ] {
        let status = serde_json::from_str(&text).ok();
        let runs = status.and_then(|status| wanted.judge(&status, address));
        assert_eq!(runs, expected, "{text}");
    }
}
