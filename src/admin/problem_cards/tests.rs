use std::time::UNIX_EPOCH;

use http::Method;
use tokio::time::Instant;

use super::*;
use crate::metrics::{FinishedRequest, Metrics, RequestDetails};
use crate::token::{AttemptCounts, FailureOrigin, TokenState};

/// An answer of the API with this status, or a reason why there was none.
enum Ending {
    Api(u16),
    Reason(&'static str, u16),
}

fn journal(endings: &[Ending]) -> Vec<JournalEntry> {
    let metrics = Metrics::new(None);
    for ending in endings {
        let (status, reason, token_generation) = match ending {
            Ending::Api(status) => (*status, None, Some(1)),
            Ending::Reason(reason, status) => (*status, Some(*reason), None),
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
            upstream_head: None,
            details: RequestDetails {
                error: reason.map(|_| "rejected: why"),
                token_generation,
                ..RequestDetails::default()
            },
        });
    }
    metrics.recent()
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
        last_success: None,
        attempts: AttemptCounts::default(),
        refused_although_fresh: false,
        sign_in: None,
    }
}

fn attempt(seconds: u64, error: Option<&str>) -> TokenAttempt {
    TokenAttempt {
        at: UNIX_EPOCH + Duration::from_secs(seconds),
        outcome: "granted",
        error: error.map(str::to_owned),
    }
}

#[test]
fn a_credential_that_cannot_be_used_is_not_blamed_on_the_token_endpoint() {
    for is_usable in [TokenState::Fresh, TokenState::Expired] {
        let failed = Snapshot {
            origin: Some(FailureOrigin::Credential),
            ..snapshot(is_usable, Some("it expired"), false)
        };
        let (_, card) = token_card(&failed, &[]).unwrap();
        let cause = ": what tokens are requested with cannot be used";
        assert!(card.title.ends_with(cause), "{}", card.title);
    }
}

#[test]
fn a_token_problem_says_since_when_whose_side_and_the_remedy_of_health() {
    let attempts = [
        attempt(60, None),
        attempt(120, Some("x")),
        attempt(180, Some("x")),
    ];
    let (severity, card) = token_card(
        &snapshot(TokenState::Expired, Some("invalid_client"), true),
        &attempts,
    )
    .unwrap();
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
        token_card(&snapshot(TokenState::Expired, Some("no route"), false), &[]).unwrap();
    assert_eq!(
        (severity, &*card.code),
        (Severity::Error, "token_unavailable")
    );
    let (severity, _) =
        token_card(&snapshot(TokenState::Stale, Some("no route"), false), &[]).unwrap();
    assert_eq!(severity, Severity::Warning, "requests still succeed");
    let (severity, _) = token_card(&snapshot(TokenState::Starting, None, false), &[]).unwrap();
    assert_eq!(severity, Severity::Warning, "no request can succeed yet");
    assert!(token_card(&snapshot(TokenState::Fresh, None, false), &attempts[..1]).is_none());
}

#[test]
fn the_api_is_down_until_it_answers_again() {
    let down = || Ending::Reason("upstream_refused", 502);
    assert!(api_card(&journal(&[])).is_none());
    assert!(api_card(&journal(&[down(), Ending::Api(500)])).is_none());
    let (severity, card) = api_card(&journal(&[
        Ending::Api(200),
        down(),
        Ending::Reason("host_refused", 403),
        down(),
    ]))
    .unwrap();
    assert_eq!(
        (severity, &*card.code),
        (Severity::Error, "upstream_refused")
    );
    assert_eq!(card.responsible, "the API");
    assert!(card.since.is_some());
}

#[test]
fn a_role_is_suspected_when_a_fresh_token_is_refused_or_every_answer_is_a_403() {
    let fresh = snapshot(TokenState::Fresh, None, false);
    let refused = Snapshot {
        refused_although_fresh: true,
        ..snapshot(TokenState::Fresh, None, false)
    };
    let code = |snapshot: &Snapshot, endings: &[Ending]| {
        role_card(snapshot, &journal(endings)).map(|(_, card)| card.code)
    };
    assert_eq!(code(&refused, &[]).as_deref(), Some("role_missing"));
    let forbidden = || Ending::Api(403);
    let three = [forbidden(), forbidden(), forbidden()];
    assert_eq!(code(&fresh, &three).as_deref(), Some("role_missing"));
    assert_eq!(code(&fresh, &three[..2]), None);
    let then_fine = [forbidden(), forbidden(), forbidden(), Ending::Api(200)];
    assert_eq!(code(&fresh, &then_fine), None);
}

#[test]
fn each_kind_of_rejection_has_one_card() {
    let unknown = || Ending::Reason("caller_unknown", 401);
    let endings = [
        unknown(),
        Ending::Reason("rule_refused", 403),
        unknown(),
        Ending::Api(404),
    ];
    let cards = rejection_cards(&journal(&endings));
    let codes: Vec<_> = cards.iter().map(|(_, card)| &*card.code).collect();
    assert_eq!(codes, ["caller_unknown", "rule_refused"]);
    assert_eq!(cards[0].1.detail, "why");
    assert!(
        cards[0].1.remedy.contains("It sent no key"),
        "{}",
        cards[0].1.remedy
    );
}
