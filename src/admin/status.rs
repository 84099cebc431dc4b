//! Collects what `/status` and the page show: never a token, a secret, a query or a body.

use std::time::SystemTime;

use super::problem_cards::{problem_cards, process_card};
use super::readiness::Readiness;
use super::request_status::numbered;
use super::status_api::{
    ProblemStatus, ProcessStatus, ProxyStatus, SignInStatus, TokenAttemptStatus,
    TokenRequestCounts, TokenStatus, TotalsStatus, UnconfirmedSignIn,
};
use super::view::ProxyView;
use crate::metrics::{StoppedTask, TrafficTotals};
use crate::text::date_and_time;
use crate::token::{PersonChange, SignInSnapshot, Snapshot, TokenAttempt, Tokens};

/// How many of the recent requests `/status` has.
const SHOWN: usize = 64;

/// What concerns the process rather than one of its proxies.
pub(super) struct ProcessState<'a> {
    pub(super) readiness: Readiness,
    /// Why proxies of this process have not started.
    pub(super) not_started: &'a [String],
    /// When the others had started.
    pub(super) started: SystemTime,
    /// The tasks of the admin listeners that have stopped.
    pub(super) stopped_tasks: Vec<StoppedTask>,
}

/// The whole status, with or without the recent requests.
pub(super) fn process_status(
    views: &[ProxyView],
    state: &ProcessState<'_>,
    with_recent: bool,
) -> ProcessStatus {
    ProcessStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: Some(std::process::id()),
        ready: state.readiness.is_ready,
        summary: state.readiness.line.clone(),
        problems: process_problems(views, state),
        proxies: views
            .iter()
            .map(|view| proxy_status(view, with_recent))
            .collect(),
    }
}

fn process_problems(views: &[ProxyView], state: &ProcessState<'_>) -> Vec<ProblemStatus> {
    let not_started = state.not_started.iter();
    let mut problems: Vec<_> = not_started
        .map(|why| {
            let remedy = "Correct it, and restart cupbearer.";
            process_card("not_started", why, state.started, remedy)
        })
        .collect();
    let mut stopped = state.stopped_tasks.clone();
    for view in views.iter().filter(|view| !(view.is_stopping)()) {
        stopped.extend(view.metrics.stopped_tasks().all());
    }
    problems.extend(stopped.iter().map(|task| {
        process_card(
            "task_stopped",
            &format!("stopped because of a bug in cupbearer: {}", task.name),
            task.at,
            "Restart cupbearer, and please report the bug.",
        )
    }));
    problems
}

fn proxy_status(view: &ProxyView, with_recent: bool) -> ProxyStatus {
    let snapshot = view.snapshot();
    let tokens = (view.tokens)();
    let attempts = tokens.recent_attempts();
    let mut notes = (view.notes)();
    if snapshot.refused_although_fresh.is_some() {
        notes.push("refused although fresh: a missing role?".to_owned());
    }
    notes.extend(snapshot.ends_soon());
    let mut recent = Vec::new();
    if with_recent {
        let newer = view.metrics.newer_than(0, SHOWN);
        recent = numbered(&newer.entries, newer.recorded);
        recent.reverse();
    }
    ProxyStatus {
        name: view.name.clone(),
        fingerprint: (view.fingerprint)(),
        listens_on: (view.listens_on)(),
        upstream: (view.upstream)(),
        uptime_s: view.since.elapsed().as_secs(),
        token: TokenStatus {
            sign_in: snapshot.sign_in.clone().map(|sign_in| SignInStatus {
                claims: tokens.person_claims(),
                ..sign_in_status(sign_in)
            }),
            awaited_sign_in: awaited_sign_in(view, &tokens),
            unconfirmed_sign_in: view
                .logins
                .unconfirmed()
                .map(|(id, change)| unconfirmed_sign_in(&id, &change)),
            ..token_status((view.token_from)(), snapshot, &attempts)
        },
        requests_in_flight: view.metrics.in_flight().get(),
        client_connections: view.metrics.client_connections().get(),
        upstream_connections: view.metrics.upstream_connections().get(),
        notes,
        has_pending_change: Some((view.has_pending_change)()),
        pending_fingerprint: (view.pending_fingerprint)(),
        problems: problem_cards(view),
        totals: totals_status(&view.metrics.totals()),
        recent,
    }
}

fn totals_status(totals: &TrafficTotals) -> TotalsStatus {
    let [unanswered, .., client_errors, server_errors] = totals.by_class;
    TotalsStatus {
        requests: totals.by_class.iter().sum(),
        client_errors,
        server_errors,
        unanswered,
        bytes_in: totals.bytes_in,
        bytes_out: totals.bytes_out,
    }
}

fn token_status(from: String, snapshot: Snapshot, attempts: &[TokenAttempt]) -> TokenStatus {
    let counts = snapshot.attempts;
    TokenStatus {
        from,
        state: snapshot.state.as_str().to_owned(),
        generation: snapshot.generation,
        expires_at: snapshot.expires_at.map(timestamp),
        usable_for_s: snapshot.usable_for.as_secs(),
        lifetime_s: snapshot.lifetime.as_secs(),
        next_attempt_in_s: snapshot.next_attempt_in.as_secs(),
        last_success: snapshot.last_success.map(timestamp),
        last_error: snapshot.last_error,
        refused: snapshot.refused,
        failures_in_a_row: snapshot.failures,
        requests: TokenRequestCounts {
            granted: counts.granted,
            refused: counts.refused,
            throttled: counts.throttled,
            unavailable: counts.unavailable,
        },
        attempts: attempts.iter().map(attempt_status).collect(),
        sign_in: None, // its caller knows the token
        awaited_sign_in: None,
        unconfirmed_sign_in: None,
    }
}

/// The sign-in that a changed configuration waits for.
fn awaited_sign_in(view: &ProxyView, live: &Tokens) -> Option<SignInStatus> {
    let newest = (view.sign_in_tokens)();
    let is_awaited = newest.needs_person() && !newest.is_same(live);
    let sign_in = newest.snapshot().sign_in.filter(|_| is_awaited);
    sign_in.map(sign_in_status)
}

/// A sign-in that waits for a confirmation.
pub(super) fn unconfirmed_sign_in(id: &str, change: &PersonChange) -> UnconfirmedSignIn {
    UnconfirmedSignIn {
        login: id.to_owned(),
        who: change.who.clone(),
        before: change.before.clone(),
    }
}

fn sign_in_status(snapshot: SignInSnapshot) -> SignInStatus {
    let (place, person) = (snapshot.place, snapshot.signed_in);
    SignInStatus {
        way: place.way.as_str().to_owned(),
        is_renewed: person.as_ref().is_some_and(|person| person.is_renewed),
        is_signed_in: person.is_some(),
        who: person.as_ref().and_then(|person| person.who.clone()),
        login_url: place.login_url,
        page: place.page,
        doubts: person.map(|person| person.doubts).unwrap_or_default(),
        claims: None,
    }
}

fn attempt_status(attempt: &TokenAttempt) -> TokenAttemptStatus {
    TokenAttemptStatus {
        at: timestamp(attempt.at),
        outcome: attempt.outcome.to_owned(),
        error: attempt.error.clone(),
    }
}

pub(super) fn timestamp(time: SystemTime) -> String {
    date_and_time(time).unwrap_or_else(|| "after the year 9999".to_owned())
}
