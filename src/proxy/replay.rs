//! What a 401 of the upstream means: the request is replayed once with a newer token, or the 401 is passed on.
//!
//! The steps are in `Proxy::replay`, and for an upgrade in `Proxy::upgrade` (`mod.rs`); this file prepares them.
//!
//! A replay is not a retry. `upstream` retries what a lost connection left unsent, with the same token.

use http::{HeaderMap, HeaderValue};

use super::attempt::LastAttempt;
use super::challenge::has_insufficient_scope;
use super::not_replayed::NotReplayed;
use super::request_body::{ReclaimedBody, UpstreamRequestBody};
use super::request_head::{RequestHead, RequestTemplate};
use crate::problem::PROXY_STATUS;
use crate::token::{Bearer, NoNewerToken, RequestRoute, Tokens};

/// What a replay needs: a newer token of the same person and the whole body. This waits for the token even if the body
/// cannot be replayed, so that a caller who tries again at once does not get the same 401.
pub(super) async fn prepare(
    tokens: &Tokens,
    rejected: &Bearer,
    route: RequestRoute,
    body: ReclaimedBody,
) -> Result<(Bearer, UpstreamRequestBody), NotReplayed> {
    let newer = tokens.newer_than(rejected.generation, route).await;
    let body = body.replay().ok_or(NotReplayed::BodyTooLong)?;
    let newer = newer.map_err(|none| match none {
        NoNewerToken::Paused { .. } => NotReplayed::RefreshPaused,
        NoNewerToken::Failed { .. } => NotReplayed::RefreshFailed,
        NoNewerToken::Unchanged => NotReplayed::TokenUnchanged,
        NoNewerToken::Superseded => NotReplayed::ConfigReplaced,
        NoNewerToken::PersonNeeded => NotReplayed::PersonNeeded,
        NoNewerToken::Late { .. } => NotReplayed::RefreshTimedOut,
    })?;
    if newer.session != rejected.session {
        return Err(NotReplayed::SignedOut);
    }
    Ok((newer, body))
}

/// Why a newer token would not help after a 401 with these `headers`, if that is known.
pub(super) fn check_cause(
    template: &RequestTemplate,
    head: &RequestHead,
    headers: &HeaderMap,
) -> Result<(), NotReplayed> {
    if template.may_reject_caller(head, headers) {
        return Err(NotReplayed::CallersAuthorization);
    }
    if has_insufficient_scope(headers) {
        return Err(NotReplayed::InsufficientScope);
    }
    Ok(())
}

/// Tells the client of a 401 that is passed on why the request was not replayed.
pub(super) fn note_not_replayed(attempt: LastAttempt, headers: &mut HeaderMap) {
    if let Some(Err(why)) = attempt.replay {
        let note = HeaderValue::from_static(why.proxy_status());
        headers.insert(PROXY_STATUS, note);
    }
}
