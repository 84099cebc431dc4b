//! What names the upstream in an answer is made to name the address that the client used
//! (`upstream.rewrite`), so that a redirect, a cookie or an `OpenAPI` document leads back through us.
//!
//! `docs/forwarding.md` lists every field that may differ; nothing else does. Only `collected` holds a body.

mod collected;
mod document;
mod fields;
mod place;

use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method, Response};

use super::UpstreamBody;
use super::admission::Permit;
use super::body::{Body, Inbound};
use super::headers::Head;
use crate::config::{self, PathPattern};

pub(super) use fields::with_origin;
pub(super) use place::Place;

/// What is to be made of the names of the one upstream.
#[derive(Debug)]
pub(super) struct Rewrite {
    upstream: config::Origin,
    is_on: bool,
    documents: Vec<PathPattern>,
}

/// The fields of an answer that may name the upstream.
const RENAMED: [HeaderName; 2] = [header::LOCATION, header::SET_COOKIE];

/// With any of them the answer would be a part of the document, or none.
const CONDITIONAL: [HeaderName; 6] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

impl Rewrite {
    pub(super) fn new(config: &config::UpstreamConfig) -> Self {
        Self {
            upstream: config.url.clone(),
            is_on: config.rewrite,
            documents: if config.rewrite {
                config.openapi.clone()
            } else {
                Vec::new()
            },
        }
    }

    /// Whether a request asks for what may be an `OpenAPI` document. If so, it is made to ask for the
    /// whole of it, in a form that can be read.
    pub(super) fn expects_document(&self, head: &mut Head) -> bool {
        let path = head.path.path();
        let expects = head.method == Method::GET
            && self
                .documents
                .iter()
                .any(|pattern| pattern.matches_seldom(path));
        if expects {
            ask_for_all_of_it(&mut head.headers);
        }
        expects
    }

    /// `Location` and `Set-Cookie`, all lines of both.
    pub(super) fn fields(&self, head: &Head, answer: &mut HeaderMap) {
        if !self.is_on || !answer.keys().any(|name| RENAMED.contains(name)) {
            return;
        }
        change_lines(answer, &header::LOCATION, |value| {
            let client = [b"http://", head.host()?.as_bytes()].concat();
            with_origin(value, Place::of_upstream(&self.upstream), &client)
        });
        change_lines(answer, &header::SET_COOKIE, fields::cookie);
    }

    /// The answer to a request that [expects a document](Self::expects_document), once it is known to be
    /// one or not. Boxed by the caller: its state would burden every other request.
    pub(super) async fn document<I: Inbound>(
        &self,
        head: &Head,
        response: Response<UpstreamBody<I>>,
        permit: Permit,
    ) -> Response<Body<I>> {
        match head.host().and_then(|host| host.to_str().ok()) {
            Some(client) if collected::may_be_document(&response) => {
                let upstream = Place::of_upstream(&self.upstream);
                collected::passed_on(response, upstream, client, permit).await
            }
            Some(_) | None => Body::upstream(response, permit),
        }
    }
}

fn ask_for_all_of_it(headers: &mut HeaderMap) {
    for name in &CONDITIONAL {
        headers.remove(name);
    }
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
}

fn change_lines(
    headers: &mut HeaderMap,
    name: &HeaderName,
    new: impl Fn(&HeaderValue) -> Option<HeaderValue>,
) {
    // `entry` alone would make room for a field that is not there.
    if headers.contains_key(name)
        && let header::Entry::Occupied(mut lines) = headers.entry(name)
    {
        for line in lines.iter_mut() {
            if let Some(new) = new(line) {
                *line = new;
            }
        }
    }
}
