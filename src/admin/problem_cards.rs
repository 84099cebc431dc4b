//! What is wrong with a proxy, each with its cause, whose side it is on, and the remedy: in the words of the table of
//! reasons and of `cupbearer health`.

use std::time::{Duration, SystemTime};

use super::plain::plain_text;
use super::readiness;
use super::request_status::{explanation, reason_of};
use super::status_api::ProblemStatus;
use super::view::ProxyView;
use crate::metrics::JournalEntry;
use crate::problem::Reason;
use crate::text::date_and_time;
use crate::token::{FailureOrigin, SignInSnapshot, Snapshot, TokenAttempt};

/// For how long a rejected request is worth a card.
const REJECTION_TIME: Duration = Duration::from_mins(5);

/// How many responses in a row must be a 403 before a role is suspected.
const FORBIDDEN_RESPONSES: usize = 3;

/// How bad a problem is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Error,
    Warning,
    Notice,
}

/// What is wrong with one proxy, the worst first. `recent` are its requests, the latest last.
pub(super) fn problem_cards(view: &ProxyView, recent: &[JournalEntry]) -> Vec<ProblemStatus> {
    let snapshot = view.snapshot();
    let mut cards = Vec::new();
    cards.extend(token_card(&snapshot, &(view.tokens)().recent_attempts()));
    cards.extend(role_card(&snapshot, recent));
    cards.extend(api_card(recent));
    cards.extend(configuration_cards(view));
    cards.extend(rejection_cards(recent));
    cards.sort_by_key(|(severity, _)| *severity);
    cards.into_iter().map(|(_, card)| card).collect()
}

