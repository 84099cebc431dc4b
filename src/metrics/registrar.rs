//! Creates metrics and registers them in the registry of one proxy.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::active::ActiveCount;

/// Upper bounds in seconds: from half a millisecond (a response from the same machine) to two minutes (the default of
/// `upstream.head_timeout`), finer where most responses are.
pub const TIME_BUCKETS: [f64; 15] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];

/// Gives every metric the same `proxy` label, if there is one.
pub(super) struct Registrar<'a> {
    pub(super) registry: Registry,
    pub(super) proxy: Option<&'a str>,
}

impl Registrar<'_> {
    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(self.opts(name, help), labels))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(self.opts(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::with_opts(self.opts(name, help)))
    }

    pub(super) fn histogram(&self, name: &str, help: &str) -> Histogram {
        let opts = HistogramOpts {
            common_opts: self.opts(name, help),
            buckets: TIME_BUCKETS.to_vec(),
        };
        self.registered(Histogram::with_opts(opts))
    }

    pub(super) fn opts(&self, name: &str, help: &str) -> Opts {
        let opts = Opts::new(name, help);
        match self.proxy {
            Some(proxy) => opts.const_label("proxy", proxy),
            None => opts,
        }
    }

    pub(super) fn registered<C: Collector + Clone + 'static>(
        &self,
        created: prometheus::Result<C>,
    ) -> C {
        let collector = created.expect("names and labels are constants that the format accepts");
        self.registry
            .register(Box::new(collector.clone()))
            .expect("each name is registered once");
        collector
    }
}

/// An [`ActiveCount`] that is shown as a gauge.
pub(super) struct ActiveGauge {
    pub(super) count: ActiveCount,
    gauge: IntGauge,
}

impl ActiveGauge {
    pub(super) fn new(gauge: IntGauge) -> Self {
        Self {
            count: ActiveCount::default(),
            gauge,
        }
    }

    /// Copies the count into the gauge.
    pub(super) fn update(&self) {
        let count = i64::try_from(self.count.get()).unwrap_or(i64::MAX);
        self.gauge.set(count);
    }
}

/// The counters of a family, by label, all present at zero: an alert rule does not see the first increase of a series
/// that begins with it.
pub(super) fn at_zero<const N: usize>(
    family: &IntCounterVec,
    labels: [&str; N],
) -> [IntCounter; N] {
    labels.map(|label| family.with_label_values(&[label]))
}
