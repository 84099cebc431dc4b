//! What to say when a proxy cannot start, and what to do about it.

use std::net::SocketAddr;

use super::exit::Exit;
use crate::config::Listen;
use crate::{StartError, doctor, server};

pub(super) const fn exit_after(error: &StartError) -> Exit {
    match error {
        StartError::UnknownUsers(_) | StartError::OpenToNetwork { .. } => Exit::Configuration,
        StartError::Bind(_)
        | StartError::Loop { .. }
        | StartError::Tls(_)
        | StartError::TokenClient(_)
        | StartError::Worker(_) => Exit::Failed,
    }
}

/// The error and its remedy. `admin` is where a cupbearer that has the port would respond. Blocks if it asks there.
pub(super) fn explain(error: &StartError, admin: &[Listen]) -> String {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let remedy = match error {
        StartError::Bind(bind) => match taken_port(bind) {
            Some(port) => {
                return format!(
                    "cupbearer cannot start: {error}{cause}; {} has the port: stop it, or choose another with \
                     --listen localhost:PORT",
                    doctor::holder(port, admin)
                );
            }
            None => bind_remedy(bind),
        },
        StartError::Loop { .. } => "; write the address of the API there",
        StartError::UnknownUsers(_) => {
            "; write guard.local_users = \"any\" if every user of this machine may act as this client, \
             or listen = \"unix:/PATH\""
        }
        StartError::OpenToNetwork { .. }
        | StartError::Tls(_)
        | StartError::TokenClient(_)
        | StartError::Worker(_) => "",
    };
    format!("cupbearer cannot start: {error}{cause}{remedy}")
}

/// Why the proxy runs without an admin listener. Blocks if it asks which process has the port.
pub(super) fn explain_missing_admin(error: &server::BindError, listen: &[Listen]) -> String {
    let is_taken = error.source.kind() == std::io::ErrorKind::AddrInUse;
    let process = is_taken.then(|| doctor::admin_process(listen)).flatten();
    match (process, &error.address) {
        (Some(process), Listen::Tcp(address)) => format!(
            "port {} belongs to another cupbearer (process {process}), which health, wait, status and quit would \
             reach; set admin.listen to another address",
            address.port()
        ),
        (_, _) => format!(
            "{error}: {}; set admin.listen to another address",
            error.source
        ),
    }
}

/// The address, if another process has its port.
fn taken_port(error: &server::BindError) -> Option<SocketAddr> {
    let is_taken = error.source.kind() == std::io::ErrorKind::AddrInUse;
    match error.address {
        Listen::Localhost(port) if is_taken => Some(SocketAddr::from(([127, 0, 0, 1], port))),
        Listen::Tcp(address) if is_taken => Some(address),
        Listen::Localhost(_) | Listen::Tcp(_) | Listen::Unix { .. } => None,
    }
}

fn bind_remedy(error: &server::BindError) -> &'static str {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, AlreadyExists, PermissionDenied};
    let is_unix = matches!(error.address, Listen::Unix { .. });
    match error.source.kind() {
        AddrInUse if is_unix => "; another program listens there: stop it, or choose another path",
        AlreadyExists if is_unix => "; move that file away, or choose another path",
        PermissionDenied if is_unix => "; choose a directory that this user may write to",
        AddrInUse => {
            "; another program has the port: stop it, or choose another with --listen localhost:PORT"
        }
        PermissionDenied => {
            "; this user may not listen on ports below 1024: choose another with --listen localhost:PORT"
        }
        AddrNotAvailable => {
            "; listen on an address that this machine has, such as --listen localhost:PORT"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests;
