//! `cupbearer health`: one line (state, reason, remedy), which a kubelet copies into its event; exit code 0 or 1.

use std::io::IsTerminal as _;

use http::{Method, StatusCode};

use super::{Exit, ask, print, say};
use crate::config::{Overrides, Surroundings};

pub(super) async fn health(
    all: &[Overrides],
    overrides: &Overrides,
    surroundings: &Surroundings,
    ready: bool,
) -> Exit {
    let path = if ready { "/ready" } else { "/live" };
    match ask::ask(overrides, surroundings, Method::GET, path, None).await {
        Ok(answered) => {
            print(&answered.text);
            // A probe asks once a second, and has no terminal.
            if std::io::stderr().is_terminal()
                && let Ok(status) =
                    ask::ask(overrides, surroundings, Method::GET, "/status", None).await
                && let Some(other) = ask::stranger(&status.text, all, surroundings)
            {
                say(&format!("warning: {other}"));
            }
            if answered.status == StatusCode::OK {
                Exit::Fine
            } else {
                Exit::Failed
            }
        }
        Err(error) => {
            print(&format!("not live: {error}"));
            Exit::Failed
        }
    }
}
