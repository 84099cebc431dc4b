//! `cupbearer check`: the effective configuration, offline.
//!
//! Reads what the proxy would read at start, the secret too, and prints none of it.
#![allow(clippy::print_stdout, reason = "printing is what this command is for")]
#![allow(clippy::print_stderr, reason = "warnings go where they do not disturb the output")]

use std::io::{self, Write as _};

use serde_json::json;

use super::Exit;
use crate::config::{Loaded, Overrides, Problem, SecretError, Surroundings, load, table};

/// Checks, prints, and says how it went.
pub async fn check(overrides: &Overrides, surroundings: &Surroundings, as_json: bool) -> Exit {
    let report = match load(overrides, surroundings) {
        Ok(loaded) => {
            let problem = unreadable_secret(&loaded).await;
            Report::of(&loaded, problem, as_json)
        }
        Err(problems) => Report {
            text: if as_json {
                pretty(&json!({ "ok": false, "problems": problems }))
            } else {
                format!("{problems}\n")
            },
            exit: Exit::Configuration,
        },
    };
    // A closed pipe (`check | head`) is no failure of the configuration.
    let _closed = io::stdout().write_all(report.text.as_bytes());
    report.exit
}
