//! Keeps the events of the libraries out of the log, whatever `log.level` says.

use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Only this crate's events pass. Those of `h2` contain what a client has sent, such as an `:authority` with a caller's
/// key, and some that cost a client only a few bytes are warnings, so that a client without a key could fill the disk.
pub(super) struct OwnEvents;

impl<S: Subscriber> Layer<S> for OwnEvents {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_own(metadata.target()) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_own(metadata.target())
    }
}

/// Whether a module of this crate has this path.
fn is_own(target: &str) -> bool {
    let rest = target.strip_prefix(env!("CARGO_CRATE_NAME"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests;
