//! Each known error of the token endpoint and similar ones: the steps that they point to.

use std::io;

use super::*;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::config;
use crate::token::{EndpointRole, TokenServer, UnreadableSecret};
use crate::vendor::SetupStep;

fn rejected_with(status: u16, code: &str, description: &str) -> GrantError {
    GrantError::Refused {
        endpoint: EndpointRole::Token,
        status: StatusCode::from_u16(status).unwrap(),
        response: ErrorResponse::Fields {
            code: Some(code.to_owned()),
            description: Some(description.to_owned()),
            correlation_id: Some("c0ffee".to_owned()),
        },
        retry_after: None,
    }
}

fn page(status: u16) -> GrantError {
    GrantError::Refused {
        endpoint: EndpointRole::Token,
        status: StatusCode::from_u16(status).unwrap(),
        response: ErrorResponse::Other {
            content_type: Some("text/html".to_owned()),
        },
        retry_after: None,
    }
}

fn unavailable_with(status: u16, retry_after: Option<u64>) -> GrantError {
    GrantError::Unavailable {
        endpoint: EndpointRole::Token,
        status: StatusCode::from_u16(status).unwrap(),
        response: ErrorResponse::Other { content_type: None },
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn explained(failure: &GrantError, more: &[(&str, &str)]) -> Finding {
    let config = config(more);
    explain(failure, &DoctorContext::new(&config, None))
}

fn steps(finding: &Finding) -> Vec<Option<u8>> {
    finding
        .remedies
        .iter()
        .map(|remedy| remedy.step.map(SetupStep::number))
        .collect()
}

/// Status, `error`, description, `token.scope`, and the expected steps.
type ErrorRow = (
    u16,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static [u8],
);

const NO_SCOPE: &str = "At least one scope must be granted";
const METHOD: &str = "Request denied: Unsupported authentication method";
const ROWS: [ErrorRow; 9] = [
    (
        401,
        "invalid_client",
        "Request denied: Invalid client credentials",
        None,
        &[5, 5, 7],
    ),
    (401, "invalid_client", METHOD, None, &[5]),
    // The description decides, since statuses and codes may change.
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
fn each_error_names_its_step_or_the_steps_that_may_be_the_cause() {
    for (status, code, words, scope, expected) in ROWS {
        let scope: Vec<_> = scope
            .map(|scope| ("token.scope", scope))
            .into_iter()
            .collect();
        let finding = explained(&rejected_with(status, code, words), &scope);
        let expected: Vec<Option<u8>> = expected.iter().copied().map(Some).collect();
        assert_eq!(steps(&finding), expected, "{words}");
        assert_eq!(
            finding.outcome,
            Outcome::Failed(FailureKind::RejectedByTokenEndpoint)
        );
        assert!(
            finding.message.contains("c0ffee"),
            "the correlation id: {}",
            finding.message
        );
        let is_several = finding.remedies.len() > 1;
        assert!(
            finding
                .remedies
                .iter()
                .all(|remedy| remedy.cause.is_some() == is_several)
        );
    }
}

#[test]
fn an_error_without_a_known_cause_names_no_step() {
    for failure in [
        rejected_with(400, "invalid_request", "something new"),
        rejected_with(400, "invalid_grant", "something new"),
        page(403),
        page(404),
        unavailable_with(503, None),
    ] {
        let finding = explained(&failure, &[]);
        assert!(!finding.remedies.is_empty());
        assert!(steps(&finding).iter().all(Option::is_none), "{finding:?}");
    }
}

#[test]
fn an_unknown_environment_is_due_to_the_id_or_the_region() {
    let finding = explained(&rejected_with(404, "NOT_FOUND", "no"), &[]);
    assert_eq!(finding.remedies.len(), 2);
    assert!(
        finding.remedies[1]
            .cause
            .as_deref()
            .unwrap()
            .contains("region")
    );
    let domain: &[(&str, &str)] = &[("token.pingone.domain", "auth.example.com")];
    assert_eq!(
        explained(&rejected_with(404, "NOT_FOUND", "no"), domain)
            .remedies
            .len(),
        1
    );
}

#[test]
fn a_web_page_is_due_to_a_proxy_or_a_firewall() {
    let finding = explained(&page(403), &[]);
    assert_eq!(finding.remedies.len(), 2);
    let causes: Vec<_> = finding
        .remedies
        .iter()
        .filter_map(|remedy| remedy.cause.as_deref())
        .collect();
    assert!(causes[0].contains("corporate proxy") && causes[1].contains("WAF"));
    let success = GrantError::Unusable {
        endpoint: EndpointRole::Token,
        status: StatusCode::OK,
        defect: ResponseDefect::NotJson,
    };
    assert_eq!(explained(&success, &[]).remedies, finding.remedies);
}

#[test]
fn a_server_error_is_not_the_fault_of_the_configuration_and_a_rate_limit_says_how_long_to_wait() {
    for status in [408, 500, 502, 503, 504] {
        let finding = explained(&unavailable_with(status, None), &[]);
        assert_eq!(finding.outcome, Outcome::Failed(FailureKind::Unreachable));
        assert!(
            finding.remedies[0]
                .action
                .contains("the configuration is not at fault")
        );
    }
    let limited = explained(&unavailable_with(429, Some(7)), &[]);
    assert!(
        limited.remedies[0].action.starts_with("wait 7 s"),
        "{limited:?}"
    );
}

#[test]
fn errors_of_another_server_are_explained_by_their_code_and_without_steps() {
    let other: &[(&str, &str)] = &[("token.url", "https://as.example.com/oauth2/token")];
    for (code, words) in [
        ("invalid_client", "token.auth"),
        ("invalid_scope", "token.scope"),
        ("unauthorized_client", "client_credentials"),
        ("invalid_target", "token.params"),
        ("whatever", "token.params"),
    ] {
        let finding = explained(&rejected_with(400, code, "multiple resources"), other);
        assert!(
            finding
                .remedies
                .iter()
                .any(|remedy| remedy.action.contains(words)),
            "{finding:?}"
        );
        assert!(steps(&finding).iter().all(Option::is_none));
    }
}

#[test]
fn an_unusable_secret_is_a_failure_of_the_configuration() {
    let unreadable = GrantError::SecretUnreadable(UnreadableSecret {
        what: "token.client_secret",
        is_renewed: false,
        cause: io::Error::other("x").into(),
    });
    for failure in [unreadable, GrantError::SecretEmpty] {
        let finding = explained(&failure, &[]);
        assert_eq!(finding.outcome, Outcome::Failed(FailureKind::Configuration));
        assert!(finding.remedies[0].action.contains("token.client_secret"));
    }
}

#[test]
fn the_remedy_of_the_failure_is_included_once() {
    for connected in [true, false] {
        let failure = GrantError::TimedOut {
            limit: Duration::from_secs(10),
            server: TokenServer {
                role: EndpointRole::Token,
                address: "as.example.com:443".to_owned(),
                key: "token.url",
                proxy: None,
            },
            connected,
        };
        let remedy = failure.remedy().unwrap();
        let finding = explained(&failure, &[]);
        assert!(!finding.message.contains(&remedy), "{}", finding.message);
        assert!(finding.remedies[0].action.starts_with(&remedy));
        assert_eq!(finding.remedies.len(), 1);
    }
}
