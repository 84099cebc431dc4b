//! What is counted: closed labels, the Prometheus text format, the journal of recent requests.
//!
//! Knows no other room: the others hand over words and numbers. A label is never a caller's own text, so
//! nobody outside can make series. Secrets, queries and bodies are never given to this room.

mod journal;
mod level;
mod process;
mod tally;
mod token;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use tokio::time::Instant;

pub use journal::Entry;
pub use level::{Held, Level};
pub use process::Process;
use tally::Tally;
pub use token::TokenFacts;

/// The media type of [`text`]: the exposition format that every Prometheus reads.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds in seconds: half a millisecond (an answer from the same machine) to two minutes (the default of
/// `upstream.head_timeout`), finer where people look.
const SECONDS: [f64; 15] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];

/// The methods that have a label of their own; every other one is `other`.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

/// First digit of the status; `none` where the client left before there was one.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// How a reload can end; `waiting` is a new identity without its first token.
const RELOADS: [&str; 4] = ["applied", "waiting", "restart", "refused"];

/// What one proxy counts.
pub struct Metrics {
    proxy: Option<Box<str>>,
    registry: Registry,
    requests: IntCounterVec,
    /// The same counters for requests that nobody refused and no configured caller made, without a look-up; and what
    /// else every request adds to.
    tally: Tally,
    in_flight: (Level, IntGauge),
    client_connections: (Level, IntGauge),
    upstream_connections: (Level, IntGauge),
    bytes_in: IntCounter,
    bytes_out: IntCounter,
    upstream_outcomes: IntCounterVec,
    token: token::Counted,
    reloads: IntCounterVec,
    watcher: OnceLock<Watcher>,
}

/// Is told of every request that has ended.
pub type Watcher = Box<dyn Fn(&Exchange<'_>) + Send + Sync>;

/// One request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path without the query.
    pub path: &'a str,
    /// The status of its answer; none where the client left before.
    pub status: Option<u16>,
    /// Why we answered ourselves, or why the answer broke off.
    pub reason: Option<&'static str>,
    /// The configured caller.
    pub caller: Option<&'a str>,
    /// Its name in the logs.
    pub request_id: &'a str,
    /// When its answer had ended.
    pub ended: Instant,
    /// From its head until then.
    pub total: Duration,
    /// From its being sent on to the head of the upstream's answer.
    pub upstream_head: Option<Duration>,
}

impl Metrics {
    /// All at zero. `proxy` becomes a label of every series: needed only where several proxies share a process.
    #[must_use]
    pub fn new(proxy: Option<&str>) -> Arc<Self> {
        let make = Maker {
            registry: Registry::new(),
            proxy,
        };
        let requests = make.counters(
            "cupbearer_requests_total",
            "Requests that have ended.",
            &["method", "status_class", "reason", "caller"],
        );
        let connections = make.gauges(
            "cupbearer_connections",
            "Connections that are open.",
            &["side"],
        );
        let bytes = make.counters(
            "cupbearer_bytes_total",
            "Bytes read from clients (in) and written to them (out), heads included.",
            &["direction"],
        );
        let reloads = make.counters(
            "cupbearer_reload_total",
            "Changed configurations: applied, or refused and the old one kept.",
            &["outcome"],
        );
        for outcome in RELOADS {
            reloads.with_label_values(&[outcome]); // at zero: an alert rule cannot see a series begin
        }
        let plain: Vec<_> = METHODS
            .iter()
            .flat_map(|method| CLASSES.iter().map(move |class| (method, class)))
            .map(|(method, class)| requests.with_label_values(&[*method, *class, "", ""]))
            .collect();
        let request_seconds = make.histogram(
            "cupbearer_request_seconds",
            "From a request's head to the end of its answer.",
        );
        let upstream_head_seconds = make.histogram(
            "cupbearer_upstream_head_seconds",
            "From a request's being sent on to the head of the upstream's answer.",
        );
        Arc::new(Self {
            proxy: proxy.map(Into::into),
            tally: Tally::new(&plain, &request_seconds, &upstream_head_seconds),
            in_flight: (
                Level::default(),
                make.gauge(
                    "cupbearer_requests_in_flight",
                    "Requests that are being answered.",
                ),
            ),
            client_connections: (Level::default(), connections.with_label_values(&["client"])),
            upstream_connections: (
                Level::default(),
                connections.with_label_values(&["upstream"]),
            ),
            bytes_in: bytes.with_label_values(&["in"]),
            bytes_out: bytes.with_label_values(&["out"]),
            upstream_outcomes: make.counters(
                "cupbearer_upstream_connections_total",
                "Attempts to connect to the upstream.",
                &["outcome"],
            ),
            token: token::Counted::new(&make),
            reloads,
            watcher: OnceLock::new(),
            requests,
            registry: make.registry,
        })
    }

