//! What speaks to the token endpoint, and what it means when it cannot. Built on reqwest; knows no grant.

use std::error::Error as _;
use std::io;

use http::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::CertificateError;
use url::Url;

use super::failure::Failure;
use crate::config::ProxyRule;

/// The client that speaks to the token endpoint, with whom `tls` trusts.
///
/// No redirects (they would carry the secret along), no pool (a connection kept for half an hour is
/// dead when it is needed), no retries (each would hide a token request). None of reqwest's own rules
/// about proxies (it would send the secret for 127.0.0.1 to `HTTP_PROXY`): `proxy` alone decides.
///
/// # Errors
/// If the client cannot be set up with this TLS configuration.
pub fn client(tls: rustls::ClientConfig, proxy: &ProxyRule) -> Result<Client, ClientError> {
    Ok(Client {
        http: build(tls.clone(), proxy)?,
        tls,
        proxy: proxy.clone(),
    })
}

fn build(tls: rustls::ClientConfig, proxy: &ProxyRule) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .proxy(through(proxy))
        .retry(reqwest::retry::never())
        .http1_only()
        .referer(false)
        .user_agent(concat!("cupbearer/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The rule as reqwest asks it. User name and password go along as the header that they become, so
/// that no address of reqwest's ever holds them.
fn through(rule: &ProxyRule) -> reqwest::Proxy {
    let rule = rule.clone();
    let header = rule.authorization().and_then(|credential| {
        let mut header = HeaderValue::from_bytes(credential).ok()?;
        header.set_sensitive(true);
        Some(header)
    });
    let proxy =
        reqwest::Proxy::custom(move |target| rule.for_url(target).map(|proxy| proxy.to_string()));
    match header {
        Some(header) => proxy.custom_http_auth(header),
        None => proxy,
    }
}

/// What speaks to the token endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// What a client with a certificate is made from.
    tls: rustls::ClientConfig,
    proxy: ProxyRule,
}

/// It could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the client for the token endpoint could not be set up")]
pub struct ClientError(#[from] reqwest::Error);

impl Client {
    /// The one without a certificate of ours.
    pub(super) fn plain(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// What it trusts.
    pub(super) fn tls(&self) -> rustls::ClientConfig {
        self.tls.clone()
    }

    /// The same with `tls`, which presents a certificate.
    pub(super) fn with(
        &self,
        tls: rustls::ClientConfig,
    ) -> Result<reqwest::Client, reqwest::Error> {
        build(tls, &self.proxy)
    }

    /// A failure on the way through a corporate proxy names it: it may be the one at fault.
    pub(super) fn unsent(&self, endpoint: &Url, error: reqwest::Error) -> Failure {
        if let Some(refused) = refused_certificate(&error) {
            return Failure::Unreachable(refused.into());
        }
        let source = error.without_url();
        match self.proxy.for_url(endpoint) {
            None => Failure::Unreachable(source.into()),
            Some(proxy) => Failure::Unreachable(
                ThroughProxy {
                    proxy: proxy.to_string(),
                    source,
                }
                .into(),
            ),
        }
    }
}

/// Something failed on the way through a corporate proxy.
#[derive(Debug, thiserror::Error)]
#[error("through the corporate proxy {proxy} (network.proxy)")]
struct ThroughProxy {
    proxy: String,
    source: reqwest::Error,
}

/// The endpoint's certificate was refused, in the words of the verifier that `tls` came with.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is not accepted: {0}")]
struct Certificate(rustls::OtherError);

/// rustls prints such an error for programmers; what the verifier has to say is inside.
fn refused_certificate(error: &reqwest::Error) -> Option<Certificate> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(words))) =
            inner.downcast_ref()
        {
            return Some(Certificate(words.clone()));
        }
        // What an I/O error wraps is not its source, but itself.
        cause = match inner.downcast_ref().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    None
}
