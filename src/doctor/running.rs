//! Whether the cupbearer that has our port, or answers our questions, runs this configuration, as its admin listener
//! says.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::admin::status_api::{ProcessStatus, ProxyStatus};
use crate::config::{AdminConfig, Config, Listen, Origin, ProxyFingerprint};

/// Whoever is well answers at once; whoever is stuck is not waited for.
const LIMIT: Duration = Duration::from_secs(1);

/// The most that is read of an answer, in bytes: `/status` with its recent requests.
const LONGEST: u64 = 4 << 20;

/// What is compared.
pub(super) struct Wanted {
    admin: AdminConfig,
    name: String,
    upstream: String,
}

/// Who has the port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// This name and this API.
    Us,
    /// Something else; what it forwards to.
    Another(String),
    /// Nobody answers at our admin address, or he has other ports.
    Unknown,
}

impl Wanted {
    pub(super) fn of(config: &Config) -> Self {
        let Origin { scheme, authority } = &config.upstream.url;
        Self {
            admin: config.admin.clone(),
            name: config.name.clone(),
            upstream: format!("{scheme}://{authority}"),
        }
    }

    /// With nobody to ask.
    #[cfg(test)]
    pub(super) fn unasked() -> Self {
        Self {
            admin: AdminConfig::default(),
            name: "cupbearer".to_owned(),
            upstream: "https://api.example.com".to_owned(),
        }
    }

    /// Asks our admin address who listens at `address`. Blocks, 2 s an address at most.
    pub(super) fn ask(&self, address: SocketAddr) -> Runs {
        status_of(address, &self.admin.listen)
            .and_then(|status| self.judge(&status, address))
            .unwrap_or(Runs::Unknown)
    }

    fn judge(&self, status: &ProcessStatus, address: SocketAddr) -> Option<Runs> {
        let proxy = proxy_at(status, address).filter(|proxy| !proxy.upstream.is_empty())?;
        Some(
            if proxy.name == self.name && proxy.upstream == self.upstream {
                Runs::Us
            } else {
                Runs::Another(proxy.upstream.clone())
            },
        )
    }
}

/// What the cupbearer at one of these admin addresses says, if a proxy of it listens at `address`. Blocks, 2 s an
/// address at most.
pub(super) fn status_of(address: SocketAddr, admin: &[Listen]) -> Option<ProcessStatus> {
    let answers = admin.iter().flat_map(addresses);
    answers
        .filter_map(|admin| serde_json::from_str(&status(admin).ok()?).ok())
        .find(|status| proxy_at(status, address).is_some())
}

fn proxy_at(status: &ProcessStatus, address: SocketAddr) -> Option<&ProxyStatus> {
    let here = format!("http://{address}");
    let mut proxies = status.proxies.iter();
    proxies.find(|proxy| proxy.listens_on.contains(&here))
}

/// What the cupbearer that sent this `/status` forwards to, if it runs none of these configurations.
///
/// One that has yet to take over a changed configuration counts as theirs, and so does one that cannot be told.
#[must_use]
pub fn stranger(status: &str, own: &[ProxyFingerprint]) -> Option<String> {
    let status: ProcessStatus = serde_json::from_str(status).ok()?;
    let is_theirs = |proxy: &ProxyStatus| own.iter().any(|own| !differs(proxy, own));
    if status.proxies.iter().any(is_theirs) {
        return None;
    }
    let upstreams = status.proxies.iter().map(|proxy| proxy.upstream.as_str());
    let known = upstreams.filter(|upstream| !upstream.is_empty());
    Some(known.collect::<Vec<_>>().join(", "))
}

fn differs(proxy: &ProxyStatus, own: &ProxyFingerprint) -> bool {
    // A name or an address waits for a restart, an API for its first token: that is what somebody is at.
    let announced = ["changed in the configuration", "the changed configuration"];
    let mut notes = proxy.notes.iter();
    if notes.any(|note| announced.iter().any(|start| note.starts_with(start))) {
        return false;
    }
    // An empty text is one that the other version did not send.
    let is_other = |theirs: &str, own: &Option<String>| {
        !theirs.is_empty() && own.as_deref().is_some_and(|own| own != theirs)
    };
    let listens_elsewhere = own.listen.as_ref().is_some_and(|listen| {
        let here = typed(listen);
        !here.is_empty() && !proxy.listens_on.iter().any(|one| here.contains(one))
    });
    is_other(&proxy.name, &own.name)
        || is_other(&proxy.upstream, &own.upstream)
        || listens_elsewhere
}

/// As `/status` has it; none for a port that the system chooses.
fn typed(listen: &Listen) -> Vec<String> {
    match listen {
        Listen::Unix { .. } => vec![listen.to_string()],
        Listen::Tcp(address) if address.port() != 0 => vec![format!("http://{address}")],
        Listen::Localhost(port) if *port != 0 => addresses(listen)
            .iter()
            .map(|address| format!("http://{address}"))
            .collect(),
        Listen::Tcp(_) | Listen::Localhost(_) => Vec::new(),
    }
}

/// Which process answers as a cupbearer's admin listener at one of these addresses, where that can be told. Blocks,
/// 2 s an address at most.
#[must_use]
pub fn admin_process(listen: &[Listen]) -> Option<u32> {
    let answers = listen.iter().flat_map(addresses);
    answers
        .filter_map(|admin| status(admin).ok())
        .find_map(|status| {
            let status: ProcessStatus = serde_json::from_str(&status).ok()?;
            status.pid
        })
}

fn addresses(listen: &Listen) -> Vec<SocketAddr> {
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    match *listen {
        Listen::Localhost(port) => loopback
            .map(|ip: IpAddr| SocketAddr::new(ip, port))
            .to_vec(),
        Listen::Tcp(address) if address.ip().is_loopback() => vec![address],
        // Elsewhere `/status` is not answered; a unix socket tells nothing about a port.
        Listen::Tcp(_) | Listen::Unix { .. } => Vec::new(),
    }
}

fn status(admin: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // HTTP/1.0: the body ends with the connection.
    stream.write_all(b"GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests;
