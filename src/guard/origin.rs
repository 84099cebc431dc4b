//! `Origin` and fetch metadata: which page, if any, a browser speaks for.
//!
//! `Origin` is the only field that shows a cross-site WebSocket, `Sec-Fetch-Site` the only one that
//! shows a no-cors GET. Programs send neither.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::fields::Lines;
use super::{Cors, Head, Refusal};
use crate::problem::Reason;
use crate::text::quotable;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Our listeners speak plain HTTP.
const OWN_SCHEME: &[u8] = b"http://";

/// Where an admitted request came from, as far as `Origin` tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum CameFrom<'a> {
    /// It does not say.
    Unknown,
    /// A page of this very address.
    Ourselves,
    /// A page of `guard.origins`.
    Allowed(&'a HeaderValue),
}

/// `host` has passed its own check: without that, a rebound page equals its `Host`.
pub(super) fn check_origin<'a>(
    lines: Lines<'a>,
    host: &HeaderValue,
    allowed: &[String],
) -> Result<CameFrom<'a>, Refusal> {
    match lines {
        Lines::Absent => Ok(CameFrom::Unknown),
        Lines::One(origin) if is_own(origin.as_bytes(), host.as_bytes()) => Ok(CameFrom::Ourselves),
        Lines::One(origin) if is_allowed(origin.as_bytes(), allowed) => {
            Ok(CameFrom::Allowed(origin))
        }
        Lines::One(origin) if origin == "null" => Err(refused(
            "Origin \"null\" (a sandboxed page, or a file) is never admitted.".to_owned(),
        )),
        Lines::One(origin) => Err(refused(foreign(origin.as_bytes()))),
        Lines::Several => Err(refused(
            "The request has several Origin fields; it may have one.".to_owned(),
        )),
    }
}

/// Scheme and authority of this very request (RFC 6454 section 6.2). Another port is another origin.
fn is_own(origin: &[u8], host: &[u8]) -> bool {
    origin
        .strip_prefix(OWN_SCHEME)
        .is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// Exact: no wildcard, no suffix. `null` is every sandboxed page there is, so no configuration admits it.
fn is_allowed(origin: &[u8], allowed: &[String]) -> bool {
    origin != b"null" && allowed.iter().any(|one| one.as_bytes() == origin)
}

/// A page of `guard.origins` may read why it is refused, whichever rule it was that came first.
#[cold]
pub(super) fn cors_of_refusal(head: Head<'_>, allowed: &[String]) -> Cors {
    let came_from = match only(head.headers, &ORIGIN) {
        Some(origin) if is_allowed(origin.as_bytes(), allowed) => CameFrom::Allowed(origin),
        Some(_) | None => CameFrom::Unknown,
    };
    Cors::of(came_from, allowed)
}

fn foreign(origin: &[u8]) -> String {
    let origin = quotable(origin);
    format!(
        "Pages of \"{origin}\" may not use this proxy; if they should, add that origin to guard.origins."
    )
}

/// `same-site` is foreign too: another port of localhost is the same site.
pub(super) fn check_site(lines: Lines<'_>, came_from: CameFrom<'_>) -> Result<(), Refusal> {
    let is_harmless = match (lines, came_from) {
        (Lines::Absent, _) | (_, CameFrom::Allowed(_)) => true,
        (Lines::One(site), _) => site == "same-origin" || site == "none",
        (Lines::Several, _) => false,
    };
    if is_harmless {
        Ok(())
    } else {
        Err(refused(another_page(lines)))
    }
}

fn another_page(lines: Lines<'_>) -> String {
    match lines {
        Lines::One(site) => format!(
            "A page of another origin started this request (Sec-Fetch-Site: {}), and it is not one of guard.origins.",
            quotable(site.as_bytes())
        ),
        Lines::Absent | Lines::Several => {
            "The request has several Sec-Fetch-Site fields; it may have one.".to_owned()
        }
    }
}

/// A link on another page, opened in a tab of its own: the one foreign request that a person may go on
/// with, by a click of theirs on a page of ours.
pub(super) fn is_foreign_navigation(head: Head<'_>) -> bool {
    let says =
        |name: &HeaderName, value: &str| only(head.headers, name).is_some_and(|line| line == value);
    head.method == Method::GET
        && says(&SEC_FETCH_MODE, "navigate")
        && says(&SEC_FETCH_DEST, "document")
        && (says(&SEC_FETCH_SITE, "cross-site") || says(&SEC_FETCH_SITE, "same-site"))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

fn refused(detail: String) -> Refusal {
    Refusal::new(Reason::OriginRefused, detail)
}
