//! What is counted: metrics with closed labels in Prometheus' text format, and a journal of recent requests.
//!
//! This module depends on no other: callers pass strings and numbers. A label never holds text from a client, so
//! clients cannot create series. Secrets, queries and bodies never reach this module.
//!
//! To add a metric, define it in the file of its subject (`requests`, `traffic`, `token`, `process`, or [`Metrics`]
//! itself), with its name, help and labels, and count where the thing happens.

mod active;
mod api_answers;
mod batch;
mod certificates;
mod failures;
mod history;
mod inline_text;
mod markdown;
mod pending;
mod process;
mod recent;
mod registrar;
mod request;
mod requests;
mod tasks;
mod token;
mod traffic;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Encoder as _, IntCounter, IntCounterVec, Registry, TextEncoder};

use api_answers::ApiAnswers;
use certificates::CertificateMetrics;
use history::History;
use pending::PendingGauges;
use registrar::{Registrar, at_zero};
use requests::RequestMetrics;
use token::TokenMetrics;
use traffic::TrafficMetrics;

pub use active::{ActiveCount, ActiveGuard};
pub use api_answers::{ErrorAnswer, ErrorStreak};
pub use failures::{FAILURE_MEMORY, FailureSpell};
pub use history::{NewerSamples, SAMPLE_INTERVAL, TrafficSample, TrafficTotals};
pub use pending::PendingChange;
pub use process::ProcessMetrics;
pub use recent::{JournalEntry, NewerRequests};
pub use registrar::TIME_BUCKETS;
pub use request::{FinishedRequest, RequestDetails, RequestObserver, protocol_name};
pub use tasks::{StoppedTask, StoppedTasks};
pub use token::TokenFacts;

/// The media type of [`text`]: the exposition format that every version of Prometheus reads.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a reload can end. `waiting` is a new identity that has no token yet.
const RELOAD_OUTCOMES: [&str; 4] = ["applied", "waiting", "restart", "refused"];

/// The metrics of one proxy.
pub struct Metrics {
    proxy: Option<Box<str>>,
    registry: Registry,
    requests: RequestMetrics,
    traffic: TrafficMetrics,
    token: TokenMetrics,
    reloads: IntCounterVec,
    pending: PendingGauges,
    certificates: CertificateMetrics,
    stopped_tasks: StoppedTasks,
    observer: OnceLock<RequestObserver>,
    history: History,
    answers: ApiAnswers,
}

impl Metrics {
    /// All at zero. `proxy` becomes a label of every series, which only several proxies in one process need.
    #[must_use]
    pub fn new(proxy: Option<&str>) -> Arc<Self> {
        let register = Registrar {
            registry: Registry::new(),
            proxy,
        };
        let reloads = register.counters(
            "cupbearer_reload_total",
            "Changes to the configuration, by outcome.",
            &["outcome"],
        );
        at_zero(&reloads, RELOAD_OUTCOMES);
        Arc::new(Self {
            proxy: proxy.map(Into::into),
            requests: RequestMetrics::new(&register),
            traffic: TrafficMetrics::new(&register),
            token: TokenMetrics::new(&register),
            reloads,
            pending: PendingGauges::new(&register),
            certificates: CertificateMetrics::new(&register),
            stopped_tasks: StoppedTasks::default(),
            observer: OnceLock::new(),
            history: History::default(),
            answers: ApiAnswers::default(),
            registry: register.registry,
        })
    }

    /// The name of the proxy, if the process has several.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// Counts a finished request.
    pub fn request_finished(&self, request: &FinishedRequest<'_>) {
        self.requests.add(request);
        if let Some(observer) = self.observer.get() {
            observer(request);
        }
    }

    /// Calls `observer` with every request that finishes from now on. Only the first observer is kept.
    pub fn observe_requests(&self, observer: RequestObserver) {
        let _ = self.observer.set(observer);
    }

