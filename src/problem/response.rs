//! A response that cupbearer generates instead of the upstream.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::format::ProblemFormat;
use super::grpc::{self, GRPC_MESSAGE, GRPC_STATUS};
use super::page;
use super::reason::Reason;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::sign_in_links::SignInLinks;

/// `Proxy-Status` (RFC 9209 section 2).
pub(crate) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// How a caller without a known key is asked for one (RFC 9110 section 11.6.1).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="cupbearer", Bearer"#);

/// The same where `Authorization` belongs to the API, so that no client puts its key there. There is no registered
/// scheme for a field of its own.
const OWN_FIELD_CHALLENGE: HeaderValue =
    HeaderValue::from_static(r#"X-Cupbearer-Key realm="cupbearer""#);

/// A response that cupbearer generates, before it is written as problem details, as a page or for a gRPC client.
///
/// Fields that a reason always carries (the challenge of `caller_unknown`, `Retry-After: 1` of `saturated`,
/// `Connection: close` of `draining`) need not be set.
#[derive(Debug, Clone)]
pub struct ProblemResponse<'a> {
    /// Why there is no response from the upstream.
    pub reason: Reason,
    /// One sentence for the person who reads it: what is wrong and which key to set. A value taken from the request
    /// must have passed through [`quotable`](crate::text::quotable).
    pub detail: &'a str,
    /// Echoed in the header, and part of the body.
    pub request_id: &'a RequestId,
    /// How the client can read it.
    pub format: &'a ProblemFormat,
    /// `Retry-After`, rounded up to whole seconds, at least 1.
    pub retry_after: Option<Duration>,
    /// `Allow` (RFC 9110 section 10.2.1).
    pub allow: Option<&'static str>,
    /// Where a person can put an end to the problem.
    pub sign_in: Option<&'a SignInLinks>,
    /// Whether the challenge of `caller_unknown` asks for a key in `X-Cupbearer-Key` alone.
    pub asks_for_own_field: bool,
    /// `Connection: close`, for a response that is sent before the request body has ended.
    pub close: bool,
}

impl<'a> ProblemResponse<'a> {
    /// Problem details without optional fields.
    #[must_use]
    pub const fn new(reason: Reason, detail: &'a str, request_id: &'a RequestId) -> Self {
        Self {
            reason,
            detail,
            request_id,
            format: &ProblemFormat::Json,
            retry_after: None,
            allow: None,
            sign_in: None,
            asks_for_own_field: false,
            close: false,
        }
    }

    /// The complete response. The server sets its length, because it knows whether a body is sent.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        match self.format {
            ProblemFormat::Json => self.json(),
            ProblemFormat::Page => self.page(None),
            ProblemFormat::PageWithLink(target) => self.page(Some(target)),
            ProblemFormat::Grpc(media_type) => self.grpc(media_type),
        }
    }

    /// RFC 9457.
    fn json(&self) -> Response<Bytes> {
        let details = ProblemDetails {
            problem_type: "about:blank",
            title: self.reason.title(),
            status: self.reason.status().as_u16(),
            detail: self.detail,
            reason: self.reason.name(),
            request_id: self.request_id.as_str(),
            login_url: self.sign_in.and_then(SignInLinks::first),
        };
        let body = serde_json::to_vec(&details).unwrap_or_default(); // strings and a number: cannot fail
        self.with_fields(
            HeaderValue::from_static("application/problem+json"),
            body.into(),
        )
    }

    fn page(&self, link_target: Option<&str>) -> Response<Bytes> {
        let html = page::html(
            (self.reason, self.detail),
            self.request_id,
            link_target,
            self.sign_in,
        );
        let mut response = self.with_fields(
            HeaderValue::from_static("text/html; charset=utf-8"),
            html.into(),
        );
        page::protect(response.headers_mut());
        response
    }

    /// The end of a call, without content.
    fn grpc(&self, media_type: &'static str) -> Response<Bytes> {
        let mut response = self.with_fields(HeaderValue::from_static(media_type), Bytes::new());
        *response.status_mut() = StatusCode::OK;
        let status = self.reason.grpc_status().code();
        let headers = response.headers_mut();
        headers.insert(GRPC_STATUS, HeaderValue::from(status));
        headers.insert(GRPC_MESSAGE, grpc::message(self.detail));
        response
    }

    /// The fields that each of these responses carries.
    fn with_fields(&self, content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = self.reason.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(PROXY_STATUS, self.reason.proxy_status());
        headers.insert(X_REQUEST_ID, self.request_id.header().clone());
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if self.reason == Reason::CallerUnknown {
            let challenge = if self.asks_for_own_field {
                OWN_FIELD_CHALLENGE
            } else {
                CHALLENGE
            };
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.close || self.reason == Reason::Draining {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self
            .retry_after
            .or((self.reason == Reason::Saturated).then_some(Duration::from_secs(1)))?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

/// The members of problem details, in the order in which a person reads them.
#[derive(Serialize)]
struct ProblemDetails<'a> {
    #[serde(rename = "type")]
    problem_type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    reason: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<&'a str>,
}
