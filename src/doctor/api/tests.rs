//! What each kind of answer is taken for.

use http::HeaderMap;

use super::*;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::config;

fn answer(status: u16, kind: &str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", kind.parse().unwrap());
    headers.insert("server", "nginx".parse().unwrap());
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.as_bytes().to_vec(),
    }
}

fn judged(answer: &Answer, is_closed: Option<bool>, known: Known) -> Finding {
    let config = config(&[]);
    judge(&Scene::of(&config, None), answer, is_closed, known)
}

fn json(status: u16, detail: &str) -> Finding {
    let body = serde_json::json!({ "detail": detail }).to_string();
    judged(
        &answer(status, "application/json", &body),
        None,
        Known::default(),
    )
}

fn page(is_closed: Option<bool>, is_between: bool) -> Finding {
    let known = Known {
        is_between,
        ..Known::default()
    };
    judged(
        &answer(403, "text/html", "<h1>403 Forbidden</h1>"),
        is_closed,
        known,
    )
}

fn steps(finding: &Finding) -> Vec<Option<u8>> {
    finding
        .ways
        .iter()
        .map(|way| way.step.map(Step::number))
        .collect()
}

#[test]
fn a_403_of_a_role_of_a_list_and_of_a_firewall_are_three_things() {
    let role = json(403, "Access token is missing required scopes.");
    assert_eq!(steps(&role), [Some(2)]);
    assert!(role.said.contains("missing required scopes"));

    let list = page(Some(true), false);
    assert_eq!(steps(&list), [None]);
    assert!(list.ways[0].remedy.contains("IP allow list"), "{list:?}");

    let firewall = page(Some(false), false);
    assert_eq!(steps(&firewall), [None]);
    assert!(firewall.ways[0].remedy.contains("WAF"), "{firewall:?}");

    assert_eq!(page(None, false).ways.len(), 2, "unknown: either");
    assert_eq!(
        page(Some(true), true).ways.len(),
        2,
        "a proxy on the way may be it as well"
    );
    for finding in [role, list, firewall] {
        assert_eq!(finding.outcome, Outcome::Failed(Blame::Other));
    }
}

#[test]
fn a_token_that_never_arrived_is_not_a_missing_role() {
    let finding = json(403, "Not authenticated");
    assert_eq!(steps(&finding), [None]);
    assert!(finding.ways[0].remedy.contains("removes Authorization"));
}

#[test]
fn a_good_token_refused_points_at_the_precondition_and_at_a_missing_role_only_where_it_is_missing()
{
    let finding = json(401, "Could not validate credentials");
    assert_eq!(finding.outcome, Outcome::Failed(Blame::Other));
    assert_eq!(steps(&finding), [Some(0), None]);

    let known = Known {
        has_no_roles: true,
        ..Known::default()
    };
    let body = answer(401, "application/json", "{\"detail\":\"x\"}");
    assert_eq!(steps(&judged(&body, None, known)), [Some(0), None, Some(2)]);
}

#[test]
fn every_other_answer_says_whether_the_token_got_through() {
    for (status, kind, outcome) in [
        (200, "application/json", Outcome::Ok),
        (200, "text/html", Outcome::Note),
        (302, "text/html", Outcome::Note),
        (404, "application/json", Outcome::Note),
        (406, "text/html", Outcome::Note),
        (429, "application/json", Outcome::Note),
        (500, "application/json", Outcome::Failed(Blame::Unreachable)),
        (503, "text/html", Outcome::Failed(Blame::Unreachable)),
    ] {
        let finding = judged(&answer(status, kind, "[]"), None, Known::default());
        assert_eq!(finding.outcome, outcome, "{status}: {}", finding.said);
    }
}

#[test]
fn the_siblings_want_their_fixed_header() {
    let siblings = "https://pingaccess-admin-api.dev-x.us1.ping.cloud";
    let fine = answer(200, "application/json", "{}");
    let bare = config(&[("upstream.url", siblings)]);
    let finding = judge(&Scene::of(&bare, None), &fine, None, Known::default());
    assert!(
        finding.ways[0]
            .remedy
            .contains("X-XSRF-Header = \"PingAccess\"")
    );

    let header = ("upstream.headers", "{ X-XSRF-Header = \"PingAccess\" }");
    let full = config(&[("upstream.url", siblings), header]);
    let finding = judge(&Scene::of(&full, None), &fine, None, Known::default());
    assert_eq!(finding.outcome, Outcome::Ok);
}

#[test]
fn an_api_of_somebody_else_is_judged_without_steps() {
    let other = config(&[("upstream.url", "https://api.example.com")]);
    let scene = Scene::of(&other, None);
    assert_eq!(scene.path, "/");
    for status in [401, 403] {
        let refused = answer(status, "application/json", "{\"message\":\"no\"}");
        let finding = judge(&scene, &refused, None, Known::default());
        assert!(steps(&finding).iter().all(Option::is_none), "{finding:?}");
    }
    let nothing_there = answer(404, "text/html", "<p>");
    let finding = judge(&scene, &nothing_there, None, Known::default());
    assert_eq!(finding.outcome, Outcome::Ok, "/ need not exist");
}
