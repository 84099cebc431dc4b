//! Whether a running cupbearer runs this configuration, according to `/status` of its admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::local_exchange::{LocalAddress, exchange};
use crate::admin::status_api::{ProcessStatus, ProxyStatus};
use crate::config::{AdminConfig, Config, Listen, Origin, ProxyFingerprint, running_fingerprint};
use crate::text::printable_json;

/// How often an instance is examined, until a changed file must have been applied: for 4 s.
const LOOKS: usize = 21;

/// The most that is read of a response, in bytes; `/status` contains the recent requests.
const MAX_RESPONSE: usize = 4 << 20;

/// The part of a configuration that is compared with a running instance.
pub(super) struct ConfiguredProxy {
    admin: AdminConfig,
    name: String,
    upstream: String,
    fingerprint: String,
}

/// How a running instance relates to this configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InstanceMatch {
    /// It has the same name, API, client and guard.
    Same,
    /// It runs something else: what that is, as a clause.
    Different(String),
    /// Nothing answers at the configured admin address, or what answers listens on other ports.
    Unknown,
}

impl ConfiguredProxy {
    pub(super) fn of(config: &Config) -> Self {
        let Origin { scheme, authority } = &config.upstream.url;
        Self {
            admin: config.admin.clone(),
            name: config.name.clone(),
            upstream: format!("{scheme}://{authority}"),
            fingerprint: running_fingerprint(config),
        }
    }

    /// One whose admin address nothing answers at.
    #[cfg(test)]
    pub(super) fn without_admin() -> Self {
        Self {
            admin: AdminConfig::default(),
            name: "cupbearer".to_owned(),
            upstream: "https://api.example.com".to_owned(),
            fingerprint: "f00d".to_owned(),
        }
    }

    /// Asks the configured admin address about the proxy that listens on `address`. Blocks, for at most 2 s per
    /// address.
    ///
    /// A file that has just been changed takes effect after a moment, so this waits for that moment if only the client
    /// or the guard differs.
    pub(super) fn compare_with_instance_at(&self, address: SocketAddr) -> InstanceMatch {
        let mut looks = LOOKS;
        loop {
            looks -= 1;
            let Some(status) = status_of(address, &self.admin.listen) else {
                return InstanceMatch::Unknown;
            };
            match self.compare(&status, address) {
                Some(InstanceMatch::Different(_))
                    if looks > 0 && self.may_reload(&status, address) =>
                {
                    pause();
                }
                Some(found) => return found,
                None => return InstanceMatch::Unknown,
            }
        }
    }

    /// Whether the cupbearer at the configured admin address runs this configuration, if the address on which it
    /// listens cannot be asked: a Unix socket, or a port that the system has chosen. Blocks, for at most 2 s per
    /// address.
    pub(super) fn runs_at_admin_address(&self, listen: &Listen) -> bool {
        let is_here = |proxy: &ProxyStatus| match listen {
            Listen::Unix { .. } => proxy.listens_on.contains(&listen.to_string()),
            Listen::Tcp(_) | Listen::Localhost(_) => urls(listen).is_empty(),
        };
        let admin = self.admin.listen.iter().flat_map(addresses);
        let found = admin.filter_map(|admin| printable_json(&status(&admin).ok()?));
        found.into_iter().any(|status: ProcessStatus| {
            let mut proxies = status.proxies.iter().filter(|proxy| is_here(proxy));
            proxies.any(|proxy| self.compare_with(&status, proxy) == InstanceMatch::Same)
        })
    }

    /// The status of the proxy that runs this configuration, wherever it listens. Blocks, for at most 2 s per address.
    pub(super) fn status_of_same(&self) -> Option<ProxyStatus> {
        let mut admin = self.admin.listen.iter().flat_map(addresses);
        admin.find_map(|admin| {
            let mut process: ProcessStatus = printable_json(&status(&admin).ok()?)?;
            let proxies = std::mem::take(&mut process.proxies);
            let is_same =
                |proxy: &ProxyStatus| self.compare_with(&process, proxy) == InstanceMatch::Same;
            proxies.into_iter().find(is_same)
        })
    }

    fn may_reload(&self, status: &ProcessStatus, address: SocketAddr) -> bool {
        proxy_at(status, address)
            .is_some_and(|proxy| proxy.name == self.name && proxy.upstream == self.upstream)
    }

    fn compare(&self, status: &ProcessStatus, address: SocketAddr) -> Option<InstanceMatch> {
        let proxy = proxy_at(status, address).filter(|proxy| !proxy.upstream.is_empty())?;
        Some(self.compare_with(status, proxy))
    }

    fn compare_with(&self, status: &ProcessStatus, proxy: &ProxyStatus) -> InstanceMatch {
        // Another version computes another fingerprint, or none.
        let is_comparable =
            status.version == env!("CARGO_PKG_VERSION") && !proxy.fingerprint.is_empty();
        let is_same_api = proxy.name == self.name && proxy.upstream == self.upstream;
        if !is_same_api {
            InstanceMatch::Different(format!("which forwards to {}", proxy.upstream))
        } else if is_comparable && proxy.fingerprint != self.fingerprint {
            let mut difference =
                "which forwards to the same API, but as another client or with another guard"
                    .to_owned();
            if proxy.has_pending_change == Some(true) {
                difference += ", and has not applied a changed configuration yet (`cupbearer status` shows why)";
            }
            InstanceMatch::Different(difference)
        } else {
            InstanceMatch::Same
        }
    }
}

/// The time between two of these examinations.
#[expect(
    clippy::disallowed_methods,
    reason = "the caller has a thread of its own, since asking blocks anyway"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(200));
}

