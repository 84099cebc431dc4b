//! The answers that we make ourselves: the one table of reasons, problem+json and the small page.
//!
//! Depends on no other room. A caller tells our 503 from the API's by `Proxy-Status`; a detail names
//! what to do next (a key to set), never what is inside the process.

mod page;
mod request_id;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

pub use page::Form;
pub(crate) use page::escaped;
pub use request_id::{RequestId, X_REQUEST_ID};

/// `Proxy-Status` (RFC 9209 section 2).
pub(crate) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// What a caller without a known key is asked for (RFC 9110 section 11.6.1).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="cupbearer", Bearer"#);

/// Why we answered instead of the upstream. Other people's scripts read the names: they are fixed.
///
/// Where one name has two statuses or two `Proxy-Status` types, each has its own variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No usable token, and none in time.
    TokenUnavailable,
    /// The token endpoint refuses our configuration.
    TokenRefused,
    /// The upstream's name does not resolve.
    UpstreamDns,
    /// The upstream refused the connection.
    UpstreamRefused,
    /// `upstream.connect_timeout` has passed.
    UpstreamConnectTimeout,
    /// The corporate proxy did not connect us.
    UpstreamProxy,
    /// The upstream's certificate does not hold.
    UpstreamTlsCertificate,
    /// TLS with the upstream failed otherwise.
    UpstreamTlsProtocol,
    /// `upstream.head_timeout` has passed.
    UpstreamHeadTimeout,
    /// The upstream closed before its answer was whole.
    UpstreamClosed,
    /// The upstream's answer is no HTTP.
    UpstreamProtocol,
    /// `upstream.stall_timeout` has passed. Logged only: by then the status has been sent.
    UpstreamStalled,
    /// `limits.in_flight` is reached.
    Saturated,
    /// The proxy is stopping.
    Draining,
    /// No known key.
    CallerUnknown,
    /// `Host` is not ours.
    HostRefused,
    /// A web page of another origin started the request.
    OriginRefused,
    /// Another local user.
    UserRefused,
    /// A rail forbids it.
    RuleRefused,
    /// An absolute target for another host.
    TargetRefused,
    /// A method that is never forwarded.
    MethodRefused,
    /// The body is larger than may be.
    BodyTooLarge,
    /// The head is larger than `limits.header_bytes`.
    HeadTooLarge,
    /// The client was too slow.
    ClientTimeout,
    /// Not a request that can be forwarded in one meaning only.
    BadRequest,
    /// The request has been here before.
    Loop,
    /// Our own fault.
    Internal,
}

/// One row of the contract's table.
struct Row {
    name: &'static str,
    status: StatusCode,
    proxy_error: &'static str,
    proxy_status: &'static str,
}

/// Name, status, `Proxy-Status` error type; the whole `Proxy-Status` (an item of RFC 8941) follows.
macro_rules! row {
    ($name:literal, $status:ident, $error:literal) => {
        Row {
            name: $name,
            status: StatusCode::$status,
            proxy_error: $error,
            proxy_status: concat!("cupbearer; error=", $error, "; details=\"", $name, "\""),
        }
    };
}

