//! `cupbearer health`: one line with the state, the reason and the remedy, which a kubelet copies into its event.

use std::io::IsTerminal as _;

use clap::Args;
use http::StatusCode;

use super::admin_client::{get, other_instance};
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print, say};

/// Check whether the running proxy is healthy: one line, exit code 0 or 1
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Example:\n  cupbearer health --ready\n\n\
                  For probes: without --ready it asks /live, which does not depend on the token endpoint.")]
pub(super) struct HealthArgs {
    /// Check also that it has a usable token
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl HealthArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let path = if self.ready { "/ready" } else { "/live" };
        let response = match get(&invocation, path).await {
            Ok(response) => response,
            Err(error) => {
                print(&format!("not live: {error}"));
                return Exit::Failed;
            }
        };
        print(&response.text);
        // Only for people: a probe asks often, and has no terminal.
        if std::io::stderr().is_terminal()
            && let Ok(status) = get(&invocation, "/status").await
            && let Some(other) = other_instance(&status.text, &invocation)
        {
            say(&format!("warning: {other}"));
        }
        if response.status == StatusCode::OK {
            Exit::Fine
        } else {
            Exit::Failed
        }
    }
}
