//! `cupbearer health`: one line with the state, the reason and the remedy, which a kubelet copies into its event.

use clap::Args;
use http::StatusCode;

use super::admin_client::{AdminListener, TIME_LIMIT};
use super::admin_error::AdminError;
use super::exit::Exit;
use super::http_client::TextResponse;
use super::invocation::{Invocation, SettingsArgs};
use super::output::print_result;

/// Check whether the running proxy is healthy: one line unless admin.listen is invalid, exit code 0 or 1
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Example:\n  cupbearer health --ready\n\n\
                  For probes: without --ready it asks /live, which does not depend on the token endpoint.\n\
                  What responds at admin.listen must be the configured proxy; a listener at an address of the network does\n\
                  not show whose it is.")]
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
        let (line, exit) = match probe(&invocation, path).await {
            Ok(response) if response.status == StatusCode::OK => (response.printable(), Exit::Fine),
            Ok(response) => (response.printable(), Exit::Failed),
            Err(error) => (format!("not live: {error}"), Exit::Failed),
        };
        print_result("cupbearer health", &format!("{line}\n"), exit)
    }
}

async fn probe(invocation: &Invocation, path: &str) -> Result<TextResponse, AdminError> {
    let listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    listener.probe(path).await
}
