use http::{HeaderMap, StatusCode};

use super::*;
use crate::doctor::finding::Outcome;

fn response(proxy_status: &str, body: &str) -> ProbeResponse {
    let mut headers = HeaderMap::new();
    headers.insert("proxy-status", proxy_status.parse().unwrap());
    ProbeResponse {
        status: StatusCode::LOOP_DETECTED,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn only_a_response_with_the_proxy_status_of_a_cupbearer_and_a_reason_is_one() {
    let body = r#"{"reason":"loop","detail":"upstream.url leads back."}"#;
    let ours = "cupbearer; error=proxy_loop_detected; details=\"loop\"";
    assert!(CupbearerResponse::in_response(&response(ours, body)).is_some());
    for (proxy_status, body) in [
        ("squid; error=proxy_loop_detected", body),
        (ours, "<html>"),
        (ours, r#"{"detail":"no reason"}"#),
    ] {
        let found = CupbearerResponse::in_response(&response(proxy_status, body));
        assert_eq!(found, None, "{proxy_status} {body}");
    }
}

#[test]
fn the_reason_decides_who_has_to_do_what() {
    let finding = |reason: &str| {
        let said = CupbearerResponse {
            reason: reason.to_owned(),
            detail: "Why.".to_owned(),
        };
        said.explain("GET / answered 500", "upstream.url")
    };
    for (reason, kind, words) in [
        ("loop", FailureKind::Other, "the address of the API itself"),
        (
            "caller_unknown",
            FailureKind::Other,
            "guard.callers.NAME.uid",
        ),
        (
            "token_refused",
            FailureKind::Unreachable,
            "cupbearer doctor",
        ),
        ("upstream_dns", FailureKind::Unreachable, "cupbearer doctor"),
        ("host_refused", FailureKind::Other, "its explanation"),
        (
            "a_reason_of_tomorrow",
            FailureKind::Other,
            "its explanation",
        ),
    ] {
        let finding = finding(reason);
        assert_eq!(finding.outcome, Outcome::Failed(kind), "{reason}");
        assert!(finding.message.contains(reason) && finding.message.contains("Why."));
        let last = finding.remedies.last().unwrap();
        assert!(last.action.contains(words), "{reason}: {}", last.action);
        assert!(
            finding.remedies[0].action.contains("upstream.url"),
            "{reason}"
        );
    }
}
