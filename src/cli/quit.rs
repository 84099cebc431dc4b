//! `cupbearer quit`: stops the running proxy as SIGTERM does. For jobs whose sidecar must end with them.

use clap::Args;
use http::{Method, StatusCode};

use super::admin_client::{AdminListener, TIME_LIMIT, require_named};
use super::admin_error::AdminError;
use super::exit::Exit;
use super::http_client::TextResponse;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say};

/// Stop the running proxy, as Ctrl-C does
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
        match quit(&invocation).await {
            Ok(response) if response.status == StatusCode::OK => {
                let line = format!("{}\n", response.printable());
                print_result("cupbearer quit", &line, Exit::Fine)
            }
            Ok(response) => {
                say(&format!(
                    "cupbearer quit: refused with {}: {}",
                    response.status,
                    response.printable()
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

async fn quit(invocation: &Invocation) -> Result<TextResponse, AdminError> {
    require_named(invocation)?;
    let listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    listener.request(Method::POST, "/quit").await
}
