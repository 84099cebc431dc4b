//! `cupbearer login --device`: shows the code that the person enters on another device, and waits. Nothing else ever
//! shows it, and no browser is opened.

use std::time::Duration;

use serde_json::json;

use super::admin_client::{AdminListener, Recipient, TIME_LIMIT};
use super::invocation::Invocation;
use super::login_wait::{BegunLogin, begin};
use super::output::say;
use super::sign_in_order::{OrderFailure, OrderTarget};
use crate::admin::status_api::{DeviceCode, SignInResult};
use crate::text::{Unprintable, sanitize};

/// The proxy may have to read the issuer's metadata first, and requests the code.
const BEGIN_LIMIT: Duration = Duration::from_secs(24);

/// No code is valid for longer.
const LONGEST_CODE: Duration = Duration::from_hours(24);

/// The proxy says how the sign-in has ended.
const MARGIN: Duration = Duration::from_secs(30);

/// Begins a sign-in with a code, and waits until it has ended.
pub(super) async fn sign_in(
    invocation: &Invocation,
    replaces: bool,
) -> Result<SignInResult, OrderFailure> {
    let mut listener = AdminListener::find(invocation, TIME_LIMIT).await?;
    let target = OrderTarget::of(invocation, &listener)?;
    listener.renew_limit(BEGIN_LIMIT);
    let order = target.order_to_begin(json!({ "device": true }), replaces);
    // Another user's program could show a code of its own, and so get the person's tokens.
    let beginning = begin(&mut listener, &target, &order, Recipient::OwnUser);
    let (begun, signals) = match beginning.await {
        Err(OrderFailure::Listener(error)) if error.is_owner_unknown() => {
            return Err(OrderFailure::OwnerUnknown);
        }
        other => other?,
    };
    let (Some(code), Some(id)) = (&begun.device, &begun.login) else {
        return Err(OrderFailure::Denied("the response has no code".to_owned()));
    };
    say(&prompt(code));
    let begun = BegunLogin {
        target: &target,
        signals,
        id,
        limit: Duration::from_secs(code.expires_in_s).min(LONGEST_CODE) + MARGIN,
        is_asked_here: true,
        expired: "nobody signed in while the code was valid",
    };
    begun.wait(&mut listener, Recipient::OwnUser).await
}

fn prompt(code: &DeviceCode) -> String {
    let clean = |text: &str| sanitize(text, Unprintable::Remove);
    let complete = code
        .complete_url
        .as_deref()
        .map_or_else(String::new, |url| {
            format!(
                "Or open this address, and go on only if it shows the same code:\n\n  {}\n\n",
                clean(url)
            )
        });
    let lifetime = humantime::format_duration(Duration::from_secs(code.expires_in_s));
    format!(
        "Open this address in a browser, on any device:\n\n  {}\n\nEnter this code there, only if you have just asked for \
         it:\n\n  {}\n\n{complete}Waiting for you to sign in; the code is valid for {lifetime}. Press Ctrl-C to cancel.\n",
        clean(&code.verification_url),
        clean(&code.user_code),
    )
}

#[cfg(test)]
mod tests;
