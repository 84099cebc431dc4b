//! Checks `Origin` and fetch metadata: which page, if any, made the browser send a request.
//!
//! `Origin` is the only field that reveals a cross-site WebSocket, and `Sec-Fetch-Site` the only one that reveals a
//! no-cors GET. Programs send neither.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::cors::Cors;
use super::fields::FieldLines;
use super::peer::OwnScheme;
use super::rejection::Rejection;
use crate::problem::Reason;
use crate::text::quotable_authority;

pub(super) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Which pages of other origins may use a listener.
#[derive(Debug, Clone)]
pub(super) enum AdmittedPages {
    /// Those of `guard.origins`.
    Of(Vec<String>),
    /// None, whatever `guard.origins` says: this is the admin listener.
    None,
}

impl AdmittedPages {
    fn origins(&self) -> &[String] {
        match self {
            Self::Of(origins) => origins,
            Self::None => &[],
        }
    }
}

/// The page that an admitted request comes from, as far as `Origin` tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum RequestOrigin<'a> {
    /// The request has no `Origin`.
    Unknown,
    /// A page at the address that this request was sent to.
    Own,
    /// A page whose origin is in `guard.origins`.
    Allowed(&'a HeaderValue),
}

impl RequestOrigin<'_> {
    /// What the response tells the browser.
    pub(super) fn cors(self, pages: &AdmittedPages) -> Cors {
        match self {
            Self::Allowed(origin) => Cors::For(origin.clone()),
            Self::Unknown | Self::Own if pages.origins().is_empty() => Cors::Off,
            Self::Unknown | Self::Own => Cors::Varies,
        }
    }
}

/// Checks `Origin`. `own` is our origin: the scheme of the connection, and `Host`, which must have passed its own
/// check, because the origin of a DNS rebinding page equals its `Host`.
pub(super) fn check_origin<'a>(
    lines: FieldLines<'a>,
    own: (OwnScheme, &HeaderValue),
    pages: &AdmittedPages,
) -> Result<RequestOrigin<'a>, Rejection> {
    match lines {
        FieldLines::Absent => Ok(RequestOrigin::Unknown),
        FieldLines::One(origin) if is_own(origin.as_bytes(), own) => Ok(RequestOrigin::Own),
        FieldLines::One(origin) if is_allowed(origin.as_bytes(), pages) => {
            Ok(RequestOrigin::Allowed(origin))
        }
        FieldLines::One(origin) if origin == "null" => Err(rejected(
            "Origin \"null\" (a sandboxed page, or a file) is never admitted.".to_owned(),
        )),
        FieldLines::One(origin) => Err(rejected(unknown_origin(origin.as_bytes(), pages))),
        FieldLines::Several => Err(rejected(
            "The request has several Origin fields; only one is allowed.".to_owned(),
        )),
    }
}

/// Whether `origin` is that of this very request (RFC 6454 section 6.2). Another port is another origin.
fn is_own(origin: &[u8], (scheme, host): (OwnScheme, &HeaderValue)) -> bool {
    origin
        .strip_prefix(scheme.prefix().as_bytes())
        .is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_bytes()))
}

/// Compares exactly, without wildcards or suffixes. No configuration admits `null`, because it is the origin of every
/// sandboxed page.
fn is_allowed(origin: &[u8], pages: &AdmittedPages) -> bool {
    let allowed = pages.origins();
    origin != b"null" && allowed.iter().any(|one| one.as_bytes() == origin)
}

/// What the response to a rejected request tells the browser: a page of `guard.origins` may read it, whichever rule the
/// request broke.
#[cold]
pub(super) fn cors_of_rejection(headers: &HeaderMap, pages: &AdmittedPages) -> Cors {
    let origin = match only(headers, &ORIGIN) {
        Some(origin) if is_allowed(origin.as_bytes(), pages) => RequestOrigin::Allowed(origin),
        Some(_) | None => RequestOrigin::Unknown,
    };
    origin.cors(pages)
}

fn unknown_origin(origin: &[u8], pages: &AdmittedPages) -> String {
    let origin = quotable_authority(origin);
    match pages {
        AdmittedPages::Of(_) => format!(
            "Pages of \"{origin}\" may not use this proxy. Only if they are your own tool, add that origin to \
             guard.origins: they may then do whatever a local program may do."
        ),
        AdmittedPages::None => format!(
            "Pages of \"{origin}\" may not use the admin listener, to which guard.origins does not apply."
        ),
    }
}

/// Checks `Sec-Fetch-Site`. Rejects `same-site` too: a page at another port of localhost is on the same site.
pub(super) fn check_site(
    lines: FieldLines<'_>,
    origin: RequestOrigin<'_>,
    pages: &AdmittedPages,
) -> Result<(), Rejection> {
    let is_harmless = match (lines, origin) {
        (FieldLines::Absent, _) | (_, RequestOrigin::Allowed(_)) => true,
        (FieldLines::One(site), _) => site == "same-origin" || site == "none",
        (FieldLines::Several, _) => false,
    };
    if is_harmless {
        Ok(())
    } else {
        Err(rejected(other_page(lines, pages)))
    }
}

fn other_page(lines: FieldLines<'_>, pages: &AdmittedPages) -> String {
    let why = match pages {
        AdmittedPages::Of(_) => "and that origin is not in guard.origins",
        AdmittedPages::None => "and guard.origins does not apply to the admin listener",
    };
    match lines {
        // Only what a browser sends is repeated: anything else could be a secret.
        FieldLines::One(site) if site == "cross-site" || site == "same-site" => format!(
            "A page of another origin started this request (Sec-Fetch-Site: {}), {why}.",
            quotable_authority(site.as_bytes())
        ),
        FieldLines::One(_) => {
            "Sec-Fetch-Site has a value that no browser sends: leave the field out.".to_owned()
        }
        FieldLines::Absent | FieldLines::Several => {
            "The request has several Sec-Fetch-Site fields; only one is allowed.".to_owned()
        }
    }
}

/// Whether a link on another page was opened in a tab of its own. This is the only cross-origin request that a person
/// may continue, by a click on one of cupbearer's own pages.
pub(super) fn is_cross_origin_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let says =
        |name: &HeaderName, value: &str| only(headers, name).is_some_and(|line| line == value);
    method == Method::GET
        && says(&SEC_FETCH_MODE, "navigate")
        && says(&SEC_FETCH_DEST, "document")
        && (says(&SEC_FETCH_SITE, "cross-site") || says(&SEC_FETCH_SITE, "same-site"))
}

/// Whether a link on another page of this machine, at another port, was opened in a tab of its own.
pub(super) fn is_same_site_navigation(method: &Method, headers: &HeaderMap) -> bool {
    is_cross_origin_navigation(method, headers)
        && only(headers, &SEC_FETCH_SITE).is_some_and(|site| site == "same-site")
}

/// The value of a field that has exactly one line.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

fn rejected(detail: String) -> Rejection {
    Rejection::new(Reason::OriginRefused, detail)
}
