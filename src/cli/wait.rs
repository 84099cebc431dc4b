//! `cupbearer wait`: returns when the running proxy has a usable token, or reports why it has none.

use std::time::Duration;

use clap::Args;
use http::StatusCode;
use tokio::time::Instant;

use super::admin_client::{AdminListener, TIME_LIMIT};
use super::admin_error::AdminError;
use super::exit::Exit;
use super::http_client::TextResponse;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say};
use crate::config;

/// Between two requests: a start takes a few tenths of a second.
const PAUSE: Duration = Duration::from_millis(100);

/// After this long, a message says what the command is waiting for.
const MESSAGE_AFTER: Duration = Duration::from_secs(2);

/// Wait until the running proxy has a usable token
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Example:\n  cupbearer wait --max 1m && ./job\n\n\
                  Exit codes: 0 there is a usable token, 3 admin.listen is invalid or what tokens are requested with \
                  cannot be used, 4 the token endpoint refuses the credentials, 5 the proxy is unreachable or has no token yet, or what responds is not the configured one. A listener at an address of the network does not show whose it is.")]
pub(super) struct WaitArgs {
    /// Give up after this time
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    max: Duration,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text, Duration::ZERO)
        .map_err(|invalid| format!("{}: {}", invalid.problem, invalid.remedy))
}

impl WaitArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let start = Instant::now();
        let mut has_said = false;
        let mut known = None;
        loop {
            let left = self.max.saturating_sub(start.elapsed());
            let (line, exit) = match ready(&invocation, left.clamp(PAUSE, TIME_LIMIT)).await {
                Ok(ready) if ready.status == StatusCode::OK => {
                    let line = format!("{}\n", ready.printable());
                    return print_result("cupbearer wait", &line, Exit::Fine);
                }
                Ok(unready) => (unready.printable(), exit_after(&unready.text)),
                Err(error @ AdminError::NoAddress(_)) => {
                    say(&format!("cupbearer wait: {error}"));
                    return Exit::Configuration;
                }
                Err(error) => {
                    // The last attempt may be too short for an answer.
                    let was_cut = left < TIME_LIMIT && error.has_timed_out();
                    let known = known.take().filter(|_| was_cut);
                    known.unwrap_or_else(|| (error.to_string(), Exit::Unreachable))
                }
            };
            known = Some((line.clone(), exit));
            let waited = start.elapsed();
            if waited >= self.max {
                say(&format!(
                    "cupbearer wait: not ready after {}: {line}",
                    humantime::format_duration(self.max)
                ));
                return exit;
            }
            if waited >= MESSAGE_AFTER && !has_said {
                has_said = true;
                say(&format!("waiting: {line}"));
            }
            tokio::time::sleep(PAUSE.min(self.max.saturating_sub(waited))).await;
        }
    }
}

/// By the reason that `/ready` gives. The words of the token endpoint, which follow, may contain anything.
fn exit_after(line: &str) -> Exit {
    let state = line.split_once("not ready: token ");
    let reason = state.and_then(|(_, rest)| rest.split_once(": "));
    let reason = reason.and_then(|(_, reason)| reason.split([':', ';']).next());
    match reason {
        Some("token_refused (configuration)" | "token_unavailable (configuration)") => {
            Exit::Configuration
        }
        Some("token_refused") => Exit::Refused,
        Some(_) | None => Exit::Unreachable,
    }
}

async fn ready(invocation: &Invocation, limit: Duration) -> Result<TextResponse, AdminError> {
    let listener = AdminListener::find(invocation, limit).await?;
    listener.probe("/ready").await
}

#[cfg(test)]
mod tests;