    /// Which of the process's proxies it is, where there are several.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// Counts a request that has ended.
    pub fn ended(&self, exchange: &Exchange<'_>) {
        let (method, class) = (method_index(exchange.method), class_index(exchange.status));
        let is_plain = exchange.reason.is_none() && exchange.caller.is_none();
        if !is_plain {
            self.requests
                .with_label_values(&[
                    METHODS[method],
                    CLASSES[class],
                    exchange.reason.unwrap_or_default(),
                    exchange.caller.unwrap_or_default(),
                ])
                .inc();
        }
        let plain = is_plain.then_some(method * CLASSES.len() + class);
        self.tally.add(exchange, plain);
        if let Some(watcher) = self.watcher.get() {
            watcher(exchange);
        }
    }

    /// From here on `watcher` is told of every request that has ended; the first one stays.
    pub fn watch(&self, watcher: Watcher) {
        let _ = self.watcher.set(watcher);
    }

    /// The requests of the last while, youngest last.
    #[must_use]
    pub fn recent(&self) -> Vec<Entry> {
        self.tally.figures().journal.entries()
    }

    /// How many requests are being answered.
    #[must_use]
    pub fn in_flight(&self) -> &Level {
        &self.in_flight.0
    }

    /// How many clients are connected.
    #[must_use]
    pub fn client_connections(&self) -> &Level {
        &self.client_connections.0
    }

    /// How many connections to the upstream are open.
    #[must_use]
    pub fn upstream_connections(&self) -> &Level {
        &self.upstream_connections.0
    }

    /// Bytes that clients have sent.
    #[must_use]
    pub fn bytes_in(&self) -> &IntCounter {
        &self.bytes_in
    }

    /// Bytes that clients have been sent.
    #[must_use]
    pub fn bytes_out(&self) -> &IntCounter {
        &self.bytes_out
    }

    /// Counts an attempt to connect to the upstream: `opened`, or why not.
    pub fn upstream_connection(&self, outcome: &'static str) {
        self.upstream_outcomes.with_label_values(&[outcome]).inc();
    }

    /// Counts a changed configuration: `applied`, `refused`, `waiting` where its identity gets no token, or
    /// `restart` where a key needs one.
    pub fn reloaded(&self, outcome: &'static str) {
        self.reloads.with_label_values(&[outcome]).inc();
    }

    /// Takes over what the token's own state says; called before the metrics are read.
    pub fn note_token(&self, facts: &TokenFacts) {
        self.token.set(facts);
    }

    fn gather(&self) -> Vec<MetricFamily> {
        for (level, gauge) in [
            &self.in_flight,
            &self.client_connections,
            &self.upstream_connections,
        ] {
            gauge.set(i64::try_from(level.get()).unwrap_or(i64::MAX));
        }
        self.tally.write_through();
        self.registry.gather()
    }
}

/// All of it as Prometheus reads it: the process, then its proxies.
#[must_use]
pub fn text(process: &Process, proxies: &[Arc<Metrics>]) -> String {
    let mut families = process.gather();
    for proxy in proxies {
        for mut family in proxy.gather() {
            // A family may stand in the text only once.
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
    // A Vec takes every write, and names and labels are constants or checked by the configuration.
    let _ = TextEncoder::new().encode(&families, &mut text);
    String::from_utf8(text).unwrap_or_default()
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

/// Makes metrics of one registry.
struct Maker<'a> {
    registry: Registry,
    proxy: Option<&'a str>,
}

impl Maker<'_> {
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(self.opts(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(self.opts(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::with_opts(self.opts(name, help)))
    }

    fn histogram(&self, name: &str, help: &str) -> Histogram {
        let opts = HistogramOpts {
            common_opts: self.opts(name, help),
            buckets: SECONDS.to_vec(),
        };
        self.registered(Histogram::with_opts(opts))
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        let opts = Opts::new(name, help);
        match self.proxy {
            Some(proxy) => opts.const_label("proxy", proxy),
            None => opts,
        }
    }

    fn registered<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("names and labels are constants that the format admits");
        self.registry
            .register(Box::new(collector.clone()))
            .expect("each name is registered once");
        collector
    }
}

#[cfg(test)]
mod tests;
