//! Servers to connect to that are listeners of this process: what is sent there would come back, or never be answered.

use std::net::SocketAddr;

use crate::config::address::host_may_reach;
use crate::config::keys;
use crate::config::listen::Listen;
use crate::config::network::{ProxyRule, ProxyUrl};
use crate::config::token::TokenConfig;
use crate::config::types::{AdminConfig, NetworkConfig};
use crate::config::values::Values;

/// An address on which this process listens.
pub(super) struct OwnListener {
    socket: SocketAddr,
    /// What a URL with this address names.
    what: String,
    is_admin: bool,
}

impl OwnListener {
    fn is_reached(&self, host: &str, port: u16) -> bool {
        self.socket.port() == port && host_may_reach(host, self.socket.ip())
    }
}

/// Every address on which the proxy and its admin listener accept connections.
pub(super) fn listeners(listen: Option<&Listen>, admin: Option<&AdminConfig>) -> Vec<OwnListener> {
    let of_proxy = listen.into_iter().flat_map(|listen| {
        let what = format!("this proxy itself, which listens on {listen}");
        of(listen, &what, false)
    });
    let of_admin = admin.into_iter().flat_map(|admin| &admin.listen);
    let of_admin = of_admin.flat_map(|listen| {
        let what = format!("the admin listener of this process, on {listen}");
        of(listen, &what, true)
    });
    of_proxy.chain(of_admin).collect()
}

fn of(listen: &Listen, what: &str, is_admin: bool) -> Vec<OwnListener> {
    let sockets = listen.sockets().into_iter();
    let own = sockets.map(|socket| OwnListener {
        socket,
        what: what.to_owned(),
        is_admin,
    });
    own.collect()
}

/// Reports each of the upstream, the token endpoint and the forward proxy that is one of these.
pub(super) fn reject(
    values: &mut Values,
    own: &[OwnListener],
    token: Option<&TokenConfig>,
    network: Option<&NetworkConfig>,
) {
    let upstream = values.upstream.clone();
    if let Some(url) = &upstream {
        let found = find(own, url.authority.host(), url.port());
        report(values, keys::UPSTREAM_URL.path(), found, "the API");
    }
    if let Some(login) = token.and_then(TokenConfig::login)
        && !login.is_device_only
    {
        reject_redirect(values, own, &login.redirect_url);
    }
    let token = token.and_then(TokenConfig::server);
    let token = token.or_else(|| values.token_server.clone());
    if let Some((url, key)) = &token {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default();
        let found = port.and_then(|port| find(own, host, port));
        report(values, key, found, "the authorization server");
    }
    let targets = upstream.and_then(|url| url.to_url());
    let targets = targets.into_iter().chain(token.map(|(url, _)| url));
    let proxy = match network.map(|network| &network.proxy) {
        Some(ProxyRule::Always(proxy)) => Some(proxy.clone()),
        Some(rule) => targets.into_iter().find_map(|target| rule.for_url(&target)),
        None => None,
    };
    if let Some(proxy) = proxy {
        report_proxy(values, &proxy, find(own, &proxy.host, proxy.port));
    }
}

/// The redirect needs a listener of its own.
fn reject_redirect(values: &mut Values, own: &[OwnListener], url: &url::Url) {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    if let Some(found) = find(own, host, port) {
        let problem = format!("is {}", found.what);
        let remedy = "write another port, and register the changed address for the client";
        values.reject(keys::TOKEN_REDIRECT_URL.path(), (problem, remedy));
    }
}

fn report_proxy(values: &mut Values, proxy: &ProxyUrl, found: Option<&OwnListener>) {
    let path = keys::NETWORK_PROXY.path();
    if values.is_set(path) {
        report(values, path, found, "the forward proxy");
    } else if let Some(found) = found {
        let problem = format!("the system's proxy, {proxy}, is {}", found.what);
        let remedy = "unset HTTPS_PROXY for this process, or write network.proxy = \"none\"";
        values.reject(path, (problem, remedy));
    }
}

fn find<'a>(own: &'a [OwnListener], host: &str, port: u16) -> Option<&'a OwnListener> {
    own.iter().find(|listener| listener.is_reached(host, port))
}

/// `server` is what the key should name.
fn report(values: &mut Values, path: &str, found: Option<&OwnListener>, server: &str) {
    let Some(found) = found else {
        return;
    };
    let remedy = if found.is_admin {
        format!("write the address of {server}, or another one in admin.listen")
    } else {
        format!("write the address of {server}")
    };
    values.reject(path, (format!("is {}", found.what), remedy));
}
