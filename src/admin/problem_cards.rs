//! What is wrong with a proxy, each with its cause, whose side it is on, and the remedy: in the words of the table of
//! reasons and of `cupbearer health`.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::readiness;
use super::request_status::{explanation, reason_of};
use super::status_api::ProblemStatus;
use super::view::{ExpiringCertificate, ProxyView};
use crate::metrics::{ErrorAnswer, ErrorStreak, FailureSpell};
use crate::problem::Reason;
use crate::text::{counted, date_and_time};
use crate::token::{FailureOrigin, SignInSnapshot, Snapshot};

/// How many answers in a row must be the same error before a problem is suspected.
const SUSPICIOUS_ANSWERS: u64 = 3;

/// What to do about an API that answers with 5xx. The doctor says the same.
pub(crate) const ASK_API_OPERATORS: &str =
    "Ask whoever runs the API; nothing here needs to change.";

/// How bad a problem is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Error,
    Warning,
    Notice,
}

/// What is wrong with one proxy, the worst first.
pub(super) fn problem_cards(view: &ProxyView) -> Vec<ProblemStatus> {
    let snapshot = view.snapshot();
    let (failures, answers) = (view.metrics.recent_failures(), view.metrics.error_streak());
    let mut cards = Vec::new();
    cards.extend(token_card(&snapshot));
    cards.extend(role_card(&snapshot, answers.as_ref()));
    cards.extend(unreachable_card(&failures, view.metrics.responses()));
    cards.extend(failing_card(answers.as_ref()));
    let (expiring, started) = ((view.expiring)(), wall_time(view.since));
    cards.extend(expiring.iter().map(|one| certificate_card(one, started)));
    cards.extend(configuration_cards(view));
    cards.extend(rejection_cards(&failures));
    cards.sort_by_key(|(severity, _)| *severity);
    cards.into_iter().map(|(_, card)| card).collect()
}

/// A card for what concerns all proxies: one that has not started, or a stopped task.
pub(super) fn process_card(
    code: &str,
    detail: &str,
    since: SystemTime,
    remedy: &str,
) -> ProblemStatus {
    let (_, card) = card(Severity::Error, code, "A part of cupbearer is not running");
    ProblemStatus {
        detail: detail.to_owned(),
        since: date_and_time(since),
        responsible: "cupbearer, or its configuration".to_owned(),
        remedy: remedy.to_owned(),
        ..card
    }
}

fn card(severity: Severity, code: &str, title: &str) -> (Severity, ProblemStatus) {
    let severity_name = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let card = ProblemStatus {
        code: code.to_owned(),
        severity: severity_name.to_owned(),
        title: title.to_owned(),
        ..ProblemStatus::default()
    };
    (severity, card)
}

fn token_card(snapshot: &Snapshot) -> Option<(Severity, ProblemStatus)> {
    let is_usable = snapshot.state.is_usable();
    if let Some(sign_in) = &snapshot.sign_in
        && sign_in.needs_person
    {
        return sign_in_card(snapshot, sign_in);
    }
    let Some(error) = &snapshot.last_error else {
        return (!is_usable).then(|| {
            let (severity, card) = card(
                Severity::Warning,
                "token_starting",
                "The first token has not arrived yet",
            );
            let detail = readiness::token_line(snapshot);
            let card = ProblemStatus {
                detail,
                since: snapshot.unusable_since.and_then(date_and_time),
                responsible: "no one: cupbearer has just started".to_owned(),
                remedy: "Wait: the first token request is in progress.".to_owned(),
                ..card
            };
            (severity, card)
        });
    };
    let (reason, remedy) = readiness::token_remedy(snapshot);
    let (severity, effect) = if is_usable {
        (Severity::Warning, "The token cannot be refreshed")
    } else {
        (Severity::Error, "There is no valid token")
    };
    let cause = match (snapshot.origin, snapshot.refused) {
        (Some(FailureOrigin::Credential), _) => "this proxy's credential cannot be used",
        (_, true) => "this proxy's credentials are wrong or no longer accepted",
        (_, false) => "the token endpoint is not working",
    };
    let title = &format!("{effect}: {cause}");
    let responsible = match (snapshot.origin, snapshot.refused) {
        (Some(FailureOrigin::Server), false) => {
            "the token endpoint, or the network path to it".to_owned()
        }
        _ => reason.plain_responsible(),
    };
    let (severity, card) = card(severity, reason.name(), title);
    let card = ProblemStatus {
        detail: error.clone(),
        since: snapshot.failing_since.and_then(date_and_time),
        responsible,
        remedy: match snapshot.origin {
            Some(FailureOrigin::Server) => {
                format!("Wait: {remedy}, and nothing here needs to change.")
            }
            _ => format!("Run `cupbearer doctor` to find the cause; {remedy}."),
        },
        ..card
    };
    Some((severity, card))
}

