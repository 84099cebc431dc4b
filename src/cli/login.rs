//! `cupbearer login`: signs a person in to the running proxy, with a browser, with a code on another device, or
//! with a token that was copied.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::admin_client::{AdminListener, Recipient, TIME_LIMIT, require_named};
use super::exit::Exit;
use super::hidden_line::{Typed, read_hidden, read_piped};
use super::invocation::{Invocation, SettingsArgs};
use super::login_wait::{begin, listen_for_signals};
use super::output::{print_result, say};
use super::sign_in_order::{OrderFailure, OrderTarget, give};
use super::{login_browser, login_device, signals};
use crate::admin::status_api::SignInResult;
use crate::credentials::{self, Secret};

/// The proxy may have to read the issuer's metadata first.
const METADATA_LIMIT: Duration = Duration::from_secs(12);

/// Sign in to the running proxy: with a browser, with a code on another device, or with a token that you have copied
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "With token.grant = \"authorization_code\", a browser opens. With \"device_code\", and wherever the\n\
                  authorization server has a device endpoint, --device shows a code to enter in a browser on another\n\
                  device. With \"paste\", the token is read from a hidden prompt, or from standard input if that is not a\n\
                  terminal.\n\n\
                  Example:\n  cupbearer login\n  cupbearer login --no-browser\n  cupbearer login --device\n  pbpaste | cupbearer login"
)]
pub(super) struct LoginArgs {
    /// Print the address to open instead of opening it
    #[arg(long)]
    no_browser: bool,
    /// Show a code to enter in a browser on another device
    #[arg(long, conflicts_with = "no_browser")]
    device: bool,
    /// Sign in even if someone else is signed in, without asking
    #[arg(long)]
    yes: bool,
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
        let signing_in = async {
            if self.device {
                login_device::sign_in(&invocation, self.yes).await
            } else {
                login(&invocation, !self.no_browser, self.yes).await
            }
        };
        match signing_in.await {
            Ok(signed_in) => print_result("cupbearer login", &summary(&signed_in), Exit::Fine),
            Err(failure) => {
                say(&format!("cupbearer login: {failure}"));
                failure.exit()
            }
        }
    }
}

async fn login(
    invocation: &Invocation,
    with_browser: bool,
    replaces: bool,
) -> Result<SignInResult, OrderFailure> {
    let mut listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    let target = OrderTarget::of(invocation, &listener)?;
    // Before anyone copies a token or opens a page: whose program this is, and that it wants one.
    let order = target.order_to_begin(json!({}), replaces);
    let recipient = if expects_browser(&listener, target.proxy.as_deref()) {
        listener.renew_limit(METADATA_LIMIT);
        Recipient::OwnUserWhereTold
    } else {
        require_named(invocation)?;
        Recipient::OwnUser
    };
    let (place, signals) = if recipient == Recipient::OwnUserWhereTold {
        let begun = begin(&mut listener, &target, &order, recipient).await?;
        (begun.0, Some(begun.1))
    } else {
        (give(&listener, "/login", &order, recipient).await?, None)
    };
    if place.start_url.is_some() {
        let signals = signals.map_or_else(listen_for_signals, Ok)?;
        let begun = (&place, signals);
        return login_browser::sign_in(&mut listener, &target, begun, with_browser).await;
    }
    let token = read_token(&place)?;
    let text = std::str::from_utf8(token.expose());
    let text = text.map_err(|_| OrderFailure::Input("it is not text".to_owned()))?;
    let fields = PasteOrder {
        target: &target,
        token: text,
    };
    let order = serde_json::to_string(&fields).map(Zeroizing::new);
    let order = order.map_err(|error| OrderFailure::Input(error.to_string()))?;
    // The prompt may have taken any time.
    let listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    let pasted = give(&listener, "/token/paste", &order, Recipient::OwnUser).await?;
    if matches!(&*pasted.state, "expired" | "starting") {
        let doubts = pasted.doubts.join("; ");
        return Err(OrderFailure::Denied(format!(
            "the token is not used: {doubts}"
        )));
    }
    Ok(pasted)
}

/// Whether a person signs in to the proxy with a browser.
fn expects_browser(listener: &AdminListener, proxy: Option<&str>) -> bool {
    let status = listener.status.as_ref();
    let proxies = status.into_iter().flat_map(|status| &status.proxies);
    let mut meant = proxies.filter(|one| proxy.is_none_or(|name| name == one.name));
    meant.any(|one| {
        let awaited = one.token.awaited_sign_in.as_ref();
        let sign_in = awaited.or(one.token.sign_in.as_ref());
        sign_in.is_some_and(|sign_in| sign_in.way == "browser")
    })
}

/// The JSON of the order.
#[derive(serde::Serialize)]
struct PasteOrder<'a> {
    #[serde(flatten)]
    target: &'a OrderTarget,
    token: &'a str,
}

/// Blocks the runtime, on which nothing else runs.
fn read_token(place: &SignInResult) -> Result<Secret, OrderFailure> {
    let token = if std::io::stdin().is_terminal() {
        if let Some(url) = &place.login_url {
            say(&format!("Open {url}, sign in, and copy the token."));
        }
        // A signal that ended this process at once would leave the terminal without echo.
        signals::end_at_signal();
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
        None if result.is_renewed => {
            "until you sign out or the authorization server ends it".to_owned()
        }
        None => "until the API rejects the token".to_owned(),
    };
    let api = match &*result.api {
        "" => String::new(),
        api => format!("; requests go to {api}"),
    };
    let doubts = result.doubts.iter();
    let doubts = doubts.map(|doubt| format!("note: about this token: {doubt}\n"));
    format!(
        "{}: {who}, {until}{api}\n{}",
        result.proxy,
        doubts.collect::<String>()
    )
}
