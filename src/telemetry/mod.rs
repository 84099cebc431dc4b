//! Logging. One bounded queue in front of standard error ensures that a blocked output never delays requests.

mod log_queue;
mod own_events;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogConfig, LogFormat};

use log_queue::{LineWriter, LogQueue};
use own_events::OwnEvents;

pub use log_queue::FlushOnDrop;

/// A handle to the log of the process.
#[must_use]
pub struct Telemetry {
    replace_filter: Option<ReplaceFilter>,
    is_json: bool,
}

/// Replaces the filter of log lines.
type ReplaceFilter = Arc<dyn Fn(EnvFilter) + Send + Sync>;

impl Telemetry {
    /// Returns a function that counts the lines dropped so far, because the output was blocked or broken.
    pub fn lines_dropped(&self) -> impl Fn() -> u64 + Send + Sync + 'static + use<> {
        || LogQueue::started().map_or(0, LogQueue::dropped)
    }

    /// From now on, what [`print_line`] prints has the form of the log.
    pub fn print_like_the_log(&self) {
        PRINTS_JSON.store(self.is_json, Ordering::Relaxed);
    }

    /// Returns a function that changes the log level. A line below the level still costs only one load of a flag;
    /// another one costs an uncontended lock in addition to its writing.
    pub fn change_level(&self) -> impl Fn(&LogConfig) + Send + Sync + 'static {
        let replace_filter = self.replace_filter.clone();
        move |log| {
            let filter = EnvFilter::builder().parse(&log.level);
            if let (Some(replace_filter), Ok(filter)) = (&replace_filter, filter) {
                replace_filter(filter);
            }
        }
    }
}

/// Writes text for people through the queue, in order with the log. After [`Telemetry::print_like_the_log`], each line
/// becomes an object if the log is JSON. Returns false if [`FlushOnDrop::start`] has not been called.
#[must_use]
pub fn print_line(text: &str) -> bool {
    let Some(queue) = LogQueue::started() else {
        return false;
    };
    if PRINTS_JSON.load(Ordering::Relaxed) {
        let now = SystemTime::now();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let objects: String = lines.map(|line| json_line(line, now)).collect();
        queue.push(objects.into_bytes());
    } else {
        queue.push(format!("{text}\n").into_bytes());
    }
    true
}

/// Whether lines for people are JSON, like those of the log.
static PRINTS_JSON: AtomicBool = AtomicBool::new(false);

/// The line in the form of the log, whatever the log's level.
fn json_line(line: &str, now: SystemTime) -> String {
    let line = line.trim();
    let (level, message) = match line.strip_prefix("warning: ") {
        Some(warning) => ("WARN", warning),
        None if line.contains("cupbearer cannot start") => ("ERROR", line),
        None => ("INFO", line),
    };
    let message = serde_json::Value::from(message);
    let timestamp = humantime::format_rfc3339_micros(now);
    format!("{{\"timestamp\":\"{timestamp}\",\"level\":\"{level}\",\"message\":{message}}}\n")
}

/// Starts logging to standard error for the whole process, through the queue that `_flush` empties at the end. A second
/// start changes nothing.
///
/// # Errors
/// `log.level` is not a valid level or directive.
pub fn start(log: &LogConfig, _flush: &FlushOnDrop) -> Result<Telemetry, ParseError> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let as_text = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let replace_filter = install(as_text, filter);
    hide_panic_messages();
    Ok(Telemetry {
        replace_filter,
        is_json: !as_text,
    })
}

/// Installs the subscriber. Returns how to replace its filter, or `None` if another one is installed already.
fn install(as_text: bool, filter: EnvFilter) -> Option<ReplaceFilter> {
    let terminal = std::io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LineWriter);
    if as_text {
        let builder = builder.with_ansi(colours).with_target(false);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let installed = builder.finish().with(OwnEvents).try_init().is_ok();
        installed.then(|| -> ReplaceFilter { Arc::new(move |filter| drop(handle.reload(filter))) })
    } else {
        let builder = builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let installed = builder.finish().with(OwnEvents).try_init().is_ok();
        installed.then(|| -> ReplaceFilter { Arc::new(move |filter| drop(handle.reload(filter))) })
    }
}

/// Logs only where a panic happened, because its message may contain values of a request.
fn hide_panic_messages() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(|location| format!("{}:{}", location.file(), location.line()));
        tracing::error!(place = location, "panic");
    }));
}

#[cfg(test)]
mod tests;
