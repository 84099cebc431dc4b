use http::Method;
use tokio::time::Instant;

use super::*;
use crate::metrics::{FinishedRequest, Metrics, RequestDetails};

fn described(
    method: &Method,
    path: &str,
    status: u16,
    reason: Option<(&'static str, &str)>,
) -> RecentRequest {
    let metrics = Metrics::new(None);
    metrics.request_finished(&FinishedRequest {
        method,
        path,
        status: Some(status),
        reason: reason.map(|(name, _)| name),
        caller: None,
        request_id: "x",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
        details: RequestDetails {
            error: reason.map(|(_, error)| error),
            ..RequestDetails::default()
        },
    });
    recent_request(&metrics.recent()[0], 1)
}

#[test]
fn the_path_of_a_recent_request_is_plain_ascii() {
    let recent = described(&Method::GET, "/a\u{9b}2J\u{202e}x", 200, None);
    assert_eq!(recent.path, "/a%C2%9B2J%E2%80%AEx");
    assert!(recent.path_is_cut, "it is not what was sent");
    assert!(!described(&Method::GET, "/a%C2", 200, None).path_is_cut);
}

#[test]
fn a_rejected_request_says_why_whose_side_it_is_and_what_to_do() {
    let error = "rejected: Host \"evil\u{202e}\" does not name this proxy.";
    let recent = described(&Method::GET, "/", 403, Some(("host_refused", error)));
    assert_eq!(
        recent.error.as_deref(),
        Some("Host \"evil?\" does not name this proxy.")
    );
    assert_eq!(recent.responsible.as_deref(), Some("the caller"));
    assert!(recent.remedy.unwrap().contains("add it to `guard.hosts`"));
    assert_eq!(recent.answered_by, "cupbearer");
}

#[test]
fn reasons_with_the_same_name_are_told_apart_by_their_status() {
    assert_eq!(
        reason_of("too_large", Some(431)),
        Some(Reason::HeadTooLarge)
    );
    assert_eq!(
        reason_of("too_large", Some(414)),
        Some(Reason::TargetTooLong)
    );
    assert_eq!(reason_of("too_large", None), Some(Reason::TargetTooLong));
    assert_eq!(reason_of("no_such_reason", None), None);
}

#[test]
fn the_rule_that_would_admit_a_request_is_offered_only_if_it_admits_nothing_else() {
    let rule = |method: &Method, path: &str, error: &str| {
        let recent = described(method, path, 403, Some(("rule_refused", error)));
        recent.rule_key.zip(recent.rule)
    };
    let unmatched = "rejected: \"x\" matches no rule of guard.callers.ci.allow.";
    let offered = |text: &str| Some(("guard.callers.ci.allow".to_owned(), text.to_owned()));
    assert_eq!(
        rule(&Method::POST, "/a/b", unmatched),
        offered("\"POST /a/b\"")
    );
    assert_eq!(rule(&Method::HEAD, "/a", unmatched), offered("\"GET /a\""));
    assert_eq!(
        rule(&Method::GET, "/%C3%A9", unmatched),
        offered("\"GET /\u{e9}\"")
    );
    assert_eq!(
        rule(&Method::GET, "/a%20b", unmatched),
        offered("\"GET /a b\"")
    );
    for path in [
        "/a*b",
        "/*",
        "/%2A",
        "/a//b",
        "/a%E2%80%AEb",
        "/a%3Fb",
        "/...@host/b", // what is recorded of /user:password@host/b
    ] {
        assert_eq!(rule(&Method::GET, path, unmatched), None, "{path}");
    }
    let any = Method::from_bytes(b"*").unwrap();
    assert_eq!(rule(&any, "/a", unmatched), None);
    let long = format!("/{}", "a".repeat(200));
    assert_eq!(rule(&Method::GET, &long, unmatched), None);
    let denied = "rejected: GET /a matches a rule of guard.deny.";
    assert_eq!(rule(&Method::GET, "/a", denied), None);
}
