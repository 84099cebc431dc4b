//! The only user of reqwest: one request, one bounded answer.
//!
//! It never follows, retries or keeps a connection, and knows nothing of tokens.

use std::error::Error as _;
use std::io;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, StatusCode};
use reqwest::redirect::Policy;
use rustls::CertificateError;
use url::Url;

use super::failure::{Defect, Failure};
use crate::config::ProxyRule;

/// What is read of an answer, in bytes; the largest known tokens have 16 KiB.
pub(super) const ANSWER_LIMIT: usize = 1024 * 1024;
/// What we ask for.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The client that speaks to the token endpoint, with whom `tls` trusts.
///
/// No redirects (they would carry the secret along), no pool (a connection kept for half an hour is
/// dead when it is needed), no retries (each would hide a token request). None of reqwest's own rules
/// about proxies (it would send the secret for 127.0.0.1 to `HTTP_PROXY`): `proxy` alone decides.
///
/// # Errors
/// If the client cannot be set up with this TLS configuration.
pub fn client(tls: rustls::ClientConfig, proxy: &ProxyRule) -> Result<Client, ClientError> {
    let inner = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .proxy(through(proxy))
        .retry(reqwest::retry::never())
        .http1_only()
        .referer(false)
        .user_agent(concat!("cupbearer/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(Client {
        inner,
        proxy: proxy.clone(),
        tls,
    })
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
    inner: reqwest::Client,
    proxy: ProxyRule,
    /// What a client with a certificate is made from.
    tls: rustls::ClientConfig,
}

/// It could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the client for the token endpoint could not be set up")]
pub struct ClientError(#[from] reqwest::Error);

impl Client {
    pub(super) const fn tls(&self) -> &rustls::ClientConfig {
        &self.tls
    }

    /// The same client with other TLS.
    pub(super) fn with_tls(&self, tls: rustls::ClientConfig) -> Result<Self, Failure> {
        client(tls, &self.proxy).map_err(|error| Failure::Unreachable(error.into()))
    }

    pub(super) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let request = self.inner.post(url.clone()).headers(headers).body(body);
        self.send(url, request).await
    }

    pub(super) async fn get(&self, url: &Url) -> Result<Answer, Failure> {
        let request = self.inner.get(url.clone()).header(ACCEPT, JSON);
        self.send(url, request).await
    }

    async fn send(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        match request.send().await {
            Ok(answer) => Ok(Answer(answer)),
            Err(error) => Err(self.unsent(url, error)),
        }
    }

    /// A failure on the way through a corporate proxy names it: it may be the one at fault.
    fn unsent(&self, url: &Url, error: reqwest::Error) -> Failure {
        if let Some(refused) = refused_certificate(&error) {
            return Failure::Unreachable(refused.into());
        }
        let source = error.without_url();
        match self.proxy.for_url(url) {
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

/// An answer whose head is there.
#[derive(Debug)]
pub(super) struct Answer(reqwest::Response);

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.0.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// The body, read in pieces until it ends or is too long.
    pub(super) async fn body(&mut self) -> Result<Result<Vec<u8>, Defect>, Failure> {
        let mut body = Vec::new();
        while let Some(piece) = self.0.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > ANSWER_LIMIT {
                return Ok(Err(Defect::TooLong {
                    limit: ANSWER_LIMIT,
                }));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Ok(body))
    }
}

/// Without the address, which the operator knows and which may hold what is theirs.
fn unreachable(error: reqwest::Error) -> Failure {
    Failure::Unreachable(error.without_url().into())
}
