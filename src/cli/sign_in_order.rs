//! Orders to sign in or out, which a command gives to the running proxy.

use http::StatusCode;

use super::admin_client::{AdminListener, Recipient};
use super::admin_error::AdminError;
use super::exit::Exit;
use super::invocation::Invocation;
use crate::admin::status_api::SignInResult;
use crate::config;
use crate::text::printable_json;

/// What to do where a code cannot be trusted.
const INSTEAD_OF_A_CODE: &str = if cfg!(unix) {
    "set admin.listen to a unix socket of your own"
} else {
    "sign in with a browser on this machine instead: set token.grant = \"authorization_code\""
};

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderFailure {
    /// The admin listener of this proxy does not respond.
    #[error(transparent)]
    Listener(#[from] AdminError),
    /// The proxy does not carry it out.
    #[error("{0}")]
    Denied(String),
    /// The proxy obtains its tokens itself.
    #[error("{0}")]
    NotExpected(String),
    /// The person gave no token.
    #[error("no token was given, so nothing has changed")]
    Abandoned,
    /// The person or the authorization server has denied the sign-in.
    #[error("not signed in: {0}")]
    LoginDenied(String),
    /// The authorization server cannot be reached, or its response cannot be used.
    #[error("not signed in: {0}")]
    LoginFailed(String),
    /// The person has ended the command.
    #[error("not signed in: it was cancelled, and nothing has changed")]
    Cancelled,
    /// Nobody knows whose program would show a code.
    #[error(
        "this system does not tell which user listens at the address of the admin listener, so a code from there cannot \
         be trusted; {INSTEAD_OF_A_CODE}"
    )]
    OwnerUnknown,
    /// The person did not sign in in time, or began another sign-in.
    #[error("not signed in: {0}")]
    LoginEnded(&'static str),
    /// The token cannot be read.
    #[error("the token cannot be read: {0}")]
    Input(String),
}

impl OrderFailure {
    /// 3 without an admin listener of this proxy, 4 if the order was denied, 1 if it timed out.
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Listener(error) if error.has_timed_out() => Exit::Failed,
            Self::Listener(error) if error.is_owner_unknown() => Exit::Failed,
            Self::Listener(_) | Self::NotExpected(_) => Exit::Configuration,
            Self::Denied(_) | Self::Abandoned | Self::Cancelled | Self::LoginDenied(_) => {
                Exit::Refused
            }
            Self::LoginFailed(_) => Exit::Unreachable,
            Self::Input(_) | Self::LoginEnded(_) | Self::OwnerUnknown => Exit::Failed,
        }
    }
}

/// The name of the proxy in the configuration, if the process has several proxies.
pub(super) fn name_of(invocation: &Invocation, listener: &AdminListener) -> Option<String> {
    let several = listener.status.as_ref()?.proxies.len() > 1;
    let name = config::fingerprint(&invocation.proxies[0], &invocation.surroundings).name;
    name.filter(|_| several)
}

/// Gives an order.
pub(super) async fn give(
    listener: &AdminListener,
    path: &str,
    body: &str,
    recipient: Recipient,
) -> Result<SignInResult, OrderFailure> {
    let response = listener.order(path, body, recipient).await?;
    let text = response.printable();
    match response.status {
        StatusCode::OK => printable_json(&response.text)
            .ok_or_else(|| OrderFailure::Denied("the response cannot be read".to_owned())),
        StatusCode::BAD_GATEWAY => Err(OrderFailure::LoginFailed(text)),
        StatusCode::CONFLICT => Err(OrderFailure::NotExpected(text)),
        StatusCode::NOT_FOUND => Err(OrderFailure::NotExpected(
            "this version of the proxy, or this listener, takes no such order".to_owned(),
        )),
        status => Err(OrderFailure::Denied(format!(
            "refused with {status}: {text}"
        ))),
    }
}