/// A person must sign in, or again soon.
fn sign_in_card(
    snapshot: &Snapshot,
    sign_in: &SignInSnapshot,
) -> Option<(Severity, ProblemStatus)> {
    let reason = Reason::LoginRequired;
    let (severity, title, detail, since) = if snapshot.state.is_usable() {
        let (soon, since) = (snapshot.ends_soon()?, snapshot.ends_soon_since());
        (Severity::Warning, "The token ends soon", soon, since)
    } else {
        let none = "Every request gets an error until somebody signs in.".to_owned();
        let since = snapshot.unusable_since;
        (Severity::Error, "Nobody is signed in", none, since)
    };
    let (severity, card) = card(severity, reason.name(), title);
    let card = ProblemStatus {
        detail,
        since: since.and_then(date_and_time),
        responsible: reason.plain_responsible(),
        remedy: sign_in.place.advice(),
        ..card
    };
    Some((severity, card))
}

fn role_card(
    snapshot: &Snapshot,
    answers: Option<&ErrorStreak>,
) -> Option<(Severity, ProblemStatus)> {
    let (title, detail, since) = if let Some(since) = snapshot.refused_although_fresh {
        (
            "The API rejects a fresh token (401): a role is probably missing".to_owned(),
            "The API rejected a token that had just been granted, so another one would not help.",
            date_and_time(since),
        )
    } else {
        let streak = suspicious(answers, ErrorAnswer::Forbidden)?;
        (
            format!(
                "The API answered the last {} requests with 403: a role is probably missing",
                streak.count
            ),
            "The API accepts the token, but not for what was requested.",
            when(streak.first),
        )
    };
    let (severity, card) = card(Severity::Error, "role_missing", &title);
    let card = ProblemStatus {
        detail: detail.to_owned(),
        since,
        responsible: "the administrator who gives cupbearer's client its roles".to_owned(),
        remedy: "Ask for the missing role; `cupbearer doctor` shows the roles in the token."
            .to_owned(),
        ..card
    };
    Some((severity, card))
}

/// The answers of the API, if enough of them in a row are this error.
fn suspicious(answers: Option<&ErrorStreak>, error: ErrorAnswer) -> Option<&ErrorStreak> {
    answers.filter(|streak| streak.answer == error && streak.count >= SUSPICIOUS_ANSWERS)
}

/// The API can be reached, and answers every request with 5xx.
fn failing_card(answers: Option<&ErrorStreak>) -> Option<(Severity, ProblemStatus)> {
    let streak = suspicious(answers, ErrorAnswer::ServerError)?;
    let title = format!(
        "The API is failing: it answered the last {} requests with {}",
        streak.count, streak.status
    );
    let (severity, card) = card(Severity::Error, "api_failing", &title);
    let card = ProblemStatus {
        detail: "cupbearer reached it with a valid token, and passes its answers on.".to_owned(),
        since: when(streak.first),
        responsible: "the API, or a server in front of it".to_owned(),
        remedy: format!("{ASK_API_OPERATORS} Quote the id of a request below."),
        ..card
    };
    Some((severity, card))
}

/// No request that was meant for the API has got a response since the first of these failures. It has responded to
/// `responses` requests.
fn unreachable_card(
    failures: &[FailureSpell],
    responses: u64,
) -> Option<(Severity, ProblemStatus)> {
    let unanswered = failures
        .iter()
        .filter(|one| one.reason.starts_with("upstream_") && one.responses == responses);
    let first = unanswered
        .clone()
        .map(|one| one.first_since_response)
        .min()?;
    let latest = unanswered.max_by_key(|one| one.latest)?;
    let name = latest.reason;
    let reason = reason_of(name, latest.status)?;
    let title = match reason {
        Reason::UpstreamDns => "The API is unreachable: its name cannot be resolved",
        Reason::UpstreamConnectTimeout => "The API is unreachable: connecting takes too long",
        Reason::UpstreamProxy => {
            "The API is unreachable: the corporate proxy does not connect to it"
        }
        Reason::UpstreamTlsCertificate | Reason::UpstreamTlsProtocol => {
            "The API is not trusted: its certificate or the TLS handshake is at fault"
        }
        Reason::UpstreamHeadTimeout => "The API is down: it does not respond in time",
        Reason::UpstreamClosed => "The API is down: it closes the connection without a response",
        Reason::UpstreamProtocol => "The API's responses are not valid HTTP",
        _ => "The API is down: nothing is listening at its address",
    };
    let (severity, card) = card(Severity::Error, name, title);
    let card = ProblemStatus {
        detail: latest.error.as_deref().map(explanation).unwrap_or_default(),
        since: when(first),
        responsible: reason.plain_responsible(),
        remedy: reason.plain_remedy(),
        ..card
    };
    Some((severity, card))
}

