//! What speaks to the token endpoint, and what it means when it cannot. Built on reqwest; knows no grant.

use std::sync::Arc;

use http::header::HeaderValue;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use rustls::client::Resumption;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use url::Url;

use super::failure::Failure;
use super::unreachable::{Peer, Unreachable, Unresolved};
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
        .dns_resolver(Arc::new(Resolver))
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
    pub(super) fn tls(&self) -> &rustls::ClientConfig {
        &self.tls
    }

    /// The same, which presents this certificate to whoever asks for one. No session is resumed: it would
    /// keep the certificate of before.
    pub(super) fn presenting(&self, pair: CertifiedKey) -> Result<reqwest::Client, reqwest::Error> {
        let mut tls = self.tls.clone();
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
        tls.resumption = Resumption::disabled();
        build(tls, &self.proxy)
    }

    /// Whom a request for `url` goes to, and by what way.
    pub(super) fn peer(&self, url: &Url, key: &'static str) -> Peer {
        let proxy = self.proxy.for_url(url).map(|proxy| proxy.to_string());
        Peer::new(url, key, proxy)
    }
}

/// Why `peer` gave no answer. Without reqwest's own address, which may hold what is the operator's.
pub(super) fn unreachable(peer: Peer, error: reqwest::Error) -> Failure {
    let connecting = error.is_connect();
    let unreachable = Unreachable::new(peer, connecting, error.without_url().into());
    Failure::Unreachable(Box::new(unreachable))
}

/// The system's resolver, whose failure can be told from a refused connection.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // port 0: reqwest puts in the one of the address
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            match found.map(Iterator::collect::<Vec<_>>) {
                Ok(found) => Ok(Box::new(found.into_iter()) as Addrs),
                Err(source) => {
                    let source = Arc::new(source);
                    Err(Unresolved { host, source }.into())
                }
            }
        })
    }
}
