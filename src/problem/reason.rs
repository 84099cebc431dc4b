//! Why cupbearer answered instead of the upstream: one table with the name, the statuses, the `Proxy-Status` error
//! type and the row of docs/troubleshooting.md of each reason.
//!
//! To add a reason, add a variant before `Internal`, which stays last. The compiler then asks for its line in
//! [`Reason::ALL`] and for its entry.

use http::{HeaderValue, StatusCode};

use super::grpc::GrpcStatus;
use super::plain::plain_text;

/// Why cupbearer answered instead of the upstream. Other people's scripts read the names, so they never change.
///
/// A name that goes with two statuses or two `Proxy-Status` error types has one variant for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There is no usable token, and none arrived within `token.wait`.
    TokenUnavailable,
    /// The token endpoint rejects our configuration.
    TokenRefused,
    /// A person must sign in.
    LoginRequired,
    /// The upstream's name cannot be resolved.
    UpstreamDns,
    /// The upstream refused the connection.
    UpstreamRefused,
    /// `upstream.connect_timeout` expired.
    UpstreamConnectTimeout,
    /// The corporate proxy did not connect us to the upstream.
    UpstreamProxy,
    /// The upstream's certificate is not trusted.
    UpstreamTlsCertificate,
    /// The TLS handshake with the upstream failed for any other reason.
    UpstreamTlsProtocol,
    /// `upstream.head_timeout` expired.
    UpstreamHeadTimeout,
    /// The upstream closed the connection before its response was complete.
    UpstreamClosed,
    /// The upstream's response is not valid HTTP.
    UpstreamProtocol,
    /// `upstream.stall_timeout` expired. This is only logged: the status has been sent by then.
    UpstreamStalled,
    /// `limits.in_flight` or `limits.connections` is reached.
    Saturated,
    /// The proxy is shutting down.
    Draining,
    /// The caller sent no key, or an unknown one.
    CallerUnknown,
    /// `Host` does not name this proxy.
    HostRefused,
    /// A web page of another origin sent the request.
    OriginRefused,
    /// Another local user sent the request.
    UserRefused,
    /// A rule of the guard forbids the request.
    RuleRefused,
    /// The request target is an absolute URL of another host.
    TargetRefused,
    /// The method is one that is never forwarded.
    MethodRefused,
    /// The request target is longer than the HTTP library accepts.
    TargetTooLong,
    /// The request head is larger than `limits.header_bytes`, or has too many fields.
    HeadTooLarge,
    /// The client was too slow.
    ClientTimeout,
    /// The request is not valid, or two servers could interpret it differently.
    BadRequest,
    /// The request body has a transfer coding that is not supported.
    CodingNotSupported,
    /// The request's version is neither HTTP/1.0 nor HTTP/1.1.
    VersionNotSupported,
    /// The request has passed through this proxy before.
    Loop,
    /// cupbearer itself failed.
    Internal,
}

/// What is fixed about one reason.
struct ReasonEntry {
    name: &'static str,
    status: StatusCode,
    grpc_status: GrpcStatus,
    proxy_error: &'static str,
    proxy_status: &'static str,
    responsible: &'static str,
    remedy: &'static str,
}

/// The name, the status, that of gRPC, the `Proxy-Status` error type; then who is responsible and what to do, as
/// Markdown.
macro_rules! entry {
    ($name:literal, $status:ident, $grpc_status:ident, $error:literal, $responsible:literal, $remedy:literal) => {
        &ReasonEntry {
            name: $name,
            status: StatusCode::$status,
            grpc_status: GrpcStatus::$grpc_status,
            proxy_error: $error,
            proxy_status: concat!("cupbearer; error=", $error, "; details=\"", $name, "\""),
            responsible: $responsible,
            remedy: $remedy,
        }
    };
}

impl Reason {
    /// Every reason, in the order of docs/troubleshooting.md.
    pub const ALL: [Self; Self::Internal as usize + 1] = [
        Self::TokenUnavailable,
        Self::TokenRefused,
        Self::LoginRequired,
        Self::UpstreamDns,
        Self::UpstreamRefused,
        Self::UpstreamConnectTimeout,
        Self::UpstreamProxy,
        Self::UpstreamTlsCertificate,
        Self::UpstreamTlsProtocol,
        Self::UpstreamHeadTimeout,
        Self::UpstreamClosed,
        Self::UpstreamProtocol,
        Self::UpstreamStalled,
        Self::Saturated,
        Self::Draining,
        Self::CallerUnknown,
        Self::HostRefused,
        Self::OriginRefused,
        Self::UserRefused,
        Self::RuleRefused,
        Self::TargetRefused,
        Self::MethodRefused,
        Self::TargetTooLong,
        Self::HeadTooLarge,
        Self::ClientTimeout,
        Self::BadRequest,
        Self::CodingNotSupported,
        Self::VersionNotSupported,
        Self::Loop,
        Self::Internal,
    ];

