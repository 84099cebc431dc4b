//! Whether the configured port is free, or which program uses it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::finding::{FailureKind, Finding};
use super::port_holder::{PortHolder, holder, holder_if};
use super::running_instance::{ConfiguredProxy, InstanceMatch, admin_process};
use crate::config::{Config, Listen};

/// Binds the configured addresses for a moment; if one is in use, finds out by which program.
pub(super) async fn examine(config: &Config) -> Finding {
    let (finding, is_free) = examine_address(&config.listen, ConfiguredProxy::of(config)).await;
    if let Some(taken) = taken_redirect(config).await {
        return taken;
    }
    if !is_free || !config.admin.is_configured {
        return finding;
    }
    // The proxy does not start without an admin listener that is configured.
    let admin: Vec<SocketAddr> = config
        .admin
        .listen
        .iter()
        .flat_map(Listen::sockets)
        .collect();
    let (listen, proxy) = (config.listen.clone(), ConfiguredProxy::of(config));
    let taken = tokio::task::spawn_blocking(move || {
        let (address, holder) = admin.into_iter().find_map(holder_of_taken)?;
        let is_own = holder.is_cupbearer && proxy.runs_at_admin_address(&listen);
        Some((address, holder, is_own))
    });
    match taken.await.ok().flatten() {
        Some((address, holder, true)) => used_by_cupbearer(address, &holder, &InstanceMatch::Same),
        Some((address, holder, false)) => Finding::failed(
            FailureKind::Other,
            format!("admin.listen: {address} is used by {holder}"),
        )
        .remedy("stop it, or choose another port with admin.listen = \"localhost:PORT\""),
        None => finding,
    }
}

/// Another program listens where the browser of a person who signs in is to return.
async fn taken_redirect(config: &Config) -> Option<Finding> {
    let login = config.token.login().filter(|login| !login.is_device_only)?;
    let sockets = login.redirect_listen().sockets();
    let (proxy, admin) = (ConfiguredProxy::of(config), config.admin.listen.clone());
    let taken = tokio::task::spawn_blocking(move || {
        let (address, holder) = sockets.into_iter().find_map(holder_of_taken)?;
        // During a sign-in, and while its last page is shown, the proxy itself listens there.
        let is_own = proxy.status_of_same().is_some()
            && holder
                .process
                .as_ref()
                .is_none_or(|process| Some(process.pid) == admin_process(&admin));
        (!is_own).then_some((address, holder))
    });
    let (address, holder) = taken.await.ok().flatten()?;
    let message = format!("token.redirect_url: {address} is used by {holder}");
    Some(Finding::failed(FailureKind::Other, message).remedy(
        "stop the program, or set token.redirect_url to another \
         address that is registered for the client",
    ))
}

/// The address and which program uses it, if one does.
fn holder_of_taken(address: SocketAddr) -> Option<(SocketAddr, PortHolder)> {
    let error = TcpListener::bind(address).err()?;
    (error.kind() == ErrorKind::AddrInUse).then(|| (address, holder(address, &[])))
}

/// The finding, and whether the proxy could listen there, as far as this can be known.
async fn examine_address(listen: &Listen, proxy: ConfiguredProxy) -> (Finding, bool) {
    let addresses = match *listen {
        Listen::Unix { .. } => {
            let finding = Finding::skipped("a Unix socket is only checked at the start");
            return (finding, true);
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
        return (Finding::ok("any free port, as configured"), true);
    }
    // Finding out which program uses a port reads files and waits for a response.
    let bind = move || match bind_each(&addresses, &proxy) {
        Ok(free) => (Finding::ok(format!("{} free", free.join(" and "))), true),
        Err(finding) => (finding, false),
    };
    let examined = tokio::task::spawn_blocking(bind).await;
    examined.unwrap_or_else(|_| (Finding::skipped("the check ended unexpectedly"), false))
}

/// The addresses, if each of them is free; otherwise what is found at one that is not.
fn bind_each(addresses: &[SocketAddr], proxy: &ConfiguredProxy) -> Result<Vec<String>, Finding> {
    let mut free = Vec::new();
    let mut cupbearer = None;
    for address in addresses {
        match TcpListener::bind(address) {
            Ok(_) => free.push(address.to_string()),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let instance = proxy.compare_with_instance_at(*address);
                let holder = match instance {
                    InstanceMatch::Same | InstanceMatch::Different(_) => holder_if(*address, true),
                    InstanceMatch::Unknown => holder(*address, &[]),
                };
                if !holder.is_cupbearer {
                    let taken = format!("{address} is used by {holder}");
                    return Err(Finding::failed(FailureKind::Other, taken).remedy(CHOOSE));
                }
                cupbearer = Some((*address, holder, instance));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(Finding::failed(FailureKind::Other, format!("{address}: {error}")).remedy(
                    "a port below 1024 needs a privilege that this user lacks: choose another one with listen",
                ));
            }
            // The proxy too leaves out a loopback address that this machine lacks.
            Err(_) if address.ip().is_loopback() && addresses.len() > 1 => {}
            Err(error) => {
                return Err(
                    Finding::failed(FailureKind::Other, format!("{address}: {error}")).remedy(
                        "listen on an address that this machine has, such as \"localhost:6749\"",
                    ),
                );
            }
        }
    }
    match cupbearer {
        Some((address, holder, instance)) => Err(used_by_cupbearer(address, &holder, &instance)),
        None => Ok(free),
    }
}

fn used_by_cupbearer(
    address: SocketAddr,
    holder: &PortHolder,
    instance: &InstanceMatch,
) -> Finding {
    match instance {
        InstanceMatch::Same => Finding::ok(format!(
            "used by the cupbearer that runs this configuration{}",
            holder.process.as_ref().map_or_else(String::new, |process| {
                format!(" (process {})", process.pid)
            })
        )),
        InstanceMatch::Different(difference) => Finding::failed(
            FailureKind::Other,
            format!("{address} is used by {holder}, {difference}"),
        )
        .remedy(CHOOSE),
        InstanceMatch::Unknown => Finding::note(format!(
            "used by {holder}, whose status cannot be read at admin.listen of this configuration; it may run this configuration \
             or another one"
        )),
    }
}

const CHOOSE: &str = "stop it, or choose another port with listen = \"localhost:PORT\"";

#[cfg(test)]
mod tests;
