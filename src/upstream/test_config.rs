//! An upstream as the tests of this room need it: without TLS, and with nothing that they do not set themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ApiHttp2, Origin, UpstreamConfig};

/// A configuration for an upstream at this address, with one limit for everything that takes time.
pub(super) fn config_of(address: SocketAddr, http2: ApiHttp2, limit: Duration) -> UpstreamConfig {
    UpstreamConfig {
        san: None,
        url: Origin {
            scheme: http::uri::Scheme::HTTP,
            authority: address.to_string().parse().unwrap(),
        },
        proxy: None,
        client_certificate: None,
        headers: Vec::new(),
        rewrite: false,
        openapi: Vec::new(),
        openapi_removes_security: true,
        docs_note: false,
        openapi_memory: 64 << 20,
        cookies: false,
        via: false,
        http2,
        connect_timeout: limit,
        head_timeout: limit,
        stall_timeout: limit,
        pool_idle: limit,
        retry_body: 0,
    }
}

/// TLS that trusts nobody.
pub(super) fn tls_without_roots() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
