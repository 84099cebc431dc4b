//! In which format a client can read a problem.

use http::{HeaderMap, HeaderName, Method, header};

use super::grpc;

/// Fetch metadata: what kind of request the browser says this is.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The format of a response that cupbearer generates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemFormat {
    /// `application/problem+json`.
    Json,
    /// An HTML page, for a person in front of a browser.
    Page,
    /// An HTML page with one ordinary link to this path and query of cupbearer. A click on it is a same-origin request.
    PageWithLink(String),
    /// Two fields in a response with this media type, for a gRPC client.
    Grpc(&'static str),
}

impl ProblemFormat {
    /// The form of gRPC for a gRPC call, and a page for a browser that navigates. If the client sends no fetch
    /// metadata, a page for a GET that prefers HTML to JSON. Never [`Self::PageWithLink`], which only the guard offers.
    #[must_use]
    pub fn preferred_by(method: &Method, headers: &HeaderMap) -> Self {
        if let Some(media_type) = grpc::media_type(method, headers) {
            return Self::Grpc(media_type);
        }
        let wants_page = match headers.get(&SEC_FETCH_MODE) {
            Some(mode) => mode == "navigate",
            None => method == Method::GET && prefers_html(headers),
        };
        if wants_page { Self::Page } else { Self::Json }
    }

    /// The same without a page.
    #[must_use]
    pub(crate) fn without_page(method: &Method, headers: &HeaderMap) -> Self {
        grpc::media_type(method, headers).map_or(Self::Json, Self::Grpc)
    }
}

/// Whether `text/html` is listed and weighs more than JSON, by name or by wildcard (RFC 9110 section 12.5.1).
fn prefers_html(headers: &HeaderMap) -> bool {
    let mut html = 0.0;
    // By name, `application/*`, `*/*`: the most specific one counts.
    let mut json: [Option<f32>; 3] = [None; 3];
    let lines = headers.get_all(header::ACCEPT).iter();
    for range in lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
    {
        let (media_type, weight) = media_range(range);
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
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

/// A media range without its parameters, and its weight, which is 1 by default.
fn media_range(range: &str) -> (&str, f32) {
    let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
    let weight = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0));
    (media_type.trim(), weight)
}
