use super::*;

#[test]
fn control_characters_of_a_request_do_not_reach_the_terminal() {
    let text = serde_json::json!({
        "version": "1", "summary": "ready", "proxies": [{
            "name": "cupbearer", "listens_on": [], "upstream": "x", "uptime_s": 1,
            "token": {
                "from": "x", "state": "fresh", "usable_for_s": 1, "next_attempt_in_s": 1,
                "last_error": "\u{1b}[2J",
            },
            "requests_in_flight": 0, "client_connections": 0, "upstream_connections": 0, "notes": [],
            "recent": [{ "ago_s": 1, "method": "GET", "path": "/a\u{9b}2J\u{202e}x", "ms": 1.0 }],
        }],
    });
    let shown = for_people(&serde_json::from_value(text).unwrap());
    assert!(shown.contains("GET     /a?2J?x"), "{shown}");
    assert!(shown.contains("last error   ?[2J\n"), "{shown}");
    assert_eq!(
        escape_json("{\"a\":\r\n\t\"\u{9b}2J\u{202e}\u{e0001}ä\"}"),
        "{\"a\": \n \"\\u009b2J\\u202e\\udb40\\udc01ä\"}"
    );
}

#[test]
fn a_missing_token_is_not_called_valid_and_nouns_are_singular_for_one() {
    let text = |state: &str, usable: u64| {
        let json = format!(
            r#"{{"version": "1", "summary": "s", "proxies": [{{"name": "n", "listens_on": [], "upstream": "u",
                "uptime_s": 61, "requests_in_flight": 0, "client_connections": 2, "upstream_connections": 1,
                "notes": [], "recent": [], "token": {{"from": "f", "state": "{state}", "usable_for_s": {usable},
                "next_attempt_in_s": 1, "last_error": null}}}}]}}"#
        );
        for_people(&serde_json::from_str(&json).unwrap())
    };
    let starting = text("starting", 0);
    assert!(
        starting.contains("  token        starting, none yet, next"),
        "{starting}"
    );
    assert!(
        starting.contains(
            "  now          0 requests in flight, 2 connections from clients, 1 connection to"
        ),
        "{starting}"
    );
    assert!(text("expired", 0).contains("expired, no longer valid, next"));
    assert!(text("fresh", 29).contains("fresh, valid for 29s, next"));
}
