use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::Method;

use super::*;
use crate::metrics::{FinishedRequest, Metrics, RequestDetails};
use crate::token::{AttemptCounts, FailureOrigin, SignInPlace, TokenState};

/// An answer of the API with this status, or a reason why there was none.
enum Ending {
    Api(u16),
    Reason(&'static str, u16),
}

fn finished(endings: impl IntoIterator<Item = Ending>) -> Arc<Metrics> {
    let metrics = Metrics::new(None);
    for ending in endings {
        let (status, reason, token_generation) = match ending {
            Ending::Api(status) => (status, None, Some(1)),
            Ending::Reason(reason, status) => (status, Some(reason), None),
        };
        metrics.request_finished(&FinishedRequest {
            method: &Method::GET,
            path: "/",
            status: Some(status),
            reason,
            caller: None,
            request_id: "i",
            ended: Instant::now(),
            total: Duration::ZERO,
            upstream_head: token_generation.map(|_| Duration::ZERO),
            details: RequestDetails {
                error: reason.map(|_| "rejected: why"),
                token_generation,
                ..RequestDetails::default()
            },
        });
    }
    metrics
}

/// The cards that follow from requests.
fn cards(endings: impl IntoIterator<Item = Ending>) -> Vec<(Severity, ProblemStatus)> {
    let metrics = finished(endings);
    let (failures, answers) = (metrics.recent_failures(), metrics.error_streak());
    let mut cards = Vec::new();
    cards.extend(role_card(
        &snapshot(TokenState::Fresh, None, false),
        answers.as_ref(),
    ));
    cards.extend(unreachable_card(&failures, metrics.responses()));
    cards.extend(failing_card(answers.as_ref()));
    cards.extend(rejection_cards(&failures));
    cards
}

fn codes(endings: impl IntoIterator<Item = Ending>) -> Vec<String> {
    let cards = cards(endings);
    cards.into_iter().map(|(_, card)| card.code).collect()
}

fn snapshot(state: TokenState, last_error: Option<&str>, refused: bool) -> Snapshot {
    Snapshot {
        state,
        generation: 1,
        expires_at: None,
        usable_for: Duration::from_secs(30),
        lifetime: Duration::from_mins(1),
        next_attempt_in: Duration::from_secs(3),
        last_error: last_error.map(str::to_owned),
        origin: None,
        refused,
        failures: 0,
        failing_since: last_error.map(|_| at(120)),
        unusable_since: (!state.is_usable()).then(|| at(90)),
        last_success: None,
        attempts: AttemptCounts::default(),
        refused_although_fresh: None,
        sign_in: None,
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_credential_that_cannot_be_used_is_not_blamed_on_the_token_endpoint() {
    for is_usable in [TokenState::Fresh, TokenState::Expired] {
        let failed = Snapshot {
            origin: Some(FailureOrigin::Credential),
            ..snapshot(is_usable, Some("it expired"), false)
        };
        let (_, card) = token_card(&failed).unwrap();
        let cause = ": this proxy's credential cannot be used";
        assert!(card.title.ends_with(cause), "{}", card.title);
    }
}

#[test]
fn a_token_problem_says_since_when_whose_side_and_the_remedy_of_health() {
    let (severity, card) =
        token_card(&snapshot(TokenState::Expired, Some("invalid_client"), true)).unwrap();
    assert_eq!((severity, &*card.code), (Severity::Error, "token_refused"));
    assert_eq!(card.detail, "invalid_client");
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:02:00Z"));
    assert_eq!(card.responsible, "your configuration");
    assert!(
        card.remedy.contains("a changed secret is tried within 5 s"),
        "{}",
        card.remedy
    );

    let (severity, card) =
        token_card(&snapshot(TokenState::Expired, Some("no route"), false)).unwrap();
    assert_eq!(
        (severity, &*card.code),
        (Severity::Error, "token_unavailable")
    );
    let (severity, _) = token_card(&snapshot(TokenState::Stale, Some("no route"), false)).unwrap();
    assert_eq!(severity, Severity::Warning, "requests still succeed");
    let (severity, card) = token_card(&snapshot(TokenState::Starting, None, false)).unwrap();
    assert_eq!(severity, Severity::Warning, "no request can succeed yet");
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:01:30Z"));
    assert!(token_card(&snapshot(TokenState::Fresh, None, false)).is_none());
}

#[test]
fn a_missing_sign_in_says_since_when_nobody_is_signed_in_and_the_end_of_one_since_when_it_is_near()
{
    let of_person = |state| Snapshot {
        sign_in: Some(SignInSnapshot {
            place: SignInPlace::default(),
            signed_in: None,
            needs_person: true,
        }),
        expires_at: Some(at(3600)),
        ..snapshot(state, None, false)
    };
    let (severity, card) = token_card(&of_person(TokenState::Expired)).unwrap();
    assert_eq!((severity, &*card.code), (Severity::Error, "login_required"));
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:01:30Z"));
    let (severity, card) = token_card(&of_person(TokenState::Fresh)).unwrap();
    assert_eq!(severity, Severity::Warning);
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:50:00Z"));
    let granted_later = Snapshot {
        last_success: Some(at(3100)),
        ..of_person(TokenState::Fresh)
    };
    let (_, card) = token_card(&granted_later).unwrap();
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:51:40Z"));
}

fn down() -> Ending {
    Ending::Reason("upstream_refused", 502)
}

fn flood() -> impl Iterator<Item = Ending> {
    (0..1000).map(|_| Ending::Reason("host_refused", 403))
}

#[test]
fn the_api_is_down_until_it_answers_again() {
    assert_eq!(codes([]), [""; 0]);
    assert_eq!(codes([down(), Ending::Api(500)]), [""; 0]);
    let cards = cards([Ending::Api(200), down(), down()]);
    let [(Severity::Error, card)] = &cards[..] else {
        panic!("{cards:?}");
    };
    assert_eq!(
        (&*card.code, &*card.responsible),
        ("upstream_refused", "the API")
    );
    assert!(card.since.is_some());
}

#[test]
fn rejected_requests_do_not_hide_a_problem_however_many_they_are() {
    let problems = [
        down(),
        Ending::Reason("caller_unknown", 401),
        Ending::Reason("rule_refused", 403),
    ];
    let expected = [
        "upstream_refused",
        "caller_unknown",
        "host_refused",
        "rule_refused",
    ];
    assert_eq!(codes(problems.into_iter().chain(flood())), expected);
}

#[test]
fn a_role_is_suspected_when_a_fresh_token_is_refused_or_every_answer_is_a_403() {
    let refused = Snapshot {
        refused_although_fresh: Some(at(60)),
        ..snapshot(TokenState::Fresh, None, false)
    };
    let (_, card) = role_card(&refused, None).unwrap();
    assert_eq!(card.code, "role_missing");
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:01:00Z"));
    let forbidden = |count| (0..count).map(|_| Ending::Api(403));
    assert_eq!(codes(forbidden(3)), ["role_missing"]);
    assert_eq!(codes(forbidden(2)), [""; 0]);
    assert_eq!(codes(forbidden(3).chain([Ending::Api(200)])), [""; 0]);
}

#[test]
fn an_api_that_answers_everything_with_5xx_is_to_blame_until_it_answers_otherwise() {
    let failing = || [500, 502, 503].map(Ending::Api);
    let cards = cards(failing());
    let [(Severity::Error, card)] = &cards[..] else {
        panic!("{cards:?}");
    };
    assert_eq!(card.code, "api_failing");
    assert_eq!(
        card.title,
        "The API is failing: it answered the last 3 requests with 503"
    );
    assert_eq!(card.responsible, "the API, or a server in front of it");
    assert!(card.since.is_some());
    assert_eq!(codes(failing().into_iter().skip(1)), [""; 0]);
    assert_eq!(
        codes(failing().into_iter().chain([Ending::Api(404)])),
        [""; 0]
    );
}

#[test]
fn a_certificate_near_its_end_is_a_warning_and_one_beyond_it_an_error() {
    let certificate = |expires: SystemTime| ExpiringCertificate {
        name: "The client certificate for the API",
        consequence: "the API rejects it",
        expires,
        near_since: at(60),
        warning: "the words of check".to_owned(),
    };
    let day = Duration::from_hours(24);
    let (severity, card) = certificate_card(&certificate(SystemTime::now() + day), Some(at(30)));
    assert_eq!(severity, Severity::Warning);
    assert_eq!(
        card.title,
        "The client certificate for the API expires today or tomorrow; then the API rejects it"
    );
    assert_eq!(card.detail, "the words of check");
    assert_eq!(card.since.as_deref(), Some("1970-01-01T00:01:00Z"));
    let (_, card) = certificate_card(
        &certificate(SystemTime::now() + 2 * day + day / 2),
        Some(at(90)),
    );
    assert_eq!(
        card.since.as_deref(),
        Some("1970-01-01T00:01:30Z"),
        "not before it was known"
    );
    assert!(
        card.title.contains(" expires in 2 days; "),
        "{}",
        card.title
    );
    let (severity, card) = certificate_card(&certificate(SystemTime::now() - day), None);
    assert!(card.since.is_some());
    assert_eq!(severity, Severity::Error);
    assert!(
        card.title.ends_with("has expired: the API rejects it"),
        "{}",
        card.title
    );
}

#[test]
fn each_kind_of_rejection_has_one_card() {
    let unknown = || Ending::Reason("caller_unknown", 401);
    let cards = cards([
        unknown(),
        Ending::Reason("rule_refused", 403),
        unknown(),
        Ending::Api(404),
    ]);
    let found: Vec<_> = cards.iter().map(|(_, card)| &*card.code).collect();
    assert_eq!(found, ["caller_unknown", "rule_refused"]);
    assert_eq!(cards[0].1.detail, "why");
    assert!(
        cards[0].1.remedy.contains("it sent no key"),
        "{}",
        cards[0].1.remedy
    );
}
