//! `cupbearer logout`: makes the running proxy forget the tokens of the person who has signed in, and revoke them.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::admin_client::{AdminListener, Recipient, TIME_LIMIT, require_named};
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say};
use super::sign_in_order::{OrderFailure, give, name_of};
use crate::admin::status_api::SignInResult;

/// The proxy revokes the token meanwhile.
const REVOCATION_LIMIT: Duration = Duration::from_secs(12);

/// Sign out: the running proxy forgets the token and closes tunnels
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Example:\n  cupbearer logout")]
pub(super) struct LogoutArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

impl LogoutArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        if let Err(exit) = invocation.single() {
            return exit;
        }
        match logout(&invocation).await {
            Ok(result) => {
                if let Some(problem) = &result.problem {
                    say(&format!("note: {problem}"));
                }
                let line = format!("{}: signed out\n", result.proxy);
                print_result("cupbearer logout", &line, Exit::Fine)
            }
            Err(failure) => {
                say(&format!("cupbearer logout: {failure}"));
                failure.exit()
            }
        }
    }
}

async fn logout(invocation: &Invocation) -> Result<SignInResult, OrderFailure> {
    require_named(invocation)?;
    let mut listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    listener.renew_limit(REVOCATION_LIMIT);
    let order = json!({ "proxy": name_of(invocation, &listener) }).to_string();
    give(&listener, "/logout", &order, Recipient::Anyone).await
}