    /// The name in problem details, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// The status of the response, except to a gRPC client.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.entry().status
    }

    /// The status for a gRPC client.
    #[must_use]
    pub const fn grpc_status(self) -> GrpcStatus {
        self.entry().grpc_status
    }

    /// The registered `Proxy-Status` error type (RFC 9209 section 2.3).
    #[must_use]
    pub const fn proxy_error(self) -> &'static str {
        self.entry().proxy_error
    }

    /// The complete `Proxy-Status` value (RFC 9209 section 2).
    #[must_use]
    pub const fn proxy_status(self) -> HeaderValue {
        HeaderValue::from_static(self.entry().proxy_status)
    }

    /// The status phrase, which is the `title` of a problem of type `about:blank` (RFC 9457 section 4.2.1).
    #[must_use]
    pub fn title(self) -> &'static str {
        self.status().canonical_reason().unwrap_or_default()
    }

    /// Whose fault it is: the end of "this is up to …". Markdown.
    #[must_use]
    pub const fn responsible(self) -> &'static str {
        self.entry().responsible
    }

    /// What to do, beginning with an imperative, and what happened, in a few sentences of Markdown.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.entry().remedy
    }

    /// [`responsible`](Self::responsible) without Markdown, except that code keeps its backticks.
    #[must_use]
    pub fn plain_responsible(self) -> String {
        plain_text(self.responsible())
    }

    /// [`remedy`](Self::remedy) without Markdown, except that code keeps its backticks.
    #[must_use]
    pub fn plain_remedy(self) -> String {
        plain_text(self.remedy())
    }

    #[rustfmt::skip] // one entry is two lines
    const fn entry(self) -> &'static ReasonEntry {
        match self {
            Self::TokenUnavailable => entry!("token_unavailable", SERVICE_UNAVAILABLE, Unavailable, "proxy_internal_error", "the token endpoint or the network path to it; or whatever issues an assertion, or the token itself (`token.source`)",
                "Wait for `Retry-After`. If the problem persists, run `cupbearer doctor`."),
            Self::TokenRefused => entry!("token_refused", BAD_GATEWAY, Unavailable, "proxy_configuration_error", "your configuration",
                "Run `cupbearer doctor` to find out which of the client id, secret, assertion, method or scope is rejected by the authorization server, or cannot be used; `detail` says whose fault it is. A corrected secret file takes effect within 5 s."),
            Self::LoginRequired => entry!("login_required", SERVICE_UNAVAILABLE, Unavailable, "proxy_internal_error", "the person whose token cupbearer uses",
                "Sign in at the address in `login_url`: nobody has signed in yet, or the token has ended. See [sign-in.md](sign-in.md)."),
            Self::UpstreamDns => entry!("upstream_dns", BAD_GATEWAY, Unavailable, "dns_error", "your configuration, or DNS",
                "Correct `upstream.url` if it is misspelt, or connect to the VPN. If only a corporate proxy resolves external names, set `network.proxy`."),
            Self::UpstreamRefused => entry!("upstream_refused", BAD_GATEWAY, Unavailable, "connection_refused", "the API",
                "Start the API, or correct the port in `upstream.url`: nothing is listening there."),
            Self::UpstreamConnectTimeout => entry!("upstream_connect_timeout", GATEWAY_TIMEOUT, Unavailable, "connection_timeout", "the network path to the API",
                "Check the VPN and `network.proxy`: a firewall may be dropping the connection. The limit is `upstream.connect_timeout`."),
            Self::UpstreamProxy => entry!("upstream_proxy", BAD_GATEWAY, Unavailable, "destination_unavailable", "the corporate proxy",
                "Read the proxy's response in `detail`. For a 407, set a user name and password in `network.proxy`."),
            Self::UpstreamTlsCertificate => entry!("upstream_tls", BAD_GATEWAY, Unavailable, "tls_certificate_error", "the API's certificate, or an intercepting proxy",
                "Check the issuer that `detail` names, or correct the clock. Trust that issuer with `network.ca_file` only if it is an authority of your organization or of the API: whoever holds its key can read everything."),
            Self::UpstreamTlsProtocol => entry!("upstream_tls", BAD_GATEWAY, Unavailable, "tls_protocol_error", "the API's certificate, or an intercepting proxy",
                "Check the issuer that `detail` names, or correct the clock. Trust that issuer with `network.ca_file` only if it is an authority of your organization or of the API: whoever holds its key can read everything."),
            Self::UpstreamHeadTimeout => entry!("upstream_head_timeout", GATEWAY_TIMEOUT, DeadlineExceeded, "http_response_timeout", "the API",
                "Check what the request did before you send it again: **the API may have carried it out.** It accepted the request but sent no response within `upstream.head_timeout`."),
            Self::UpstreamClosed => entry!("upstream_closed", BAD_GATEWAY, Unavailable, "connection_terminated", "the API",
                "Check what the request did before you send it again: the API may have carried it out. It closed the connection before its response was complete."),
            Self::UpstreamProtocol => entry!("upstream_protocol", BAD_GATEWAY, Unavailable, "http_protocol_error", "the API, or a server in front of it",
                "Check `upstream.url`, which may say `http` instead of `https`: the response is not valid HTTP."),
            Self::UpstreamStalled => entry!("upstream_stalled", GATEWAY_TIMEOUT, DeadlineExceeded, "connection_read_timeout", "the API or the caller",
                "Raise `upstream.stall_timeout` if such long pauses are normal: no data passed in either direction for that long, so the exchange was aborted."),
            Self::Saturated => entry!("saturated", SERVICE_UNAVAILABLE, ResourceExhausted, "connection_limit_reached", "too many simultaneous requests",
                "Try again after a second, or raise `limits.in_flight`."),
            Self::Draining => entry!("draining", SERVICE_UNAVAILABLE, Unavailable, "proxy_internal_error", "no one: a normal shutdown",
                "Send the request again: cupbearer stopped before the whole request head had arrived."),
            Self::CallerUnknown => entry!("caller_unknown", UNAUTHORIZED, Unauthenticated, "http_request_denied", "the caller",
                "Give the caller a key of `guard.callers`: it sent no key, or an unknown one. See [callers.md](callers.md)."),
            Self::HostRefused => entry!("host_refused", FORBIDDEN, PermissionDenied, "http_request_denied", "the caller",
                "Use `localhost`. If the caller needs the name in `Host`, and it is yours, add it to `guard.hosts`: over plain http, any web page can then send `GET` requests to it."),
            Self::OriginRefused => entry!("origin_refused", FORBIDDEN, PermissionDenied, "http_request_denied", "a web page",
                "Add the origin of the page that sent the request to `guard.origins`, but only if the page is your own tool: it may then do whatever a local program may do. For Postman in a browser, see [clients.md](clients.md)."),
            Self::UserRefused => entry!("user_refused", FORBIDDEN, PermissionDenied, "http_request_denied", "the caller",
                "Set `guard.local_users` as `detail` says if the caller may use this proxy: it runs as another user on this machine, and `detail` names both users."),
            Self::RuleRefused => entry!("rule_refused", FORBIDDEN, PermissionDenied, "http_request_denied", "a rule",
                "Change the key that `detail` names if the request should be allowed: `guard.read_only`, `.allow`, `.deny`, or the caller's own key of the same name."),
            Self::TargetRefused => entry!("target_refused", MISDIRECTED_REQUEST, PermissionDenied, "http_request_denied", "the caller",
                "Give the tool cupbearer's address as the address of the API. The request line names another host: the tool is using cupbearer as a *forward* proxy."),
            Self::MethodRefused => entry!("method_refused", METHOD_NOT_ALLOWED, Unimplemented, "http_request_denied", "the caller",
                "Use another method: `CONNECT`, `TRACE` and `TRACK` are never forwarded. `CONNECT` also means that the tool is using cupbearer as a forward proxy."),
            Self::TargetTooLong => entry!("too_large", URI_TOO_LONG, ResourceExhausted, "http_request_error", "the caller",
                "Shorten the request target: it is longer than 65,534 bytes."),
            Self::HeadTooLarge => entry!("too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, ResourceExhausted, "http_request_error", "the caller",
                "Shorten the request head: it is longer than `limits.header_bytes`, or has more than 100 fields."),
            Self::ClientTimeout => entry!("client_timeout", REQUEST_TIMEOUT, DeadlineExceeded, "http_request_error", "the caller",
                "Find out why the caller is slow: it did not finish its request head within `limits.header_timeout`, or sent no part of its request body for `upstream.stall_timeout`."),
            Self::BadRequest => entry!("bad_request", BAD_REQUEST, Internal, "http_request_error", "the caller",
                "Correct the request where `detail` says: it is malformed, or two servers could interpret it differently."),
            Self::CodingNotSupported => entry!("not_supported", NOT_IMPLEMENTED, Unimplemented, "http_request_error", "the caller",
                "Send a compressed body with `Content-Encoding`: the only supported transfer coding is `chunked`."),
            Self::VersionNotSupported => entry!("not_supported", HTTP_VERSION_NOT_SUPPORTED, Unimplemented, "http_request_error", "the caller",
                "Use HTTP/2, HTTP/1.1 or HTTP/1.0: no other version is supported."),
            Self::Loop => entry!("loop", LOOP_DETECTED, Internal, "proxy_loop_detected", "your configuration",
                "Correct `upstream.url`: it leads back to cupbearer."),
            Self::Internal => entry!("internal", INTERNAL_SERVER_ERROR, Internal, "proxy_internal_error", "cupbearer",
                "Please report it, with the log lines that have this `request_id`."),
        }
    }
}
