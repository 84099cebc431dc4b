//! Logs: one bounded queue in front of standard error, so that a blocked output never stalls traffic.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};

/// Lines that may wait for a slow output; later ones are dropped, never waited for.
const QUEUE_LINES: usize = 8192;

/// Keeps the logs flowing; writes what is left on drop.
#[must_use]
pub struct Telemetry {
    _writer: WorkerGuard,
    lost: ErrorCounter,
}

impl Telemetry {
    /// How many lines a blocked output has cost so far, to be asked later.
    pub fn lines_dropped(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let lost = self.lost.clone();
        move || lost.dropped_lines() as u64
    }
}

/// Starts logging to standard error for the whole process; a second start changes nothing.
///
/// # Errors
/// `log.level` is neither a level nor a directive.
pub fn start(log: &Log) -> Result<Telemetry, ParseError> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE_LINES)
        .lossy(true)
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    install(log.format, filter, writer);
    hide_panic_messages();
    Ok(Telemetry {
        _writer: guard,
        lost,
    })
}

fn install(format: LogFormat, filter: EnvFilter, writer: NonBlocking) {
    let terminal = std::io::stderr().is_terminal();
    let as_text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let _ = if as_text {
        builder.with_ansi(colours).with_target(false).try_init()
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    };
}

/// A panic's message can hold a request's values; where it happened cannot.
fn hide_panic_messages() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|location| format!("{}:{}", location.file(), location.line()));
        tracing::error!(place, "panic");
    }));
}
