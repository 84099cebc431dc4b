//! `cupbearer logout`: makes the running proxy forget the tokens of the person who has signed in, and revoke them.

use std::pin::pin;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::timeout;

use super::admin_client::{AdminListener, Recipient, TIME_LIMIT, require_named};
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say};
use super::sign_in_order::{OrderFailure, OrderTarget, give};
use crate::admin::status_api::SignInResult;

/// Longer than the proxy needs: it waits for the locks of two stores if the configuration has changed, for the keyring,
/// and for the authorization server.
const SIGN_OUT_LIMIT: Duration = Duration::from_secs(90);

/// When to say what takes so long.
const NOTICE_AFTER: Duration = Duration::from_secs(3);

const WAITING: &str = "Still waiting: the proxy removes the refresh token from the store, which another process may be \
                       using, and revokes it. It goes on with that if you press Ctrl-C.";

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
    listener.renew_limit(SIGN_OUT_LIMIT);
    let order = OrderTarget::of(invocation, &listener)?.order(json!({}));
    let signing_out = give(&listener, "/logout", &order, Recipient::Anyone);
    let mut signing_out = pin!(signing_out);
    if let Ok(result) = timeout(NOTICE_AFTER, &mut signing_out).await {
        return result;
    }
    say(WAITING);
    signing_out.await
}
