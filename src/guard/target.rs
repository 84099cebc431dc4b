//! Method and request target: what is asked for must be a path here, and nothing else.
//!
//! The upstream's authority never comes from a request; what would name another one is refused rather
//! than ignored, so that a caller who believes in it hears of it.

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Uri};

use super::Refusal;
use super::host::Names;
use crate::problem::Reason;
use crate::text::quotable;

/// `Allow`. Extension methods pass too; a list cannot name them.
pub(super) const FORWARDED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// TRACE and TRACK would echo the bearer, CONNECT would open a tunnel. Methods have a case, but not
/// every server behind us knows that.
const NEVER_FORWARDED: [&str; 3] = ["TRACE", "TRACK", "CONNECT"];

pub(super) fn check_method(method: &Method) -> Result<(), Refusal> {
    let method = method.as_str();
    if NEVER_FORWARDED
        .iter()
        .any(|never| method.eq_ignore_ascii_case(never))
    {
        let detail = format!("{} is never forwarded.", quotable(method.as_bytes()));
        return Err(Refusal::new(Reason::MethodRefused, detail));
    }
    Ok(())
}

/// The authority of an absolute-form target, `None` for a plain path (RFC 9112 section 3.2).
///
/// `//name/path` is a path: hyper keeps it as one.
pub(super) fn authority<'a>(
    uri: &'a Uri,
    names: Names<'_>,
) -> Result<Option<&'a Authority>, Refusal> {
    if !uri
        .path_and_query()
        .is_some_and(|target| target.as_str().starts_with('/'))
    {
        return Err(Refusal::new(
            Reason::BadRequest,
            "The request target must be a path that starts with \"/\".",
        ));
    }
    match (uri.scheme(), uri.authority()) {
        (None, None) => Ok(None),
        (Some(scheme), Some(authority))
            if *scheme == Scheme::HTTP && names.include(authority.as_str().as_bytes()) =>
        {
            Ok(Some(authority))
        }
        (_, Some(authority)) => Err(Refusal::new(Reason::TargetRefused, elsewhere(authority))),
        (Some(_), None) => Err(Refusal::new(
            Reason::BadRequest,
            "The request target names no host.",
        )),
    }
}

fn elsewhere(authority: &Authority) -> String {
    format!(
        "The request is for \"{}\", and this is not a forward proxy: send the path alone, with Host localhost.",
        quotable(authority.as_str().as_bytes())
    )
}

/// Two names in one request would be two readings of it.
pub(super) fn check_agreement(
    authority: Option<&Authority>,
    host: &HeaderValue,
) -> Result<(), Refusal> {
    match authority {
        Some(authority)
            if !authority
                .as_str()
                .as_bytes()
                .eq_ignore_ascii_case(host.as_bytes()) =>
        {
            Err(Refusal::new(
                Reason::TargetRefused,
                "The request target and Host name different hosts.",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
