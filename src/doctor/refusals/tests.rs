//! Each row of the error table, and what is near it: where it points, and where it must not.

use std::io;

use super::*;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::config;
use crate::token::Peer;

fn answered(status: u16, code: &str, description: &str) -> Failure {
    Failure::Refused {
        status: StatusCode::from_u16(status).unwrap(),
        said: Said::Fields {
            code: Some(code.to_owned()),
            description: Some(description.to_owned()),
            correlation_id: Some("c0ffee".to_owned()),
        },
        retry_after: None,
    }
}

fn page(status: u16) -> Failure {
    Failure::Refused {
        status: StatusCode::from_u16(status).unwrap(),
        said: Said::Other {
            content_type: Some("text/html".to_owned()),
        },
        retry_after: None,
    }
}

fn unavailable_with(status: u16, retry_after: Option<u64>) -> Failure {
    Failure::Unavailable {
        status: StatusCode::from_u16(status).unwrap(),
        said: Said::Other { content_type: None },
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn judged(failure: &Failure, more: &[(&str, &str)]) -> Finding {
    let config = config(more);
    judge(failure, &Scene::of(&config, None))
}

fn steps(finding: &Finding) -> Vec<Option<u8>> {
    finding
        .ways
        .iter()
        .map(|way| way.step.map(Step::number))
        .collect()
}

/// Status, code, words, `token.scope`, and the steps.
type Row = (
    u16,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static [u8],
);

const NO_SCOPE: &str = "At least one scope must be granted";
const METHOD: &str = "Request denied: Unsupported authentication method";
const ROWS: [Row; 9] = [
    (
        401,
        "invalid_client",
        "Request denied: Invalid client credentials",
        None,
        &[5, 5, 7],
    ),
    (401, "invalid_client", METHOD, None, &[5]),
    // Statuses and codes may change: the words count.
    (400, "invalid_client", METHOD, None, &[5]),
    (400, "invalid_request", NO_SCOPE, None, &[6]),
    (400, "invalid_scope", NO_SCOPE, None, &[6]),
    (400, "invalid_scope", NO_SCOPE, Some("x"), &[6, 3]),
    (
        400,
        "invalid_scope",
        "May not request scopes for multiple resources",
        None,
        &[6],
    ),
    (
        403,
        "access_denied",
        "Application does not have any role assignments",
        None,
        &[4],
    ),
    (400, "unauthorized_client", "whatever", None, &[5]),
];

#[test]
fn each_row_names_its_step_or_the_steps_that_it_may_be() {
    for (status, code, words, scope, expected) in ROWS {
        let scope: Vec<_> = scope
            .map(|scope| ("token.scope", scope))
            .into_iter()
            .collect();
        let finding = judged(&answered(status, code, words), &scope);
        let expected: Vec<Option<u8>> = expected.iter().copied().map(Some).collect();
        assert_eq!(steps(&finding), expected, "{words}");
        assert_eq!(finding.outcome, Outcome::Failed(Blame::Refused));
        assert!(
            finding.said.contains("c0ffee"),
            "the correlation id: {}",
            finding.said
        );
        let is_several = finding.ways.len() > 1;
        assert!(
            finding
                .ways
                .iter()
                .all(|way| way.cause.is_some() == is_several)
        );
    }
}

#[test]
fn what_has_no_known_cause_blames_no_step() {
    for failure in [
        answered(400, "invalid_request", "something new"),
        answered(400, "invalid_grant", "something new"),
        page(403),
        page(404),
        unavailable_with(503, None),
    ] {
        let finding = judged(&failure, &[]);
        assert!(!finding.ways.is_empty());
        assert!(steps(&finding).iter().all(Option::is_none), "{finding:?}");
    }
}

#[test]
fn an_unknown_environment_is_the_id_or_the_region() {
    let finding = judged(&answered(404, "NOT_FOUND", "no"), &[]);
    assert_eq!(finding.ways.len(), 2);
    assert!(finding.ways[1].cause.as_deref().unwrap().contains("region"));
    let domain: &[(&str, &str)] = &[("token.pingone.domain", "auth.example.com")];
    assert_eq!(
        judged(&answered(404, "NOT_FOUND", "no"), domain).ways.len(),
        1
    );
}

#[test]
fn a_page_is_somebody_in_between_and_they_cannot_be_told_apart() {
    let finding = judged(&page(403), &[]);
    assert_eq!(finding.ways.len(), 2);
    let causes: Vec<_> = finding
        .ways
        .iter()
        .filter_map(|way| way.cause.as_deref())
        .collect();
    assert!(causes[0].contains("corporate proxy") && causes[1].contains("WAF"));
    let success = Failure::Unusable {
        status: StatusCode::OK,
        defect: Defect::NotJson,
    };
    assert_eq!(judged(&success, &[]).ways, finding.ways);
}

#[test]
fn trouble_of_the_server_is_not_ours_and_a_limit_says_how_long() {
    for status in [408, 500, 502, 503, 504] {
        let finding = judged(&unavailable_with(status, None), &[]);
        assert_eq!(finding.outcome, Outcome::Failed(Blame::Unreachable));
        assert!(finding.ways[0].remedy.contains("nothing here is at fault"));
    }
    let limited = judged(&unavailable_with(429, Some(7)), &[]);
    assert!(
        limited.ways[0].remedy.starts_with("wait 7 s"),
        "{limited:?}"
    );
}

#[test]
fn another_server_is_read_by_the_standard_and_without_steps() {
    let other: &[(&str, &str)] = &[("token.url", "https://as.example.com/oauth2/token")];
    for (code, words) in [
        ("invalid_client", "token.auth"),
        ("invalid_scope", "token.scope"),
        ("unauthorized_client", "client_credentials"),
        ("invalid_target", "token.params"),
        ("whatever", "token.params"),
    ] {
        let finding = judged(&answered(400, code, "multiple resources"), other);
        assert!(
            finding.ways.iter().any(|way| way.remedy.contains(words)),
            "{finding:?}"
        );
        assert!(steps(&finding).iter().all(Option::is_none));
    }
}

#[test]
fn a_failure_of_our_own_files_is_one_of_configuration() {
    let unreadable = Failure::SecretUnreadable(io::Error::other("x").into());
    for failure in [unreadable, Failure::SecretEmpty] {
        let finding = judged(&failure, &[]);
        assert_eq!(finding.outcome, Outcome::Failed(Blame::Configuration));
        assert!(finding.ways[0].remedy.contains("token.client_secret"));
    }
}

#[test]
fn a_remedy_that_the_failure_brings_along_is_said_once() {
    for connected in [true, false] {
        let failure = Failure::TimedOut {
            limit: Duration::from_secs(10),
            peer: Peer {
                address: "as.example.com:443".to_owned(),
                key: "token.url",
                proxy: None,
            },
            connected,
        };
        let remedy = failure.remedy().unwrap();
        let finding = judged(&failure, &[]);
        assert!(!finding.said.contains(&remedy), "{}", finding.said);
        assert!(finding.ways[0].remedy.starts_with(&remedy));
        assert_eq!(finding.ways.len(), 1);
    }
}