fn certificate_card(
    certificate: &ExpiringCertificate,
    started: Option<SystemTime>,
) -> (Severity, ProblemStatus) {
    let (name, consequence) = (certificate.name, certificate.consequence);
    let left = certificate.expires.duration_since(SystemTime::now());
    let (severity, title, since) = if let Ok(left) = left {
        (
            Severity::Warning,
            format!("{name} expires {}; then {consequence}", in_days(left)),
            Some(certificate.near_since).max(started),
        )
    } else {
        (
            Severity::Error,
            format!("{name} has expired: {consequence}"),
            Some(certificate.expires),
        )
    };
    let (severity, card) = card(severity, "certificate_expires", &title);
    let card = ProblemStatus {
        detail: certificate.warning.clone(),
        since: since.and_then(date_and_time),
        responsible: "your configuration".to_owned(),
        remedy: "Replace the certificate and its key; cupbearer uses new files without a restart."
            .to_owned(),
        ..card
    };
    (severity, card)
}

fn in_days(left: Duration) -> String {
    match left.as_secs() / (24 * 60 * 60) {
        0 => "today or tomorrow".to_owned(),
        days => format!(
            "in {}",
            counted(usize::try_from(days).unwrap_or(usize::MAX), "day")
        ),
    }
}

fn configuration_cards(view: &ProxyView) -> Vec<(Severity, ProblemStatus)> {
    let (change, why) = ((view.pending_change)(), (view.pending_reasons)());
    let kinds = [
        (
            change.refused,
            why.refused,
            Severity::Warning,
            "configuration_refused",
            "The changed configuration cannot be used; the last valid one stays in use",
            "Correct the file; cupbearer uses it within 3 s.",
        ),
        (
            change.waiting,
            why.waiting,
            Severity::Warning,
            "configuration_waiting",
            "The changed configuration waits for its first token; the previous one stays in use",
            "Correct its credentials if the token endpoint rejects them; otherwise wait.",
        ),
        (
            change.restart,
            why.restart,
            Severity::Notice,
            "configuration_needs_restart",
            "A changed setting takes effect only after a restart",
            "Restart cupbearer.",
        ),
    ];
    let present = kinds.into_iter().filter(|(is_present, ..)| *is_present);
    present
        .map(|(_, detail, severity, code, title, remedy)| {
            let (severity, card) = card(severity, code, title);
            let card = ProblemStatus {
                detail,
                since: (view.pending_since)().and_then(date_and_time),
                responsible: "your configuration".to_owned(),
                remedy: remedy.to_owned(),
                ..card
            };
            (severity, card)
        })
        .collect()
}

/// One card for each reason for which the guard has rejected a request in the last minutes.
fn rejection_cards(failures: &[FailureSpell]) -> Vec<(Severity, ProblemStatus)> {
    let kinds = [
        (
            Reason::CallerUnknown,
            "A request without a caller's key was rejected",
        ),
        (
            Reason::HostRefused,
            "A request with a foreign host name was rejected",
        ),
        (
            Reason::OriginRefused,
            "A request from another web page was rejected",
        ),
        (
            Reason::UserRefused,
            "A request from another local user was rejected",
        ),
        (
            Reason::TargetRefused,
            "A request for another server was rejected",
        ),
        (
            Reason::RuleRefused,
            "A request that the rules do not allow was rejected",
        ),
    ];
    let of_kind = |(reason, title): (Reason, &str)| {
        let spell = failures.iter().find(|one| one.reason == reason.name())?;
        let (severity, card) = card(Severity::Warning, reason.name(), title);
        let card = ProblemStatus {
            detail: spell.error.as_deref().map(explanation).unwrap_or_default(),
            since: when(spell.first),
            responsible: reason.plain_responsible(),
            remedy: reason.plain_remedy(),
            ..card
        };
        Some((severity, card))
    };
    kinds.into_iter().filter_map(of_kind).collect()
}

/// The time of day of an instant in the past.
fn when(instant: Instant) -> Option<String> {
    wall_time(instant).and_then(date_and_time)
}

fn wall_time(instant: Instant) -> Option<SystemTime> {
    SystemTime::now().checked_sub(instant.elapsed())
}

#[cfg(test)]
mod tests;
