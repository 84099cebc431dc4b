//! The HTTP client for the token endpoint, built on reqwest. Does not know grants.

use std::sync::Arc;

use http::header::HeaderValue;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use rustls::client::Resumption;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use url::Url;

use super::grant_error::GrantError;
use super::unreachable::{TokenServer, Unreachable, UnresolvedName};
use crate::config::ProxyRule;

/// The client for the token endpoint, which trusts the roots of `tls`.
///
/// It follows no redirects (they would send the secret elsewhere), keeps no connections (after half an hour a
/// connection is dead when it is needed) and does not retry (each retry would be a hidden token request). It ignores
/// reqwest's own rules about proxies, which would send the secret for 127.0.0.1 to `HTTP_PROXY`: only `proxy` decides.
///
/// # Errors
/// The client cannot be set up with this TLS configuration.
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
        .dns_resolver(Arc::new(Resolver))
        .user_agent(concat!("cupbearer/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The rule in reqwest's form. User name and password are passed as the header that carries them, so that no URL of
/// reqwest contains them.
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

/// The HTTP client for the token endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// For clients that present a certificate.
    tls: rustls::ClientConfig,
    proxy: ProxyRule,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the client for the token endpoint could not be set up")]
pub struct ClientError(#[from] reqwest::Error);

impl Client {
    /// The client without a certificate.
    pub(super) fn plain(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// The TLS configuration, without a client certificate.
    pub(super) fn tls(&self) -> &rustls::ClientConfig {
        &self.tls
    }

    /// A client that presents this certificate when the server requests one. It resumes no TLS session, since a
    /// resumed session keeps the previous certificate.
    pub(super) fn presenting(&self, pair: CertifiedKey) -> Result<reqwest::Client, reqwest::Error> {
        let mut tls = self.tls.clone();
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
        tls.resumption = Resumption::disabled();
        build(tls, &self.proxy)
    }

    /// The server that a request for `url` goes to.
    pub(super) fn server(&self, url: &Url, key: &'static str) -> TokenServer {
        let proxy = self.proxy.for_url(url).map(|proxy| proxy.to_string());
        TokenServer::new(url, key, proxy)
    }
}

/// Why `server` sent no response. The URL is removed from reqwest's error, since it may contain confidential parameters.
pub(super) fn unreachable(server: TokenServer, error: reqwest::Error) -> GrantError {
    let connecting = error.is_connect();
    let unreachable = Unreachable::new(server, connecting, error.without_url().into());
    GrantError::Unreachable(Box::new(unreachable))
}

/// The system's resolver, with an error type of its own, so that it can be told from a refused connection.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // Port 0: reqwest replaces it with the port of the URL.
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            match found.map(Iterator::collect::<Vec<_>>) {
                Ok(found) => Ok(Box::new(found.into_iter()) as Addrs),
                Err(source) => {
                    let source = Arc::new(source);
                    Err(UnresolvedName { host, source }.into())
                }
            }
        })
    }
}
