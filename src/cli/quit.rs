//! `cupbearer quit`: stops the running proxy as SIGTERM does. For jobs whose sidecar must end with them.

use clap::Args;
use http::StatusCode;

use super::admin_client::{get, other_instance, post};
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print, say};

/// Stop the running proxy, as SIGTERM does
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Example:\n  ./job; cupbearer quit")]
pub(super) struct QuitArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

impl QuitArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        // If this fails, the POST below fails too and says why.
        if let Ok(status) = get(&invocation, "/status").await
            && let Some(other) = other_instance(&status.text, &invocation)
        {
            say(&format!("cupbearer quit: {other}"));
            return Exit::Failed;
        }
        match post(&invocation, "/quit").await {
            Ok(response) if response.status == StatusCode::OK => {
                print(&response.text);
                Exit::Fine
            }
            Ok(response) => {
                say(&format!(
                    "cupbearer quit: refused with {}: {}",
                    response.status, response.text
                ));
                Exit::Failed
            }
            Err(error) => {
                say(&format!("cupbearer quit: {error}"));
                Exit::Failed
            }
        }
    }
}
