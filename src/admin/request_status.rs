//! Describes one finished request for `/status` and the page: never a query, a header field or a body.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::status_api::RecentRequest;
use crate::config::Rule;
use crate::guard::readable_path;
use crate::metrics::{JournalEntry, protocol_name};
use crate::problem::Reason;
use crate::text::{Unprintable, is_printable, loggable, sanitize};

/// The last entry of `entries` has the number `recorded`; the order is kept.
pub(super) fn numbered(entries: &[JournalEntry], recorded: u64) -> Vec<RecentRequest> {
    let first = recorded - entries.len() as u64 + 1;
    let numbers = first..;
    let described = entries.iter().zip(numbers);
    described
        .map(|(entry, number)| recent_request(entry, number))
        .collect()
}

pub(super) fn recent_request(entry: &JournalEntry, number: u64) -> RecentRequest {
    let reason = entry.reason.and_then(|name| reason_of(name, entry.status));
    let ago = entry.ended.elapsed();
    let ended_at = SystemTime::now().checked_sub(ago);
    let since_epoch = ended_at.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let (rule_key, rule) = missing_rule(entry).unzip();
    RecentRequest {
        number,
        ago_s: ago.as_secs(),
        ended_at_ms: since_epoch.map_or(0, |time| {
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
        }),
        method: loggable(entry.method.as_str()).into_owned(),
        path: loggable(entry.path()).into_owned(),
        path_is_cut: is_altered(entry) || !entry.path().is_ascii(),
        status: entry.status,
        reason: entry.reason.map(str::to_owned),
        error: entry.error().map(explanation),
        responsible: reason.map(Reason::plain_responsible),
        remedy: reason.map(Reason::plain_remedy),
        rule_key,
        rule,
        caller: entry.caller().map(str::to_owned),
        user: entry.user.map(|user| format!("uid:{user}")),
        answered_by: answered_by(entry).to_owned(),
        request_id: entry.request_id().to_owned(),
        trace_id: entry.trace_id().map(str::to_owned),
        token_generation: entry.token_generation,
        replayed: entry.replayed,
        http: protocol_name(entry.version).to_owned(),
        ms: milliseconds(entry.total),
        sent_ms: entry.sent_after().map(milliseconds),
        api_ms: entry.upstream_head.map(milliseconds),
        head_ms: entry.head_after().map(milliseconds),
        bytes_in: entry.bytes_in,
        bytes_out: entry.bytes_out,
    }
}

const fn answered_by(entry: &JournalEntry) -> &'static str {
    match (entry.token_generation, entry.status) {
        (Some(_), _) => "api",
        (None, Some(_)) => "cupbearer",
        (None, None) => "nobody",
    }
}

/// The error without the word that the log begins with, which the status says already.
pub(super) fn explanation(error: &str) -> String {
    let error = error.strip_prefix("rejected: ").unwrap_or(error);
    sanitize(error, Unprintable::Mark)
}

/// The reason with this name. Where two have the same name, the status tells them apart.
pub(super) fn reason_of(name: &str, status: Option<u16>) -> Option<Reason> {
    let mut named = Reason::ALL.into_iter().filter(|one| one.name() == name);
    let exact = named
        .clone()
        .find(|one| Some(one.status().as_u16()) == status);
    exact.or_else(|| named.next())
}

/// Whether the recorded path is not the one that was sent: it was too long, or credentials were cut out of it.
fn is_altered(entry: &JournalEntry) -> bool {
    entry.path_is_cut() || entry.path().split('/').any(|one| one.starts_with("...@"))
}

/// The list of rules that has none for this request, and the rule that would admit it. `None` if the request was
/// rejected for another reason, or if a rule cannot say exactly this path.
fn missing_rule(entry: &JournalEntry) -> Option<(String, String)> {
    let error = entry
        .error()
        .filter(|_| entry.reason == Some("rule_refused"))?;
    let (_, key) = error
        .strip_suffix('.')?
        .rsplit_once(" matches no rule of ")?;
    let path = readable_path(entry.path()).filter(|_| !is_altered(entry))?;
    // In a rule, a star would match any name or method.
    if entry.method.as_str() == "*" || path.contains('*') || !path.chars().all(is_printable) {
        return None;
    }
    let method = match entry.method.as_str() {
        "HEAD" => "GET",
        method => method,
    };
    let rule = format!("{method} {path}");
    Rule::parse(&rule).ok()?;
    Some((key.to_owned(), serde_json::to_string(&rule).ok()?))
}

/// Rounded to microseconds, since f64 would otherwise print 0.33537500000000003.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests;
