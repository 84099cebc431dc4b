//! `cupbearer wait`: returns when the running proxy has a usable token, or says why it has none.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use super::{Exit, ask, print, say};
use crate::config::{Overrides, Surroundings};

/// Between two questions: a start takes a few tenths of a second.
const PAUSE: Duration = Duration::from_millis(100);

/// When a person is told what is being waited for.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn wait(
    overrides: &Overrides,
    surroundings: &Surroundings,
    max: Duration,
) -> Exit {
    let start = Instant::now();
    let mut told = false;
    loop {
        let answer = ask::ask(overrides, surroundings, Method::GET, "/ready", Some(max)).await;
        let (line, exit) = match answer {
            Ok(answered) if answered.status == StatusCode::OK => {
                print(&answered.text);
                return Exit::Fine;
            }
            Ok(answered) if answered.text.contains("token_refused") => {
                (answered.text, Exit::Refused)
            }
            Ok(answered) => (answered.text, Exit::Unreachable),
            Err(error @ ask::NoAnswer::NoAddress(_)) => {
                say(&format!("cupbearer wait: {error}"));
                return Exit::Configuration;
            }
            Err(error) => (error.to_string(), Exit::Unreachable),
        };
        let waited = start.elapsed();
        if waited >= max {
            say(&format!(
                "cupbearer wait: not ready after {}: {line}",
                humantime::format_duration(max)
            ));
            return exit;
        }
        if waited >= PATIENCE && !told {
            told = true;
            say(&format!("waiting: {line}"));
        }
        tokio::time::sleep(PAUSE.min(max.saturating_sub(waited))).await;
    }
}
