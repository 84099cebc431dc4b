//! A problem as a small HTML page, for a person in front of a browser. It has no script, loads nothing and cannot be
//! framed.
//!
//! Everything that is inserted into the page is escaped here, whether or not it was cleaned before.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::escape::escape_html;
use super::reason::Reason;
use super::request_id::RequestId;
use super::sign_in_links::SignInLinks;
use crate::text::quotable;

/// A page that another site opened must not keep a handle on ours, with which it could move it under a click.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The second line of defence behind escaping: the page needs nothing that this forbids.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// Sets the header fields that protect the page.
pub(crate) fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
}

/// The page. With a `link_target`, it has one link to it.
pub(super) fn html(
    (reason, detail): (Reason, &str),
    request_id: &RequestId,
    link_target: Option<&str>,
    sign_in: Option<&SignInLinks>,
) -> String {
    let status = reason.status().as_u16();
    let title = reason.title();
    let name = reason.name();
    let detail = escape_html(detail);
    let request_id = escape_html(request_id.as_str());
    let link = link_target.map(link).unwrap_or_default();
    let steps = sign_in.map(SignInLinks::html).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{status} {title}: cupbearer</title>\n\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;overflow-wrap:anywhere}}</style>\n\
         <h1>{status} {title}</h1>\n<p>{detail}</p>\n{steps}{link}\
         <p><small>This response comes from cupbearer, not from the API. Reason <code>{name}</code>, request <code>{request_id}</code>.</small></p>\n</html>\n"
    )
}

fn link(target: &str) -> String {
    let reference = escape_html(&own_reference(target));
    let text = escape_html(&quotable(target.as_bytes()));
    format!(
        "<p>If you meant to open it, continue to <a href=\"{reference}\" rel=\"noreferrer\">{text}</a></p>\n"
    )
}

/// A reference that a browser resolves to exactly this path on our own origin, whatever the path contains.
///
/// A second slash would start an authority (RFC 3986 section 4.2), so `/.` is put in front of it; the browser removes
/// that dot segment when it resolves the reference. Browsers read `\` as `/`, so it is percent-encoded.
fn own_reference(target: &str) -> String {
    use std::fmt::Write as _;

    let mut reference = String::with_capacity(target.len() + 2);
    if !target.starts_with('/') {
        reference.push('/');
    }
    if target.starts_with("//") {
        reference.push_str("/.");
    }
    for byte in target.bytes() {
        match byte {
            b'\\' => reference.push_str("%5C"),
            0x21..=0x7e => reference.push(char::from(byte)),
            _ => write!(reference, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    reference
}
