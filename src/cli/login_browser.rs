//! `cupbearer login` with a browser: opens the address that the running proxy names, and waits for the person.

use std::time::Duration;

use url::Url;

use super::admin_client::{AdminListener, Recipient};
use super::login_wait::BegunLogin;
use super::open_browser::open_in_browser;
use super::output::say;
use super::sign_in_order::{OrderFailure, OrderTarget};
use super::signals::SignalListener;
use crate::admin::status_api::SignInResult;
use crate::config::is_loopback;

/// Longer than the sign-in is valid, so that the proxy says how it has ended.
const LIMIT: Duration = Duration::from_secs(330);

/// Opens the address and waits until the sign-in has ended.
pub(super) async fn sign_in(
    listener: &mut AdminListener,
    target: &OrderTarget,
    (begun, signals): (&SignInResult, SignalListener),
    with_browser: bool,
) -> Result<SignInResult, OrderFailure> {
    let start = begun.start_url.as_deref().and_then(start_url);
    let (Some(start), Some(id)) = (start, &begun.login) else {
        return Err(OrderFailure::Denied(
            "the response does not say which address to open".to_owned(),
        ));
    };
    show(&start, with_browser);
    let begun = BegunLogin {
        target,
        signals,
        id,
        limit: LIMIT,
        is_asked_here: false,
        expired: "nobody came back within 5 minutes",
    };
    begun.wait(listener, Recipient::OwnUserWhereTold).await
}

/// Only an address on this machine is opened, whatever the response says.
fn start_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (url.scheme() == "http" && is_loopback(&url)).then_some(url)
}

fn show(start: &Url, with_browser: bool) {
    if with_browser {
        match open_in_browser(start.as_str()) {
            Ok(()) => {
                say(
                    "A browser opens: sign in there. If it does not, run `cupbearer login --no-browser`.",
                );
                return;
            }
            // The library's error is for programmers.
            Err(_) => say("No browser can be opened on this machine."),
        }
    }
    let host = start.host_str().unwrap_or_default();
    let port = start.port_or_known_default().unwrap_or_default();
    say(&format!(
        "Open this address in a browser on this machine; it works once:\n\n  {start}\n\nIf the browser runs on another \
         machine, run this there first, and keep it open:\n\n  ssh -L {port}:{host}:{port} USER@THIS-MACHINE\n"
    ));
}

#[cfg(test)]
mod tests;
