//! How each kind of response is explained.

use http::HeaderMap;

use super::*;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::config;
use crate::vendor::SetupStep;

fn response(status: u16, kind: &str, body: &str) -> ProbeResponse {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", kind.parse().unwrap());
    headers.insert("server", "nginx".parse().unwrap());
    ProbeResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.as_bytes().to_vec(),
    }
}

fn explained(answer: &ProbeResponse, public_path: PublicPath, earlier: EarlierFindings) -> Finding {
    let config = config(&[]);
    explain(
        &DoctorContext::new(&config, None),
        answer,
        public_path,
        earlier,
    )
}

fn json(status: u16, detail: &str) -> Finding {
    let body = serde_json::json!({ "detail": detail }).to_string();
    explained(
        &response(status, "application/json", &body),
        PublicPath::Unknown,
        EarlierFindings::default(),
    )
}

fn page(public_path: PublicPath, is_intercepted: bool) -> Finding {
    let earlier = EarlierFindings {
        is_intercepted,
        ..EarlierFindings::default()
    };
    explained(
        &response(403, "text/html", "<h1>403 Forbidden</h1>"),
        public_path,
        earlier,
    )
}

fn steps(finding: &Finding) -> Vec<Option<u8>> {
    finding
        .remedies
        .iter()
        .map(|remedy| remedy.step.map(SetupStep::number))
        .collect()
}

#[test]
fn a_403_for_a_role_from_an_allow_list_and_from_a_firewall_are_told_apart() {
    let role = json(403, "Access token is missing required scopes.");
    assert_eq!(steps(&role), [Some(2)]);
    assert!(role.message.contains("missing required scopes"));

    let list = page(PublicPath::Rejected("/docs"), false);
    assert_eq!(steps(&list), [None]);
    assert!(
        list.remedies[0].action.contains("IP allow list"),
        "{list:?}"
    );

    let firewall = page(PublicPath::Accepted("/docs"), false);
    assert_eq!(steps(&firewall), [None]);
    assert!(firewall.remedies[0].action.contains("WAF"), "{firewall:?}");

    assert_eq!(
        page(PublicPath::Unknown, false).remedies.len(),
        2,
        "one of two causes"
    );
    assert_eq!(
        page(PublicPath::Rejected("/docs"), true).remedies.len(),
        2,
        "a proxy on the way may be the cause too"
    );
    for finding in [role, list, firewall] {
        assert_eq!(finding.outcome, Outcome::Failed(FailureKind::Other));
    }
}

#[test]
fn what_looks_like_a_credential_is_cut_out_of_the_message_of_the_api() {
    for (detail, shown) in [
        ("invalid token: expired", ": invalid token: expired"),
        ("bad key sk0live9dkeu38dk3kd93kd0", ": bad key (cut)"),
        ("password=hunter2 is wrong", ": password=(cut) is wrong"),
        (
            "see https://me:hunter2@api.example.com/x",
            ": see https://(cut)@api.example.com/x",
        ),
    ] {
        let message = json(403, detail).message;
        assert!(message.contains(shown), "{message}");
    }
}

#[test]
fn a_token_that_never_arrived_is_told_from_a_missing_role() {
    let finding = json(403, "Not authenticated");
    assert_eq!(steps(&finding), [None]);
    assert!(finding.remedies[0].action.contains("removes Authorization"));
}

#[test]
fn a_rejected_valid_token_points_to_the_precondition_and_to_a_missing_role_only_if_it_is_missing() {
    let finding = json(401, "Could not validate credentials");
    assert_eq!(finding.outcome, Outcome::Failed(FailureKind::Other));
    assert_eq!(steps(&finding), [Some(0), None]);

    let earlier = EarlierFindings {
        has_no_roles: true,
        ..EarlierFindings::default()
    };
    let body = response(401, "application/json", "{\"detail\":\"x\"}");
    assert_eq!(
        steps(&explained(&body, PublicPath::Unknown, earlier)),
        [Some(0), None, Some(2)]
    );
}

#[test]
fn every_other_response_shows_whether_the_token_was_accepted() {
    for (status, kind, outcome) in [
        (200, "application/json", Outcome::Ok),
        (200, "text/html", Outcome::Note),
        (302, "text/html", Outcome::Note),
        (404, "application/json", Outcome::Note),
        (406, "text/html", Outcome::Note),
        (429, "application/json", Outcome::Note),
        (
            500,
            "application/json",
            Outcome::Failed(FailureKind::Unreachable),
        ),
        (503, "text/html", Outcome::Failed(FailureKind::Unreachable)),
    ] {
        let finding = explained(
            &response(status, kind, "[]"),
            PublicPath::Unknown,
            EarlierFindings::default(),
        );
        assert_eq!(finding.outcome, outcome, "{status}: {}", finding.message);
    }
}

#[test]
fn a_rate_limit_of_pingones_own_api_names_the_share_of_one_address() {
    let too_many = response(429, "application/json", "{}");
    for (upstream, expected) in [
        ("https://api.pingone.eu", true),
        ("https://api.example.com", false),
    ] {
        let config = config(&[("upstream.url", upstream)]);
        let context = DoctorContext::new(&config, None);
        let finding = explain(
            &context,
            &too_many,
            PublicPath::Unknown,
            EarlierFindings::default(),
        );
        let said = format!("{:?}", finding.remedies);
        assert!(said.contains("wait a minute"), "{said}");
        assert_eq!(said.contains("35 %"), expected, "{said}");
        assert_eq!(said.contains("server-sourced traffic"), expected, "{said}");
    }
}

#[test]
fn the_administrative_apis_require_their_fixed_header() {
    let administrative = "https://pingaccess-admin-api.dev-x.us1.ping.cloud";
    let fine = response(200, "application/json", "{}");
    let bare = config(&[("upstream.url", administrative)]);
    let finding = explain(
        &DoctorContext::new(&bare, None),
        &fine,
        PublicPath::Unknown,
        EarlierFindings::default(),
    );
    assert!(
        finding.remedies[0]
            .action
            .contains("X-XSRF-Header = \"PingAccess\"")
    );

    let header = ("upstream.headers", "{ X-XSRF-Header = \"PingAccess\" }");
    let full = config(&[("upstream.url", administrative), header]);
    let finding = explain(
        &DoctorContext::new(&full, None),
        &fine,
        PublicPath::Unknown,
        EarlierFindings::default(),
    );
    assert_eq!(finding.outcome, Outcome::Ok);
}

#[test]
fn the_response_of_another_api_is_explained_without_steps() {
    let other = config(&[("upstream.url", "https://api.example.com")]);
    let context = DoctorContext::new(&other, None);
    assert_eq!(context.path, "/");
    for status in [401, 403] {
        let refused = response(status, "application/json", "{\"message\":\"no\"}");
        let finding = explain(
            &context,
            &refused,
            PublicPath::Unknown,
            EarlierFindings::default(),
        );
        assert!(steps(&finding).iter().all(Option::is_none), "{finding:?}");
    }
    let nothing_there = response(404, "text/html", "<p>");
    let finding = explain(
        &context,
        &nothing_there,
        PublicPath::Unknown,
        EarlierFindings::default(),
    );
    assert_eq!(finding.outcome, Outcome::Ok, "/ does not have to exist");
}
