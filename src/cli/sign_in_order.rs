//! Orders to sign in or out, which a command gives to the running proxy.

use http::StatusCode;

use super::admin_client::{AdminListener, Recipient, is_chosen};
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
    /// The proxy obtains its tokens itself, or for another API.
    #[error("{0}")]
    NotExpected(String),
    /// The configuration does not say which API is meant.
    #[error(
        "{0}: it is unclear which API is meant; correct upstream.url, repeat the flags that the proxy \
         was started with, or choose a running proxy with --admin and without --config"
    )]
    UnknownApi(String),
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
    /// The person has ended the command twice, before the proxy responded.
    #[error(
        "not signed in: interrupted before the proxy responded; if a sign-in has begun there, it ends within five \
         minutes, or when its code expires, or with `cupbearer logout`"
    )]
    Interrupted,
    /// Nobody knows whose program would show a code.
    #[error(
        "this system cannot tell whose process has accepted the connection to the admin listener, so a code from there \
         cannot be trusted; {INSTEAD_OF_A_CODE}"
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
            Self::Listener(_) | Self::NotExpected(_) | Self::UnknownApi(_) => Exit::Configuration,
            Self::Denied(_)
            | Self::Abandoned
            | Self::Cancelled
            | Self::Interrupted
            | Self::LoginDenied(_) => Exit::Refused,
            Self::LoginFailed(_) => Exit::Unreachable,
            Self::Input(_) | Self::LoginEnded(_) | Self::OwnerUnknown => Exit::Failed,
        }
    }
}

/// Which proxy of a process an order is for, as the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct OrderTarget {
    /// Its name, if there are several.
    pub(super) proxy: Option<String>,
    /// Its API. The proxy refuses an order for another one: its file may have been changed without being in use.
    api: Option<String>,
}

impl OrderTarget {
    /// Without an API if the user has chosen the proxy with `--admin`, or if nothing is configured.
    pub(super) fn of(
        invocation: &Invocation,
        listener: &AdminListener,
    ) -> Result<Self, OrderFailure> {
        let overrides = &invocation.proxies[0];
        let own = config::fingerprint(overrides, &invocation.surroundings);
        let status = listener.status.as_ref();
        let several = status.is_some_and(|status| status.proxies.len() > 1);
        let proxy = own.name.filter(|_| several);
        if is_chosen(invocation) && overrides.file.is_none() || own.is_unconfigured {
            return Ok(Self { proxy, api: None });
        }
        let api = own.upstream.filter(|_| !own.is_unreadable);
        let api = api.ok_or(OrderFailure::UnknownApi(own.named))?;
        Ok(Self {
            proxy,
            api: Some(api),
        })
    }

    /// An order to begin a sign-in. Another version of the proxy may not know the member `replace`.
    pub(super) fn order_to_begin(&self, mut fields: serde_json::Value, replaces: bool) -> String {
        if let Some(members) = fields.as_object_mut().filter(|_| replaces) {
            members.insert("replace".to_owned(), true.into());
        }
        self.order(fields)
    }

    /// An order to this proxy, with more fields in it.
    pub(super) fn order(&self, mut fields: serde_json::Value) -> String {
        if let Some(members) = fields.as_object_mut() {
            members.insert("proxy".to_owned(), self.proxy.clone().into());
            members.insert("api".to_owned(), self.api.clone().into());
        }
        fields.to_string()
    }
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
