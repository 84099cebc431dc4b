//! `cupbearer quit`: asks the running proxy to stop as SIGTERM does. For jobs whose sidecar must end with them.

use http::{Method, StatusCode};

use super::{Exit, ask, print, say};
use crate::config::{Overrides, Surroundings};

pub(super) async fn quit(
    all: &[Overrides],
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Exit {
    // Whatever the answer is, the order itself says what is wrong.
    if let Ok(answered) = ask::ask(overrides, surroundings, Method::GET, "/status", None).await
        && let Some(other) = ask::stranger(&answered.text, all, surroundings)
    {
        say(&format!("cupbearer quit: {other}"));
        return Exit::Failed;
    }
    match ask::ask(overrides, surroundings, Method::POST, "/quit", None).await {
        Ok(answered) if answered.status == StatusCode::OK => {
            print(&answered.text);
            Exit::Fine
        }
        Ok(answered) => {
            say(&format!(
                "cupbearer quit: refused with {}: {}",
                answered.status, answered.text
            ));
            Exit::Failed
        }
        Err(error) => {
            say(&format!("cupbearer quit: {error}"));
            Exit::Failed
        }
    }
}
