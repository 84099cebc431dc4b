//! Logs: one bounded queue in front of standard error, so that a blocked output never stalls traffic.

mod output;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};

use output::{Lines, Output};

pub use output::Flushing;

/// Keeps the logs flowing; writes what is left on drop.
#[must_use]
pub struct Telemetry(Flushing);

impl Telemetry {
    /// How many lines a blocked or broken output has cost so far, to be asked later.
    pub fn lines_dropped(&self) -> impl Fn() -> u64 + Send + Sync + 'static + use<> {
        || Output::started().map_or(0, Output::lost)
    }
}

/// A line for people, in turn with the logs; false where [`Flushing::start`] has not been called.
#[must_use]
pub fn say(words: &str) -> bool {
    let Some(output) = Output::started() else {
        return false;
    };
    output.line(format!("{words}\n").into_bytes());
    true
}

/// Starts logging to standard error for the whole process; a second start changes nothing.
///
/// # Errors
/// `log.level` is neither a level nor a directive.
pub fn start(log: &Log) -> Result<Telemetry, ParseError> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let flushing = Flushing::start();
    install(log.format, filter);
    hide_panic_messages();
    Ok(Telemetry(flushing))
}

fn install(format: LogFormat, filter: EnvFilter) {
    let terminal = std::io::stderr().is_terminal();
    let as_text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines);
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
