//! Why a proxy cannot start.

use std::net::SocketAddr;

use crate::{net, server};

/// What identifies such a user.
const LINUX_TABLES: &str = if cfg!(target_os = "linux") {
    " (sock_diag, /proc/net/tcp)"
} else {
    ""
};

/// Why a proxy cannot start. Does not include what can recover later, such as a missing token or an unreachable
/// upstream.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(#[from] server::BindError),
    /// A server to connect to is one of the proxy's own listeners, so every request would come back.
    #[error("{key} is this proxy itself: it listens on {listener}")]
    Loop {
        /// The key that names the server.
        key: &'static str,
        /// The listener.
        listener: SocketAddr,
    },
    /// A server to connect to is an admin listener of the process. It stays until a restart.
    #[error("{key} is the admin listener of this process, which is on {listener} until a restart")]
    ConnectsToAdmin {
        /// The key that names the server.
        key: &'static str,
        /// The listener.
        listener: SocketAddr,
    },
    /// Everyone who can reach the listener would be admitted. This applies also to a changed configuration that changes
    /// `listen`, because the listener stays until a restart.
    #[error(
        "this proxy listens on {listener}, which is not loopback, guard.network is \"keyed\", and no caller has a \
         key: restart it with the changed listen, or give a caller in guard.callers a key"
    )]
    OpenToNetwork {
        /// The listener.
        listener: SocketAddr,
    },
    /// Others could use the token of the person who signs in. This applies also to a changed configuration that changes
    /// `listen`, because the listener stays until a restart.
    #[error(
        "this proxy listens on {listener}, where others could connect and act as the person who signs in: restart it \
         with the changed listen, or set guard.share_login = true if they may"
    )]
    SharesLogin {
        /// The listener.
        listener: String,
    },
    /// `guard.local_users` needs to know who connects, and the system does not tell.
    #[error("the system cannot identify the user who opened a loopback connection{LINUX_TABLES}")]
    UnknownUsers(#[source] std::io::Error),
    /// The limit of open files is lower than what a start needs.
    #[error("the process may not open enough files")]
    OpenFiles(#[source] std::io::Error),
    /// The certificate authorities or the client certificate could not be loaded.
    #[error(transparent)]
    Tls(#[from] net::TlsSetupError),
    /// A thread or its runtime could not be started.
    #[error("a worker thread could not be started")]
    Worker(#[from] std::io::Error),
}

impl StartError {
    /// Why the system did not say who connects.
    pub(super) fn of_user_lookup(error: std::io::Error) -> Self {
        if server::is_out_of_files(&error) {
            Self::OpenFiles(error)
        } else {
            Self::UnknownUsers(error)
        }
    }
}
