//! Logs: one bounded queue in front of standard error, so that a blocked output never stalls traffic.

mod output;

use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{LogConfig, LogFormat};

use output::{Lines, Output};

pub use output::Flushing;

/// What can be asked of the logs and changed about them while they are written.
#[must_use]
pub struct Telemetry {
    replace: Option<Replace>,
}

/// Puts another filter in the place of the one in use.
type Replace = Arc<dyn Fn(EnvFilter) + Send + Sync>;

impl Telemetry {
    /// How many lines a blocked or broken output has cost so far, to be asked later.
    pub fn lines_dropped(&self) -> impl Fn() -> u64 + Send + Sync + 'static + use<> {
        || Output::started().map_or(0, Output::lost)
    }

    /// Changes what is logged, from the next line on. What the level leaves out goes on costing one load of a
    /// flag; what it lets pass, an uncontended lock beside the writing of the line.
    pub fn change_level(&self) -> impl Fn(&LogConfig) + Send + Sync + 'static {
        let replace = self.replace.clone();
        move |log| {
            let filter = EnvFilter::builder().parse(&log.level);
            if let (Some(replace), Ok(filter)) = (&replace, filter) {
                replace(filter);
            }
        }
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

/// Starts logging to standard error for the whole process, by the queue that `_flushing` empties at the end; a second
/// start changes nothing.
///
/// # Errors
/// `log.level` is neither a level nor a directive.
pub fn start(log: &LogConfig, _flushing: &Flushing) -> Result<Telemetry, ParseError> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let replace = install(log.format, filter);
    hide_panic_messages();
    Ok(Telemetry { replace })
}

/// The way to another filter, if this is the process's first start.
fn install(format: LogFormat, filter: EnvFilter) -> Option<Replace> {
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
    if as_text {
        let builder = builder.with_ansi(colours).with_target(false);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let installed = builder.try_init().is_ok();
        installed.then(|| -> Replace { Arc::new(move |filter| drop(handle.reload(filter))) })
    } else {
        let builder = builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let installed = builder.try_init().is_ok();
        installed.then(|| -> Replace { Arc::new(move |filter| drop(handle.reload(filter))) })
    }
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
