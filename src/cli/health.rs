//! `cupbearer health`: one line (state, reason, remedy), which a kubelet copies into its event; exit code 0 or 1.

use http::{Method, StatusCode};

use super::{Exit, ask, print};
use crate::config::{Overrides, Surroundings};

pub(super) async fn health(
    overrides: &Overrides,
    surroundings: &Surroundings,
    ready: bool,
) -> Exit {
    let path = if ready { "/ready" } else { "/live" };
    match ask::ask(overrides, surroundings, Method::GET, path, None).await {
        Ok(answered) => {
            print(&answered.text);
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
