//! `cupbearer login`: hands a token that a person has copied to the running proxy.

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::admin_client::{AdminListener, TIME_LIMIT};
use super::exit::Exit;
use super::hidden_line::{Typed, read_hidden, read_piped};
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say};
use super::sign_in_order::{OrderFailure, give, name_of};
use crate::admin::status_api::SignInResult;
use crate::credentials::{self, Secret};

/// Sign in to the running proxy: hand it a token that you have copied
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "The token is read from a hidden prompt, or from standard input if that is not a terminal.\n\n\
                  Example:\n  cupbearer login\n  pbpaste | cupbearer login"
)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

impl LoginArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        if let Err(exit) = invocation.single() {
            return exit;
        }
        let _hidden = credentials::hide_process();
        match login(&invocation).await {
            Ok(signed_in) => print_result("cupbearer login", &summary(&signed_in), Exit::Fine),
            Err(failure) => {
                say(&format!("cupbearer login: {failure}"));
                failure.exit()
            }
        }
    }
}

async fn login(invocation: &Invocation) -> Result<SignInResult, OrderFailure> {
    let listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    let proxy = name_of(invocation, &listener);
    // Before anyone copies a token: whose program this is, and that it wants one.
    let order = Zeroizing::new(json!({ "proxy": proxy }).to_string());
    let place = give(&listener, "/login", &order, true).await?;
    let token = read_token(&place)?;
    let text = std::str::from_utf8(token.expose());
    let text = text.map_err(|_| OrderFailure::Input("it is not text".to_owned()))?;
    let fields = PasteOrder { proxy, token: text };
    let order = serde_json::to_string(&fields).map(Zeroizing::new);
    let order = order.map_err(|error| OrderFailure::Input(error.to_string()))?;
    // The prompt may have taken any time.
    let listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    give(&listener, "/token/paste", &order, true).await
}

/// The JSON of the order.
#[derive(serde::Serialize)]
struct PasteOrder<'a> {
    proxy: Option<String>,
    token: &'a str,
}

/// Blocks the runtime, on which nothing else runs.
fn read_token(place: &SignInResult) -> Result<Secret, OrderFailure> {
    let token = if std::io::stdin().is_terminal() {
        if let Some(url) = &place.login_url {
            say(&format!("Open {url}, sign in, and copy the token."));
        }
        let prompt = "Paste the token (it is not shown), then press Enter: ";
        match read_hidden(prompt).map_err(|error| OrderFailure::Input(error.to_string()))? {
            Typed::Text(token) => token,
            Typed::Abandoned => return Err(OrderFailure::Abandoned),
        }
    } else {
        read_piped().map_err(|error| OrderFailure::Input(error.to_string()))?
    };
    if token.expose().trim_ascii().is_empty() {
        return Err(OrderFailure::Abandoned);
    }
    Ok(token)
}

fn summary(result: &SignInResult) -> String {
    let who = match &result.who {
        Some(who) => format!("signed in as {who}"),
        None => "signed in".to_owned(),
    };
    let until = match &result.expires_at {
        Some(until) => format!("until {until}"),
        None => "until the API rejects the token".to_owned(),
    };
    let doubts = result.doubts.iter();
    let doubts = doubts.map(|doubt| format!("note: about this token: {doubt}\n"));
    format!(
        "{}: {who}, {until}\n{}",
        result.proxy,
        doubts.collect::<String>()
    )
}