impl Reason {
    /// The name in problems, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// The registered `Proxy-Status` error type (RFC 9209 section 2.3).
    #[must_use]
    pub const fn proxy_error(self) -> &'static str {
        self.row().proxy_error
    }

    /// `Proxy-Status`, whole (RFC 9209 section 2).
    #[must_use]
    pub const fn proxy_status(self) -> HeaderValue {
        HeaderValue::from_static(self.row().proxy_status)
    }

    /// The status phrase: what `title` is for `about:blank` (RFC 9457 section 4.2.1).
    #[must_use]
    pub fn title(self) -> &'static str {
        self.status().canonical_reason().unwrap_or_default()
    }

    #[rustfmt::skip] // a table is read by column
    const fn row(self) -> Row {
        match self {
            Self::TokenUnavailable       => row!("token_unavailable", SERVICE_UNAVAILABLE, "proxy_internal_error"),
            Self::TokenRefused           => row!("token_refused", BAD_GATEWAY, "proxy_configuration_error"),
            Self::UpstreamDns            => row!("upstream_dns", BAD_GATEWAY, "dns_error"),
            Self::UpstreamRefused        => row!("upstream_refused", BAD_GATEWAY, "connection_refused"),
            Self::UpstreamConnectTimeout => row!("upstream_connect_timeout", GATEWAY_TIMEOUT, "connection_timeout"),
            Self::UpstreamProxy          => row!("upstream_proxy", BAD_GATEWAY, "destination_unavailable"),
            Self::UpstreamTlsCertificate => row!("upstream_tls", BAD_GATEWAY, "tls_certificate_error"),
            Self::UpstreamTlsProtocol    => row!("upstream_tls", BAD_GATEWAY, "tls_protocol_error"),
            Self::UpstreamHeadTimeout    => row!("upstream_head_timeout", GATEWAY_TIMEOUT, "http_response_timeout"),
            Self::UpstreamClosed         => row!("upstream_closed", BAD_GATEWAY, "connection_terminated"),
            Self::UpstreamProtocol       => row!("upstream_protocol", BAD_GATEWAY, "http_protocol_error"),
            Self::UpstreamStalled        => row!("upstream_stalled", GATEWAY_TIMEOUT, "connection_read_timeout"),
            Self::Saturated              => row!("saturated", SERVICE_UNAVAILABLE, "connection_limit_reached"),
            Self::Draining               => row!("draining", SERVICE_UNAVAILABLE, "proxy_internal_error"),
            Self::CallerUnknown          => row!("caller_unknown", UNAUTHORIZED, "http_request_denied"),
            Self::HostRefused            => row!("host_refused", FORBIDDEN, "http_request_denied"),
            Self::OriginRefused          => row!("origin_refused", FORBIDDEN, "http_request_denied"),
            Self::UserRefused            => row!("user_refused", FORBIDDEN, "http_request_denied"),
            Self::RuleRefused            => row!("rule_refused", FORBIDDEN, "http_request_denied"),
            Self::TargetRefused          => row!("target_refused", MISDIRECTED_REQUEST, "http_request_denied"),
            Self::MethodRefused          => row!("method_refused", METHOD_NOT_ALLOWED, "http_request_denied"),
            Self::BodyTooLarge           => row!("too_large", PAYLOAD_TOO_LARGE, "http_request_error"),
            Self::HeadTooLarge           => row!("too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "http_request_error"),
            Self::ClientTimeout          => row!("client_timeout", REQUEST_TIMEOUT, "http_request_error"),
            Self::BadRequest             => row!("bad_request", BAD_REQUEST, "http_request_error"),
            Self::Loop                   => row!("loop", LOOP_DETECTED, "proxy_loop_detected"),
            Self::Internal               => row!("internal", INTERNAL_SERVER_ERROR, "proxy_internal_error"),
        }
    }
}

/// One answer of ours, before it is written as problem+json or as a page.
///
/// Fields that a reason always carries (the challenge of `caller_unknown`, `Retry-After: 1` of
/// `saturated`, `Connection: close` of `draining`) need not be set.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// Why.
    pub reason: Reason,
    /// One sentence for the person who reads it: what is wrong and which key to set. Values taken
    /// from the request go through [`shown`] first.
    pub detail: &'a str,
    /// Echoed, and part of the body.
    pub request_id: &'a RequestId,
    /// In what shape.
    pub form: &'a Form,
    /// `Retry-After`, rounded up to whole seconds, at least 1.
    pub retry_after: Option<Duration>,
    /// `Allow` (RFC 9110 section 10.2.1).
    pub allow: Option<&'static str>,
    /// `Connection: close`: for an answer sent before the request body has ended.
    pub close: bool,
}

impl<'a> Answer<'a> {
    /// A problem without further fields.
    #[must_use]
    pub const fn new(reason: Reason, detail: &'a str, request_id: &'a RequestId) -> Self {
        Self {
            reason,
            detail,
            request_id,
            form: &Form::Problem,
            retry_after: None,
            allow: None,
            close: false,
        }
    }

    /// The whole response. Its length is left to the server, which knows whether a body follows.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        match self.form {
            Form::Problem => self.problem(),
            Form::Page => self.page(None),
            Form::Link(target) => self.page(Some(target)),
        }
    }

    /// RFC 9457.
    fn problem(&self) -> Response<Bytes> {
        let problem = Problem {
            kind: "about:blank",
            title: self.reason.title(),
            status: self.reason.status().as_u16(),
            detail: self.detail,
            reason: self.reason.name(),
            request_id: self.request_id.as_str(),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default(); // strings and a number: cannot fail
        self.with_fields(
            HeaderValue::from_static("application/problem+json"),
            body.into(),
        )
    }

    /// The fields that every answer of ours carries.
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
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if self.close || self.reason == Reason::Draining {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        let asked = self
            .retry_after
            .or((self.reason == Reason::Saturated).then_some(Duration::from_secs(1)))?;
        Some((asked.as_secs() + u64::from(asked.subsec_nanos() > 0)).max(1))
    }
}

/// The body of a problem, in the order in which a person reads it.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    reason: &'static str,
    request_id: &'a str,
}

#[cfg(test)]
mod tests;
