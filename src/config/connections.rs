//! Which servers a configuration makes the proxy connect to, and where else it listens.

use std::net::SocketAddr;

use super::address::host_may_reach;
use super::keys;
use super::types::Config;

/// The key that makes the proxy connect to a listener on this address, or lets a browser return to it, if one does.
///
/// Names other than `localhost` are not resolved. If such a name leads here, `Via` reveals it.
#[must_use]
pub fn key_that_reaches(config: &Config, listener: SocketAddr) -> Option<&'static str> {
    let is_listener =
        |host: &str, port: u16| port == listener.port() && host_may_reach(host, listener.ip());
    if config.upstream.url.may_reach(listener) {
        return Some(keys::UPSTREAM_URL.path());
    }
    let login = config.token.login().filter(|login| !login.is_device_only);
    if let Some(redirect) = login.map(|login| &login.redirect_url)
        && let (Some(host), Some(port)) = (redirect.host_str(), redirect.port_or_known_default())
        && is_listener(host, port)
    {
        return Some(keys::TOKEN_REDIRECT_URL.path());
    }
    let server = config.token.server();
    if let Some((token, key)) = &server
        && let (Some(host), Some(port)) = (token.host_str(), token.port_or_known_default())
        && is_listener(host, port)
    {
        return Some(key);
    }
    let proxies = [
        config.upstream.proxy.clone(),
        server.and_then(|(token, _)| config.network.proxy.for_url(&token)),
    ];
    let mut proxies = proxies.into_iter().flatten();
    proxies
        .any(|proxy| is_listener(&proxy.host, proxy.port))
        .then(|| keys::NETWORK_PROXY.path())
}