/// The `/status` at one of these admin addresses, if it has a proxy that listens on `address`. Blocks, for at most 2 s
/// per address.
pub(super) fn status_of(address: SocketAddr, admin: &[Listen]) -> Option<ProcessStatus> {
    let admin = admin.iter().flat_map(addresses);
    admin
        .filter_map(|admin| printable_json(&status(&admin).ok()?))
        .find(|status| proxy_at(status, address).is_some())
}

fn proxy_at(status: &ProcessStatus, address: SocketAddr) -> Option<&ProxyStatus> {
    let here = format!("http://{address}");
    let mut proxies = status.proxies.iter();
    proxies.find(|proxy| {
        proxy
            .listens_on
            .iter()
            .any(|one| is_same_address(one, &here))
    })
}

/// What the cupbearer that sent this `/status` forwards to, if it runs none of these configurations.
///
/// `None` also if it has not yet applied a changed configuration, or if the response cannot be read.
#[must_use]
pub fn upstream_if_unrelated(status: &str, own: &[ProxyFingerprint]) -> Option<String> {
    let status: ProcessStatus = printable_json(status)?;
    let is_related = |proxy: &ProxyStatus| own.iter().any(|own| !differs(proxy, own));
    if status.proxies.iter().any(is_related) {
        return None;
    }
    let upstreams = status.proxies.iter().map(|proxy| proxy.upstream.as_str());
    let known = upstreams.filter(|upstream| !upstream.is_empty());
    Some(known.collect::<Vec<_>>().join(", "))
}

fn differs(proxy: &ProxyStatus, own: &ProxyFingerprint) -> bool {
    if own.is_unreadable {
        // The proxy of this file would report a change that it cannot read either.
        return proxy.has_pending_change != Some(true) || !proxy.pending_fingerprint.is_empty();
    }
    if proxy.pending_fingerprint == own.digest() {
        return false; // it has read this configuration, and does not use it yet
    }
    if own.is_invalid {
        return true;
    }
    // Empty if that version of cupbearer does not send it.
    let is_same = |theirs: &str, own: &Option<String>| {
        let own = own.as_deref().filter(|_| !theirs.is_empty());
        own.map(|own| own == theirs)
    };
    let listens_here = own
        .listen
        .as_ref()
        .map(urls)
        .filter(|here| !here.is_empty() && !proxy.listens_on.is_empty())
        .map(|here| {
            let mut theirs = proxy.listens_on.iter();
            theirs.any(|one| here.iter().any(|here| is_same_address(one, here)))
        });
    let known = [
        is_same(&proxy.name, &own.name),
        is_same(&proxy.upstream, &own.upstream),
        listens_here,
    ];
    let known: Vec<bool> = known.into_iter().flatten().collect();
    if proxy.has_pending_change == Some(true) && proxy.pending_fingerprint.is_empty() {
        // It does not say which change it has read. A changed name or address needs a restart, and a changed API its
        // first token, so a difference may be temporary. But a change of everything is more likely another proxy.
        return known.len() > 1 && known.iter().all(|is_same| !is_same);
    }
    known.iter().any(|is_same| !is_same)
}

/// Whether two URLs have the same address. Whether a listener has TLS says nothing about which proxy it is.
fn is_same_address(one: &str, other: &str) -> bool {
    let address = |url: &str| url.split_once("://").map(|(_, address)| address.to_owned());
    address(one).map_or(one == other, |one| address(other) == Some(one))
}

/// The addresses in the form of `/status`; none for a port that the system chooses.
fn urls(listen: &Listen) -> Vec<String> {
    match listen {
        Listen::Unix { .. } => vec![listen.to_string()],
        Listen::Tcp(address) if address.port() != 0 => vec![format!("http://{address}")],
        Listen::Localhost(port) if *port != 0 => loopback(*port)
            .map(|address| format!("http://{address}"))
            .to_vec(),
        Listen::Tcp(_) | Listen::Localhost(_) => Vec::new(),
    }
}

/// The process id of the cupbearer whose admin listener answers at one of these addresses. Blocks, for at most 2 s per
/// address.
#[must_use]
pub fn admin_process(listen: &[Listen]) -> Option<u32> {
    let admin = listen.iter().flat_map(addresses);
    admin
        .filter_map(|admin| status(&admin).ok())
        .find_map(|status| {
            let status: ProcessStatus = printable_json(&status)?;
            status.pid
        })
}

/// Where a listener shows its `/status`: it exists only on loopback and on a unix socket.
fn addresses(listen: &Listen) -> Vec<LocalAddress> {
    match listen {
        Listen::Localhost(port) => loopback(*port).map(LocalAddress::Tcp).to_vec(),
        Listen::Tcp(address) if address.ip().is_loopback() => vec![LocalAddress::Tcp(*address)],
        Listen::Tcp(_) => Vec::new(),
        #[cfg(unix)]
        Listen::Unix { path, .. } => vec![LocalAddress::Unix(path.clone())],
        #[cfg(not(unix))]
        Listen::Unix { .. } => Vec::new(),
    }
}

fn loopback(port: u16) -> [SocketAddr; 2] {
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    loopback.map(|ip: IpAddr| SocketAddr::new(ip, port))
}

fn status(admin: &LocalAddress) -> std::io::Result<String> {
    // HTTP/1.0: the body ends with the connection.
    let request = b"GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let response = exchange(admin, request, MAX_RESPONSE, |_| false)?;
    let response = String::from_utf8(response).map_err(std::io::Error::other)?;
    let (_, body) = response.split_once("\r\n\r\n").unwrap_or_default();
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests;