/// A card for what concerns all proxies: one that has not started, or a stopped task.
pub(super) fn process_card(code: &str, detail: &str, remedy: &str) -> ProblemStatus {
    let (_, card) = card(Severity::Error, code, "A part of cupbearer is not running");
    ProblemStatus {
        detail: detail.to_owned(),
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

fn token_card(snapshot: &Snapshot, attempts: &[TokenAttempt]) -> Option<(Severity, ProblemStatus)> {
    let is_usable = snapshot.state.is_usable();
    if let Some(sign_in) = &snapshot.sign_in {
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
            (severity, ProblemStatus { detail, ..card })
        });
    };
    let (reason, remedy) = readiness::token_remedy(snapshot);
    let (severity, effect) = if is_usable {
        (Severity::Warning, "The token cannot be refreshed")
    } else {
        (Severity::Error, "There is no valid token")
    };
    let cause = match (snapshot.origin, snapshot.refused) {
        (Some(FailureOrigin::Credential), _) => "what tokens are requested with cannot be used",
        (_, true) => "the token endpoint refuses this proxy's credentials",
        (_, false) => "the token endpoint does not grant one",
    };
    let title = &format!("{effect}: {cause}");
    let responsible = plain_text(reason.responsible());
    let (severity, card) = card(severity, reason.name(), title);
    let card = ProblemStatus {
        detail: error.clone(),
        since: failing_since(attempts),
        responsible,
        remedy: format!("{remedy}; run `cupbearer doctor` to find the cause"),
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
    let (severity, title, detail) = if snapshot.state.is_usable() {
        let soon = snapshot.ends_soon()?;
        (Severity::Warning, "The token ends soon", soon)
    } else {
        let none = "requests get a 503 until somebody signs in".to_owned();
        (Severity::Error, "Nobody is signed in", none)
    };
    let (severity, card) = card(severity, reason.name(), title);
    let card = ProblemStatus {
        detail,
        responsible: plain_text(reason.responsible()),
        remedy: sign_in.place.advice(),
        ..card
    };
    Some((severity, card))
}

/// When the first of the attempts that have failed since the last success ended.
fn failing_since(attempts: &[TokenAttempt]) -> Option<String> {
    let failed = attempts.iter().rev().take_while(|one| one.error.is_some());
    failed.last().and_then(|first| date_and_time(first.at))
}

fn role_card(snapshot: &Snapshot, recent: &[JournalEntry]) -> Option<(Severity, ProblemStatus)> {
    let forbidden = || {
        let answered = recent.iter().rev();
        let answered = answered.filter(|entry| entry.token_generation.is_some());
        let forbidden: Vec<_> = answered
            .take_while(|entry| entry.status == Some(403) && entry.ended.elapsed() < REJECTION_TIME)
            .collect();
        (forbidden.len() >= FORBIDDEN_RESPONSES).then_some(forbidden)
    };
    let (title, detail, since) = if snapshot.refused_although_fresh {
        (
            "The API refuses the token although it is fresh: a missing role?",
            "The API rejected a token that had just been granted, so another one would not help.",
            None,
        )
    } else {
        let since = forbidden()?.last().and_then(|first| when(first));
        (
            "The API answered the last requests with 403: a missing role?",
            "The API accepts the token, but not what this client wants to do.",
            since,
        )
    };
    let (severity, card) = card(Severity::Error, "role_missing", title);
    let card = ProblemStatus {
        detail: detail.to_owned(),
        since,
        responsible: "whoever gives this client its roles".to_owned(),
        remedy: "run `cupbearer doctor`, which shows the roles in the token, and ask for the missing one"
            .to_owned(),
        ..card
    };
    Some((severity, card))
}

/// The last request that was meant for the API did not get there, or got no response.
fn api_card(recent: &[JournalEntry]) -> Option<(Severity, ProblemStatus)> {
    let mut failed = recent
        .iter()
        .rev()
        .filter_map(|entry| match (entry.token_generation, entry.reason) {
            (Some(_), _) => Some(None),
            (None, Some(reason)) if reason.starts_with("upstream_") => Some(Some((entry, reason))),
            (None, _) => None,
        })
        .map_while(|failed| failed);
    let (latest, name) = failed.next()?;
    let first = failed.last().map_or(latest, |(first, _)| first);
    let reason = reason_of(name, latest.status)?;
    let title = match reason {
        Reason::UpstreamDns => "The API is unreachable: its name cannot be resolved",
        Reason::UpstreamConnectTimeout => "The API is unreachable: connecting takes too long",
        Reason::UpstreamProxy => {
            "The API is unreachable: the corporate proxy does not connect to it"
        }
        Reason::UpstreamTlsCertificate | Reason::UpstreamTlsProtocol => {
            "The API is not trusted: its certificate or TLS is at fault"
        }
        Reason::UpstreamHeadTimeout => "The API is down: it does not respond in time",
        Reason::UpstreamClosed => "The API is down: it closes the connection without a response",
        Reason::UpstreamProtocol => "The API sends what is not valid HTTP",
        _ => "The API is down: nothing is listening there",
    };
    let (severity, card) = card(Severity::Error, name, title);
    let card = ProblemStatus {
        detail: latest.error().map(explanation).unwrap_or_default(),
        since: when(first),
        responsible: plain_text(reason.responsible()),
        remedy: plain_text(reason.remedy()),
        ..card
    };
    Some((severity, card))
}

fn configuration_cards(view: &ProxyView) -> Vec<(Severity, ProblemStatus)> {
    let change = (view.pending_change)();
    let kinds = [
        (
            change.refused,
            Severity::Warning,
            "configuration_refused",
            "The changed configuration cannot be used; the last valid one stays in use",
            "correct it; a corrected file is used within 3 s",
        ),
        (
            change.waiting,
            Severity::Warning,
            "configuration_waiting",
            "The changed configuration waits for its first token; the previous one stays in use",
            "correct its credentials if the token endpoint refuses them",
        ),
        (
            change.restart,
            Severity::Notice,
            "configuration_needs_restart",
            "A changed key takes effect only after a restart",
            "restart cupbearer",
        ),
    ];
    let notes = (view.notes)();
    let present = kinds.into_iter().filter(|(is_present, ..)| *is_present);
    present
        .map(|(_, severity, code, title, remedy)| {
            let (severity, card) = card(severity, code, title);
            let card = ProblemStatus {
                detail: notes.join("; "),
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
fn rejection_cards(recent: &[JournalEntry]) -> Vec<(Severity, ProblemStatus)> {
    let kinds = [
        (
            Reason::CallerUnknown,
            "An unknown caller was refused: it sent no key, or a wrong one",
        ),
        (
            Reason::HostRefused,
            "A request with a foreign host name was refused",
        ),
        (
            Reason::OriginRefused,
            "A request of another web page was refused",
        ),
        (
            Reason::UserRefused,
            "A request of another local user was refused",
        ),
        (
            Reason::TargetRefused,
            "A request for another server was refused",
        ),
        (
            Reason::RuleRefused,
            "A request that no rule allows was refused",
        ),
    ];
    let of_kind = |(reason, title): (Reason, &str)| {
        let mut rejected = recent.iter().filter(|entry| {
            entry.reason == Some(reason.name()) && entry.ended.elapsed() < REJECTION_TIME
        });
        let first = rejected.next()?;
        let latest = rejected.next_back().unwrap_or(first);
        let (severity, card) = card(Severity::Warning, reason.name(), title);
        let card = ProblemStatus {
            detail: latest.error().map(explanation).unwrap_or_default(),
            since: when(first),
            responsible: plain_text(reason.responsible()),
            remedy: plain_text(reason.remedy()),
            ..card
        };
        Some((severity, card))
    };
    kinds.into_iter().filter_map(of_kind).collect()
}

/// When the response of a request ended.
fn when(entry: &JournalEntry) -> Option<String> {
    let ended = SystemTime::now().checked_sub(entry.ended.elapsed())?;
    date_and_time(ended)
}

#[cfg(test)]
mod tests;
