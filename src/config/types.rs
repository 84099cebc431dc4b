//! The configuration as types, one for each table.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::address::Origin;
use super::certificate_name::CertificateName;
use super::guard::GuardConfig;
use super::listen::Listen;
use super::network::{ProxyRule, ProxyUrl};
use super::path_pattern::PathPattern;
use super::token::TokenConfig;
use crate::credentials::CertificateFiles;

/// The configuration of one proxy.
#[derive(Debug, Clone)]
pub struct Config {
    /// `name`: the name of this proxy in logs, `Via` and metrics.
    pub name: String,
    /// `listen`: where callers connect.
    pub listen: Listen,
    /// `upstream.*`: the one API that requests go to.
    pub upstream: UpstreamConfig,
    /// `network.*`: how connections leave this machine.
    pub network: NetworkConfig,
    /// `token.*`: how tokens are requested.
    pub token: TokenConfig,
    /// `guard.*`: who may call, and what callers may do.
    pub guard: GuardConfig,
    /// `tls.*`: how the listener speaks TLS; `None` if it speaks plain HTTP.
    pub tls: Option<TlsConfig>,
    /// `admin.*`: the admin listener.
    pub admin: AdminConfig,
    /// `limits.*`: bounds on client connections and requests.
    pub limits: LimitsConfig,
    /// `log.*`: what is logged, and how.
    pub log: LogConfig,
    /// `drain`: how long requests in flight may take to finish once the proxy has been asked to stop.
    pub drain: Duration,
    /// `drain_delay`: how long the proxy still accepts connections before that, though no longer ready.
    pub drain_delay: Duration,
    /// `runtime.*`: threads.
    pub runtime: RuntimeConfig,
}

impl Config {
    /// Whether the API, or the server that tokens come from, is reached with TLS.
    #[must_use]
    pub fn names_https(&self) -> bool {
        let token = self.token.server();
        self.upstream.url.scheme == http::uri::Scheme::HTTPS
            || token.is_some_and(|(url, _)| url.scheme() == "https")
    }
}

/// `admin.*`.
#[derive(Debug, Clone, Default)]
pub struct AdminConfig {
    /// `admin.listen`; empty for `"off"`.
    pub listen: Vec<Listen>,
    /// Whether `admin.listen` was set. A taken address is then an error, whereas a taken default is only a warning.
    pub is_configured: bool,
}

/// `upstream.*`.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// `upstream.url`.
    pub url: Origin,
    /// `network.proxy` applied to `upstream.url`: the corporate proxy in between, if any.
    pub proxy: Option<ProxyUrl>,
    /// `upstream.client_cert_file` and `.client_key_file`: mutual TLS.
    pub client_certificate: Option<CertificateFiles>,
    /// `upstream.san`: the name that the API's certificate must have instead of the host's.
    pub san: Option<CertificateName>,
    /// `upstream.headers`: header fields of every request, in the order of their names.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `upstream.rewrite`: whether responses name the address that the client used instead of the upstream's.
    pub rewrite: bool,
    /// `upstream.openapi`: paths where the API's `OpenAPI` documents are.
    pub openapi: Vec<PathPattern>,
    /// `upstream.openapi_security`: whether the documents lose what the attached token satisfies.
    pub openapi_removes_security: bool,
    /// `upstream.docs_note`: whether the documents say that cupbearer signs in.
    pub docs_note: bool,
    /// `upstream.openapi_memory`: bytes that all `OpenAPI` documents in memory may take together.
    pub openapi_memory: usize,
    /// `upstream.cookies`: whether a browser's cookies are forwarded.
    pub cookies: bool,
    /// `upstream.via`: whether requests carry `Via`.
    pub via: bool,
    /// `upstream.http2`: which requests go out as HTTP/2.
    pub http2: ApiHttp2,
    /// `upstream.connect_timeout`: name resolution, TCP, corporate proxy and TLS together.
    pub connect_timeout: Duration,
    /// `upstream.head_timeout`: from the last part of the request that was passed on to the head of the response.
    pub head_timeout: Duration,
    /// `upstream.stall_timeout`: how long an exchange may transfer no byte.
    pub stall_timeout: Duration,
    /// `upstream.pool_idle`: how long an idle connection is kept.
    pub pool_idle: Duration,
    /// `upstream.retry_body`: bytes of a request body kept for the one replay after a 401.
    pub retry_body: usize,
}

/// `upstream.http2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiHttp2 {
    /// A request that came as HTTP/2, where the API offers it; without TLS, gRPC alone.
    Match,
    /// Every request but upgrades, where the API offers it; without TLS, always.
    Always,
    /// No request.
    Never,
}

/// `network.*`.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// `network.proxy`: which targets are reached through a corporate proxy.
    pub proxy: ProxyRule,
    /// `network.ca_file`: certificate authorities (PEM) to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
}

/// `tls.*`.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// `tls.cert_file` and `.key_file`.
    pub certificate: CertificateFiles,
    /// `tls.client_ca_file`: the certificate authorities (PEM) of callers; `None` if callers present no certificate.
    pub client_ca_file: Option<PathBuf>,
    /// `tls.require_client`: whether a handshake without a certificate fails.
    pub requires_client: bool,
}

/// `limits.*`.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// `limits.connections`: client connections open at a time.
    pub connections: usize,
    /// `limits.in_flight`: requests in flight at a time.
    pub in_flight: usize,
    /// `limits.streams`: requests in flight on one HTTP/2 connection.
    pub streams: u32,
    /// `limits.header_bytes`: the largest head of a request, in bytes.
    pub header_bytes: usize,
    /// `limits.header_timeout`: from a request's first byte (or the connection's start) to the end of its head.
    pub header_timeout: Duration,
    /// `limits.keep_alive`: how long a client connection may be idle between requests.
    pub keep_alive: Duration,
}

/// `log.*`.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `log.format`.
    pub format: LogFormat,
    /// `log.level`: a level, or directives as in `RUST_LOG`.
    pub level: String,
    /// `log.access`.
    pub access: AccessLog,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// One readable line for each event.
    Text,
    /// One JSON object for each event.
    Json,
}

/// `log.access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// Every request on a terminal, else writes and failures.
    Auto,
    /// Every request.
    All,
    /// No request.
    None,
}

/// `runtime.*`.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeConfig {
    /// `runtime.threads`: how many threads serve requests.
    pub threads: usize,
}
