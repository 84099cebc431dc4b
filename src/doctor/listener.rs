//! Whether we can listen where callers will connect, or already do.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::finding::{Blame, Finding};
use super::port::{Holder, holder, holder_if};
use super::running::{Runs, Wanted};
use crate::config::{Config, Listen};

/// Listens for a moment, or asks who does.
pub(super) async fn examine(config: &Config) -> Finding {
    at(&config.listen, Wanted::of(config)).await
}

async fn at(listen: &Listen, wanted: Wanted) -> Finding {
    let addresses = match *listen {
        Listen::Unix { .. } => {
            return Finding::skipped("a unix socket: whether it is free shows at the start");
        }
        Listen::Tcp(address) => vec![address],
        Listen::Localhost(port) => [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ]
        .map(|ip| SocketAddr::new(ip, port))
        .to_vec(),
    };
    if addresses.iter().all(|address| address.port() == 0) {
        return Finding::ok("any free port, as configured");
    }
    // Asking who holds a port reads files and waits for an answer.
    let examined = tokio::task::spawn_blocking(move || look(&addresses, &wanted)).await;
    examined.unwrap_or_else(|_| Finding::skipped("it could not be looked at"))
}

fn look(addresses: &[SocketAddr], wanted: &Wanted) -> Finding {
    let mut free = Vec::new();
    let mut ours = None;
    for address in addresses {
        match TcpListener::bind(address) {
            Ok(_) => free.push(address.to_string()),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let runs = wanted.ask(*address);
                let holder = match runs {
                    Runs::Us | Runs::Another(_) => holder_if(*address, true),
                    Runs::Unknown => holder(*address, &[]),
                };
                if !holder.is_cupbearer {
                    return taken(*address, &holder);
                }
                ours = Some((*address, holder, runs));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Finding::failed(Blame::Other, format!("{address}: {error}"))
                    .remedy("ports below 1024 need a right that this user lacks: choose another with listen");
            }
            // A loopback family that this machine lacks is left out by the proxy as well.
            Err(_) if address.ip().is_loopback() && addresses.len() > 1 => {}
            Err(error) => {
                return Finding::failed(Blame::Other, format!("{address}: {error}")).remedy(
                    "listen on an address that this machine has, such as \"localhost:6749\"",
                );
            }
        }
    }
    match ours {
        Some((address, holder, runs)) => held(address, &holder, &runs),
        None => Finding::ok(format!("{} free", free.join(" and "))),
    }
}

fn held(address: SocketAddr, holder: &Holder, runs: &Runs) -> Finding {
    match runs {
        Runs::Us => Finding::ok(format!(
            "held by the cupbearer that runs this configuration{}",
            holder.process.as_ref().map_or_else(String::new, |process| {
                format!(" (process {})", process.pid)
            })
        )),
        Runs::Another(upstream) => Finding::failed(
            Blame::Other,
            format!("{address} is held by {holder}, which forwards to {upstream}"),
        )
        .remedy(CHOOSE),
        Runs::Unknown => Finding::note(format!(
            "held by {holder}; whether it runs this configuration cannot be seen, as it does not answer at this \
             configuration's admin.listen"
        )),
    }
}

const CHOOSE: &str = "stop it, or choose another port with listen = \"localhost:PORT\"";

fn taken(address: SocketAddr, holder: &Holder) -> Finding {
    Finding::failed(Blame::Other, format!("{address} is held by {holder}")).remedy(CHOOSE)
}

#[cfg(test)]
mod tests;
