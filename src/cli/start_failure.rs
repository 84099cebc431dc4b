//! What to say when a proxy cannot start, and what to do about it.

use std::net::SocketAddr;

use super::exit::Exit;
use crate::config::Listen;
use crate::net::TlsSetupError;
use crate::text::causes;
use crate::{StartError, doctor, server};

pub(super) const fn exit_after(error: &StartError) -> Exit {
    match error {
        StartError::UnknownUsers(_)
        | StartError::OpenToNetwork { .. }
        | StartError::SharesLogin { .. }
        | StartError::Tls(
            TlsSetupError::CaFile { .. }
            | TlsSetupError::ClientCaFile { .. }
            | TlsSetupError::CertificateFiles { .. },
        ) => Exit::Configuration,
        StartError::Bind(_)
        | StartError::OpenFiles(_)
        | StartError::Loop { .. }
        | StartError::ConnectsToAdmin { .. }
        | StartError::Tls(_)
        | StartError::Worker(_) => Exit::Failed,
    }
}

/// What to do about a limit of open files that is too low.
pub(super) const MORE_FILES: &str =
    "raise the limit of open files (ulimit -n, or LimitNOFILE= of a systemd unit)";

/// A listener of the process, with the key and the flag that set its address.
#[derive(Debug, Clone, Copy)]
pub(super) enum ConfiguredListener {
    Proxy,
    /// That of one of several proxies, for which there is no flag.
    OneOfSeveral,
    Admin,
}

impl ConfiguredListener {
    /// That of a proxy of a process with so many.
    const fn of_proxy(proxies: usize) -> Self {
        if proxies > 1 {
            Self::OneOfSeveral
        } else {
            Self::Proxy
        }
    }

    /// How to choose another port.
    const fn another(self) -> &'static str {
        match self {
            Self::Proxy => "another with listen = \"localhost:PORT\", or --listen localhost:PORT",
            Self::OneOfSeveral => "another with listen = \"localhost:PORT\"",
            Self::Admin => {
                "another with admin.listen = \"localhost:PORT\", or --admin localhost:PORT"
            }
        }
    }
}

/// Why one of so many proxies cannot start, and the remedy. `admin` is where a cupbearer that uses the port would
/// respond. Blocks if it asks there.
pub(super) fn explain(error: &StartError, proxies: usize, admin: &[Listen]) -> String {
    let remedy = match error {
        StartError::Bind(bind) => bind_remedy(bind, ConfiguredListener::of_proxy(proxies), admin),
        StartError::Loop { .. } | StartError::ConnectsToAdmin { .. } => {
            "write another address there".to_owned()
        }
        StartError::UnknownUsers(_) => {
            let remedy = if cfg!(unix) {
                "write listen = \"unix:/PATH\"; or, if every user of this machine may act as this client, \
                 guard.local_users = \"any\""
            } else {
                "give each caller a key (cupbearer keygen --caller NAME), which keeps other users out, and then write \
                 guard.local_users = \"any\""
            };
            remedy.to_owned()
        }
        StartError::OpenToNetwork { .. }
        | StartError::SharesLogin { .. }
        | StartError::OpenFiles(_)
        | StartError::Tls(_)
        | StartError::Worker(_) => String::new(),
    };
    with_remedy(error, &remedy)
}

/// Why the admin listener cannot start. Blocks if it asks which process uses the port.
pub(super) fn explain_admin(error: &server::BindError, listen: &[Listen]) -> String {
    let remedy = bind_remedy(error, ConfiguredListener::Admin, listen);
    with_remedy(error, &remedy)
}

fn with_remedy(error: &(dyn std::error::Error + 'static), remedy: &str) -> String {
    let is_out_of_files = causes(error)
        .filter_map(<dyn std::error::Error>::downcast_ref)
        .any(server::is_out_of_files);
    let remedy = if is_out_of_files { MORE_FILES } else { remedy };
    let cause = error.source().map(|cause| format!(": {cause}"));
    let cause = cause.unwrap_or_default();
    let separator = if remedy.is_empty() { "" } else { "; " };
    format!("cupbearer cannot start: {error}{cause}{separator}{remedy}")
}

/// Why the proxy runs without an admin listener. Blocks if it asks which process uses the port.
pub(super) fn explain_missing_admin(error: &server::BindError, listen: &[Listen]) -> String {
    let is_taken = error.source.kind() == std::io::ErrorKind::AddrInUse;
    let process = is_taken
        .then(|| doctor::admin_process(listen))
        .flatten()
        .filter(|process| *process != std::process::id());
    match (process, &error.address) {
        (Some(process), Listen::Tcp(address)) => format!(
            "port {} belongs to another cupbearer (process {process}), which health, wait, status and quit would \
             reach; set admin.listen (--admin) to another address",
            address.port()
        ),
        (_, _) => format!(
            "{error}: {}; set admin.listen (--admin) to another address",
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

fn bind_remedy(
    error: &server::BindError,
    listener: ConfiguredListener,
    admin: &[Listen],
) -> String {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, AlreadyExists, PermissionDenied};
    let another = listener.another();
    if let Some(port) = taken_port(error) {
        let holder = doctor::holder(port, admin);
        return format!("{holder} is using the port: stop it, or choose {another}");
    }
    let is_unix = matches!(error.address, Listen::Unix { .. });
    match error.source.kind() {
        AddrInUse if is_unix => {
            "another program listens there: stop it, or choose another path".to_owned()
        }
        AlreadyExists if is_unix => "move that file away, or choose another path".to_owned(),
        PermissionDenied if is_unix => "choose a directory that this user may write to".to_owned(),
        PermissionDenied => {
            format!("this user may not listen on ports below 1024: choose {another}")
        }
        AddrNotAvailable => {
            format!("this machine does not have that address: choose {another}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
