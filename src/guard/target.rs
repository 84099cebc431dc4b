//! Checks the method and the request target: a request must ask for a path on this server.
//!
//! The upstream's authority never comes from a request. A target that names another authority is rejected rather than
//! ignored, so that the client learns of its mistake.

use http::uri::Authority;
use http::{HeaderValue, Method, Uri};

use super::host::AcceptedHosts;
use super::peer::OwnScheme;
use super::rejection::Rejection;
use crate::problem::Reason;
use crate::text::{quotable, quotable_authority};

/// TRACE and TRACK would echo the bearer, and CONNECT would open a tunnel. Compared without case: methods are
/// case-sensitive, but not every upstream treats them so.
const NEVER_FORWARDED: [&str; 3] = ["TRACE", "TRACK", "CONNECT"];

pub(super) fn check_method(method: &Method) -> Result<(), Rejection> {
    let method = method.as_str();
    if NEVER_FORWARDED
        .iter()
        .any(|never| method.eq_ignore_ascii_case(never))
    {
        let detail = format!("{} is never forwarded.", quotable(method.as_bytes()));
        return Err(Rejection::new(Reason::MethodRefused, detail));
    }
    Ok(())
}

/// The authority of a target in absolute form; `None` for a path (RFC 9112 section 3.2).
///
/// hyper keeps `//name/path` as a path.
pub(super) fn authority<'a>(
    uri: &'a Uri,
    own: OwnScheme,
    hosts: AcceptedHosts<'_>,
) -> Result<Option<&'a Authority>, Rejection> {
    if !uri
        .path_and_query()
        .is_some_and(|target| target.as_str().starts_with('/'))
    {
        return Err(Rejection::new(
            Reason::BadRequest,
            "The request target must be a path that starts with \"/\".",
        ));
    }
    match (uri.scheme(), uri.authority()) {
        (None, None) => Ok(None),
        (Some(scheme), Some(authority))
            if *scheme == *own.name() && hosts.include(authority.as_str().as_bytes()) =>
        {
            Ok(Some(authority))
        }
        (_, Some(authority)) => Err(Rejection::new(
            Reason::TargetRefused,
            wrong_target(authority),
        )),
        (Some(_), None) => Err(Rejection::new(
            Reason::BadRequest,
            "The request target names no host.",
        )),
    }
}

fn wrong_target(authority: &Authority) -> String {
    format!(
        "The request target names \"{}\", but this is not a forward proxy: send only the path, with Host: localhost.",
        quotable_authority(authority.as_str().as_bytes())
    )
}

/// Rejects a request whose target and `Host` name different hosts, because servers disagree on which one counts.
pub(super) fn check_agreement(
    authority: Option<&Authority>,
    host: &HeaderValue,
) -> Result<(), Rejection> {
    match authority {
        Some(authority)
            if !authority
                .as_str()
                .as_bytes()
                .eq_ignore_ascii_case(host.as_bytes()) =>
        {
            Err(Rejection::new(
                Reason::TargetRefused,
                "The request target and Host name different hosts.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