    /// The most recent requests, the oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<JournalEntry> {
        self.requests.newer_than(0, usize::MAX).entries
    }

    /// The last `most` requests that finished after the one with the number `after`; the first has the number 1.
    #[must_use]
    pub fn newer_than(&self, after: u64, most: usize) -> NewerRequests {
        self.requests.newer_than(after, most)
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn totals(&self) -> TrafficTotals {
        TrafficTotals {
            bytes_in: self.traffic.bytes_in.get(),
            bytes_out: self.traffic.bytes_out.get(),
            ..self.requests.totals()
        }
    }

    /// Adds what has been counted since the last sample to the history. To be called every [`SAMPLE_INTERVAL`].
    pub fn take_sample(&self) {
        let added = self.history.add(self.totals());
        self.requests.follow(&self.answers);
        self.answers.check(&added);
    }

    /// For what reasons requests have failed lately, and since when.
    #[must_use]
    pub fn recent_failures(&self) -> Vec<FailureSpell> {
        self.requests.failures.current()
    }

    /// How many requests the API has responded to.
    #[must_use]
    pub fn responses(&self) -> u64 {
        self.requests.responses()
    }

    /// The error that the API has answered all recent requests with, if there is one.
    #[must_use]
    pub fn error_streak(&self) -> Option<ErrorStreak> {
        self.requests.follow(&self.answers);
        self.answers.streak()
    }

    /// The samples after the one with the number `after`.
    #[must_use]
    pub fn samples_after(&self, after: u64) -> NewerSamples {
        self.history.newer_than(after)
    }

    /// The background tasks that have stopped.
    #[must_use]
    pub fn stopped_tasks(&self) -> &StoppedTasks {
        &self.stopped_tasks
    }

    /// Requests whose response has not ended yet.
    #[must_use]
    pub fn in_flight(&self) -> &ActiveCount {
        &self.requests.in_flight.count
    }

    /// Open connections from clients.
    #[must_use]
    pub fn client_connections(&self) -> &ActiveCount {
        &self.traffic.client_connections.count
    }

    /// Open connections to the upstream.
    #[must_use]
    pub fn upstream_connections(&self) -> &ActiveCount {
        &self.traffic.upstream_connections.count
    }

    /// Bytes read from clients.
    #[must_use]
    pub fn bytes_in(&self) -> &IntCounter {
        &self.traffic.bytes_in
    }

    /// Bytes written to clients.
    #[must_use]
    pub fn bytes_out(&self) -> &IntCounter {
        &self.traffic.bytes_out
    }

    /// Counts an attempt to connect to the upstream: `opened`, or why it failed.
    pub fn upstream_connection(&self, outcome: &'static str) {
        let attempts = &self.traffic.upstream_attempts;
        attempts.with_label_values(&[outcome]).inc();
    }

    /// Counts a changed configuration: `applied`; `refused`; `waiting` if its new identity has no token yet; `restart`
    /// if a changed key needs one.
    pub fn reloaded(&self, outcome: &'static str) {
        self.reloads.with_label_values(&[outcome]).inc();
    }

    /// Makes the counters of failed requests begin at zero for these reasons.
    pub fn begin_reasons_at_zero(&self, reasons: impl IntoIterator<Item = &'static str>) {
        self.requests.begin_at_zero(reasons);
    }

    /// Copies into the metrics why a changed configuration is not in use. Called before they are read.
    pub fn note_pending(&self, change: PendingChange) {
        self.pending.set(change);
    }

    /// Sets when the certificate expires that is presented to `listener`, `upstream` or `token`, since 1970; `None` if
    /// there is none.
    pub fn certificate_expires(&self, usage: &'static str, expires: Option<Duration>) {
        self.certificates.set(usage, expires);
    }

    /// Copies the token's state into the metrics. Called before they are read.
    pub fn note_token(&self, facts: &TokenFacts) {
        self.token.set(facts);
    }

    fn gather(&self) -> Vec<MetricFamily> {
        self.requests.update();
        self.traffic.update();
        self.registry.gather()
    }
}

/// All metrics in Prometheus' text format: those of the process, then those of its proxies.
#[must_use]
pub fn text(process: &ProcessMetrics, proxies: &[Arc<Metrics>]) -> String {
    let mut families = process.gather();
    for proxy in proxies {
        for mut family in proxy.gather() {
            // The format allows each family only once.
            match families
                .iter_mut()
                .find(|known| known.name() == family.name())
            {
                Some(known) => known.mut_metric().extend(family.take_metric()),
                None => families.push(family),
            }
        }
    }
    let mut text = Vec::new();
    // Cannot fail: a Vec accepts every write, and all names and labels are valid.
    let _ = TextEncoder::new().encode(&families, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Every metric as a Markdown table, for docs/metrics.md. `reasons` are the values of the label `reason` of failed
/// requests.
#[must_use]
pub fn markdown_table(reasons: &[&'static str]) -> String {
    let metrics = Metrics::new(None);
    metrics.begin_reasons_at_zero(reasons.iter().copied());
    for usage in certificates::USES {
        metrics.certificate_expires(usage, Some(Duration::ZERO));
    }
    let mut families = metrics.gather();
    families.extend(ProcessMetrics::new(|| 0).gather());
    markdown::table(families)
}

#[cfg(test)]
mod tests;
