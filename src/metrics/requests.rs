//! The metrics of requests: how many, how long they took, how many are in flight.

use http::{Method, Version};
use prometheus::core::{Collector as _, Metric as _};
use prometheus::proto::{LabelPair, MetricFamily};
use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::api_answers::ApiAnswers;
use super::batch::RequestBatch;
use super::failures::RequestFailures;
use super::history::{CLASSES, TrafficTotals};
use super::recent::NewerRequests;
use super::registrar::{ActiveGauge, Registrar};
use super::request::FinishedRequest;

/// The methods that have a label of their own; all others are counted as `other`.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

pub(super) struct RequestMetrics {
    total: IntCounterVec,
    /// Those of `total` that arrived as HTTP/2.
    http2: IntCounter,
    /// Those that the API responded to over HTTP/2.
    api_http2: IntCounter,
    failed: IntCounterVec,
    /// For what reasons requests have failed, and since when.
    pub(super) failures: RequestFailures,
    request_seconds: Histogram,
    upstream_head_seconds: Histogram,
    /// Holds the counters of plain requests (no reason, no configured caller), so that they need no look-up.
    batch: RequestBatch,
    pub(super) in_flight: ActiveGauge,
}

impl RequestMetrics {
    pub(super) fn new(register: &Registrar<'_>) -> Self {
        let total = register.counters(
            "cupbearer_requests_total",
            "Finished requests.",
            &["method", "status_class", "reason", "caller"],
        );
        let plain: Vec<_> = METHODS
            .iter()
            .flat_map(|method| CLASSES.iter().map(move |class| (method, class)))
            .map(|(method, class)| total.with_label_values(&[*method, *class, "", ""]))
            .collect();
        let request_seconds = register.histogram(
            "cupbearer_request_seconds",
            "Time from the head of a request to the end of its response.",
        );
        let upstream_head_seconds = register.histogram(
            "cupbearer_upstream_head_seconds",
            "Time from forwarding a request to the head of the upstream's response.",
        );
        Self {
            batch: RequestBatch::new(&plain, &request_seconds, &upstream_head_seconds),
            in_flight: ActiveGauge::new(register.gauge(
                "cupbearer_requests_in_flight",
                "Requests whose response has not ended yet.",
            )),
            http2: register.registered(IntCounter::with_opts(register.opts(
                "cupbearer_http2_requests_total",
                "Finished requests that arrived as HTTP/2. cupbearer_requests_total counts them too.",
            ))),
            api_http2: register.registered(IntCounter::with_opts(register.opts(
                "cupbearer_upstream_http2_requests_total",
                "Finished requests that the API responded to over HTTP/2. cupbearer_requests_total counts them too.",
            ))),
            failed: register.counters(
                "cupbearer_failed_requests_total",
                "Finished requests that cupbearer rejected, could not carry out or aborted.",
                &["reason"],
            ),
            failures: RequestFailures::default(),
            request_seconds,
            upstream_head_seconds,
            total,
        }
    }

    pub(super) fn begin_at_zero(&self, reasons: impl IntoIterator<Item = &'static str>) {
        for reason in reasons {
            self.failed.with_label_values(&[reason]);
        }
    }

    pub(super) fn add(&self, request: &FinishedRequest<'_>) {
        let (method, class) = (method_index(request.method), class_index(request.status));
        if request.details.version == Version::HTTP_2 {
            self.http2.inc();
        }
        if request.details.is_api_http2 {
            self.api_http2.inc();
        }
        let is_plain = request.reason.is_none() && request.caller.is_none();
        if !is_plain {
            self.total
                .with_label_values(&[
                    METHODS[method],
                    CLASSES[class],
                    request.reason.unwrap_or_default(),
                    request.caller.unwrap_or_default(),
                ])
                .inc();
        }
        if let Some(reason) = request.reason {
            self.add_failure(reason, request);
        }
        let plain = is_plain.then_some(method * CLASSES.len() + class);
        self.batch.add(request, plain);
    }

    #[cold]
    fn add_failure(&self, reason: &'static str, request: &FinishedRequest<'_>) {
        self.failed.with_label_values(&[reason]).inc();
        self.failures.add(reason, request, self.responses());
    }

    /// How many requests the API has responded to.
    pub(super) fn responses(&self) -> u64 {
        let pending = self.batch.lock();
        pending.upstream_heads() + self.upstream_head_seconds.get_sample_count()
    }

    /// Shows the journal to `answers`.
    pub(super) fn follow(&self, answers: &ApiAnswers) {
        answers.follow(&self.batch.lock().journal);
    }

    pub(super) fn newer_than(&self, after: u64, most: usize) -> NewerRequests {
        self.batch.lock().journal.newer_than(after, most)
    }

    /// By class and by time; the bytes are counted elsewhere.
    pub(super) fn totals(&self) -> TrafficTotals {
        self.batch.flush();
        let mut totals = TrafficTotals::default();
        for metric in self
            .total
            .collect()
            .iter()
            .flat_map(MetricFamily::get_metric)
        {
            let label = |name| {
                let mut labels = metric.get_label().iter();
                labels
                    .find(|label| label.name() == name)
                    .map_or("", LabelPair::value)
            };
            let class = label("status_class");
            if let Some(class) = CLASSES.iter().position(|one| *one == class) {
                let count = whole(metric.get_counter().get_value());
                totals.by_class[class] += count;
                if label("reason").is_empty() {
                    totals.of_api_by_class[class] += count;
                }
            }
        }
        let seconds = self.request_seconds.metric();
        let mut below = 0;
        for bucket in seconds.get_histogram().get_bucket() {
            totals.by_time.push(bucket.cumulative_count() - below);
            below = bucket.cumulative_count();
        }
        totals
            .by_time
            .push(seconds.get_histogram().get_sample_count() - below);
        totals
    }

    pub(super) fn update(&self) {
        self.in_flight.update();
        self.batch.flush();
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of requests is never negative, and exact up to 2^53"
)]
const fn whole(count: f64) -> u64 {
    count as u64
}

fn method_index(method: &Method) -> usize {
    let other = METHODS.len() - 1;
    METHODS[..other]
        .iter()
        .position(|known| *known == method.as_str())
        .unwrap_or(other)
}

fn class_index(status: Option<u16>) -> usize {
    status.map_or(0, |status| usize::from(status / 100).min(CLASSES.len() - 1))
}
