//! The same facts as a small page, for a browser that navigates. No script, nothing loaded, never framed.
//!
//! Everything that is put into the page is escaped here, whatever was done to it before.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};

use super::Answer;
use crate::text::quotable;

/// Fetch metadata: what kind of request a browser says this is.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A page that another site opened keeps no handle on ours, so it cannot move it about under a click.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The policy is the second lock: nothing in the page would need more.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The shape in which the client can use an answer of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// `application/problem+json`.
    Problem,
    /// A page: a person looks at it.
    Page,
    /// A page with one ordinary link to this path and query of ours: a click on it is same-origin.
    Link(String),
}

impl Form {
    /// A page for a browser that navigates; where it does not say, for a GET that would rather have
    /// HTML than JSON. Never [`Form::Link`], which is for the guard to offer.
    #[must_use]
    pub fn wanted_by(method: &Method, headers: &HeaderMap) -> Self {
        let wants_page = match headers.get(&SEC_FETCH_MODE) {
            Some(mode) => mode == "navigate",
            None => method == Method::GET && prefers_html(headers),
        };
        if wants_page {
            Self::Page
        } else {
            Self::Problem
        }
    }
}

/// Whether `text/html` is named and weighs more than JSON does, by name or by wildcard (RFC 9110
/// section 12.5.1).
fn prefers_html(headers: &HeaderMap) -> bool {
    let mut html = 0.0;
    let mut json: [Option<f32>; 3] = [None; 3]; // by name, `application/*`, `*/*`: the closest counts
    let lines = headers.get_all(header::ACCEPT).iter();
    for range in lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
    {
        let (kind, weight) = weighed(range);
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        if is("text/html") {
            html = weight;
        } else if is("application/json") || is("application/problem+json") {
            json[0] = Some(json[0].map_or(weight, |other| other.max(weight)));
        } else if is("application/*") {
            json[1] = Some(weight);
        } else if is("*/*") {
            json[2] = Some(weight);
        }
    }
    html > json.into_iter().flatten().next().unwrap_or(0.0)
}

/// A media range without its parameters, and its weight (1 where none is written).
fn weighed(range: &str) -> (&str, f32) {
    let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
    let weight = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0));
    (kind.trim(), weight)
}

impl Answer<'_> {
    /// The facts as HTML; with `target`, one link to it.
    pub(super) fn page(&self, target: Option<&str>) -> Response<Bytes> {
        let body = self.html(target);
        let mut response = self.with_fields(
            HeaderValue::from_static("text/html; charset=utf-8"),
            body.into(),
        );
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }

    fn html(&self, target: Option<&str>) -> String {
        let status = self.reason.status().as_u16();
        let title = self.reason.title();
        let name = self.reason.name();
        let detail = escaped(self.detail);
        let request_id = escaped(self.request_id.as_str());
        let link = target.map(link).unwrap_or_default();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{status} {title}: cupbearer</title>\n\
             <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;overflow-wrap:anywhere}}</style>\n\
             <h1>{status} {title}</h1>\n<p>{detail}</p>\n{link}\
             <p><small>Answered by cupbearer, not by the API. Reason <code>{name}</code>, request <code>{request_id}</code>.</small></p>\n</html>\n"
        )
    }
}

fn link(target: &str) -> String {
    let reference = escaped(&own_reference(target));
    let text = escaped(&quotable(target.as_bytes()));
    format!(
        "<p>If you meant to open it, go on to <a href=\"{reference}\" rel=\"noreferrer\">{text}</a></p>\n"
    )
}

/// A reference that a browser resolves to this very path of ours, whatever is in it.
///
/// A second slash would start an authority (RFC 3986 section 4.2), so `/.` goes before it: the dot
/// segment is removed again when the reference is resolved. Browsers read `\` as `/`, so it is encoded.
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
            _ => write!(reference, "%{byte:02X}").expect("a String takes whatever is written"),
        }
    }
    reference
}

/// Text that is only text, between tags and in a quoted attribute alike.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
