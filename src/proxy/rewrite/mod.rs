//! Replaces the upstream's address in responses with the one that the client used (`upstream.rewrite`), so that
//! redirects, cookies and `OpenAPI` documents lead back through the proxy.
//!
//! docs/forwarding.md lists every field that may change; nothing else does. Only `collect` reads a body, and only
//! `store` holds one.

mod changes;
mod collect;
mod cookies;
mod document;
mod security;
mod store;
mod text_edit;

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method, Response};

use super::origin_ref::{ClientAddress, OriginRef};
use super::request_head::RequestHead;
use super::response_body::{ClientResponseBody, UpstreamResponseBody};
use crate::config::{self, PathPattern};

pub use store::DocumentStore;

use changes::DocumentChanges;
use collect::DocumentRewriter;

/// How the responses of the upstream are rewritten.
pub(super) struct Rewrite {
    is_enabled: bool,
    documents: Vec<PathPattern>,
    document_rewriter: DocumentRewriter,
}

/// The response fields that may contain the upstream's address.
const REWRITTEN: [HeaderName; 2] = [header::LOCATION, header::SET_COOKIE];

impl Rewrite {
    /// With `asks_for_key`, clients need the key of a caller.
    pub(super) fn new(
        config: &config::UpstreamConfig,
        store: Arc<DocumentStore>,
        asks_for_key: bool,
        token_field: &config::TokenField,
    ) -> Self {
        Self {
            document_rewriter: DocumentRewriter {
                store,
                memory: config.openapi_memory,
                upstream: config.url.clone(),
                changes: DocumentChanges {
                    removes_security: config.openapi_removes_security,
                    token_field: token_field.name.clone(),
                    keeps_authorization: token_field.keeps_authorization,
                    asks_for_key,
                    has_note: config.docs_note,
                },
            },
            is_enabled: config.rewrite,
            documents: if config.rewrite {
                config.openapi.clone()
            } else {
                Vec::new()
            },
        }
    }

    /// Whether a request is for what may be an `OpenAPI` document. If so, the request is changed so that the upstream
    /// sends the whole document without compression.
    pub(super) fn expects_document(&self, head: &mut RequestHead) -> bool {
        let path = head.path.path();
        let expects = head.method == Method::GET
            && self
                .documents
                .iter()
                .any(|pattern| pattern.matches_seldom(path));
        if expects {
            head.ask_for_whole_document();
        }
        expects
    }

    /// Rewrites all lines of `Location` and `Set-Cookie`.
    pub(super) fn fields(&self, head: &RequestHead, headers: &mut HeaderMap) {
        if !self.is_enabled || !headers.keys().any(|name| REWRITTEN.contains(name)) {
            return;
        }
        rewrite_lines(headers, &header::LOCATION, |value| {
            let client = [head.scheme.prefix().as_bytes(), head.host()?.as_bytes()].concat();
            OriginRef::of_upstream(&self.document_rewriter.upstream).replaced_in(value, &client)
        });
        rewrite_lines(headers, &header::SET_COOKIE, |value| {
            cookies::rewritten_cookie(value, head.scheme)
        });
    }

    /// The response to a request that [expects a document](Self::expects_document), rewritten if it is
    /// one. The caller boxes this future, whose state would enlarge that of every other request.
    pub(super) async fn document(
        &self,
        head: &RequestHead,
        response: Response<UpstreamResponseBody>,
    ) -> Response<ClientResponseBody> {
        match head.host().and_then(|host| host.to_str().ok()) {
            Some(authority) if collect::may_be_document(&response) => {
                let client = ClientAddress {
                    scheme: head.scheme,
                    authority: authority.to_owned(),
                };
                self.document_rewriter.forward(response, client).await
            }
            Some(_) | None => ClientResponseBody::streamed(response),
        }
    }
}

fn rewrite_lines(
    headers: &mut HeaderMap,
    name: &HeaderName,
    new: impl Fn(&HeaderValue) -> Option<HeaderValue>,
) {
    // `entry` alone would reserve space for a field that is missing.
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
