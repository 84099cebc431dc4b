//! The metrics of the whole process: its version, its memory and descriptors, the log lines that it dropped.

use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Opts, Registry};

/// The metrics that all proxies of one process share.
pub struct ProcessMetrics {
    registry: Registry,
    log_lines_dropped: IntCounter,
    dropped_so_far: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl ProcessMetrics {
    /// `dropped_so_far` returns how many log lines have been dropped because the output was blocked.
    ///
    /// # Panics
    /// Never: the names are constants, and each is registered once.
    #[must_use]
    pub fn new(dropped_so_far: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let registry = Registry::new();
        let build = Opts::new("cupbearer_build_info", "Always 1; the version is a label.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let build = IntGauge::with_opts(build).expect("the name is a constant");
        build.set(1);
        let log_lines_dropped = IntCounter::new(
            "cupbearer_log_lines_dropped_total",
            "Log lines that were dropped because the output was blocked.",
        )
        .expect("the name is a constant");
        for collector in [
            Box::new(build) as Box<dyn prometheus::core::Collector>,
            Box::new(log_lines_dropped.clone()),
        ] {
            registry
                .register(collector)
                .expect("each name is registered once");
        }
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect("nothing else is called process_");
        Self {
            registry,
            log_lines_dropped,
            dropped_so_far: Box::new(dropped_so_far),
        }
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        let dropped = (self.dropped_so_far)();
        self.log_lines_dropped
            .inc_by(dropped.saturating_sub(self.log_lines_dropped.get()));
        self.registry.gather()
    }
}
