//! The admin listeners: one set for all proxies of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Running;
use crate::admin::{self, Admin};
use crate::config;
use crate::guard::{Guard, Peer};
use crate::metrics::{self, Metrics};
use crate::server::{self, Drained, Phase, RequestBody, Server, Stop};

/// The admin listeners, until they are dropped.
pub struct AdminListeners {
    /// Where they listen.
    pub addresses: Vec<SocketAddr>,
    /// What they answer from.
    pub admin: Arc<Admin>,
    _tasks: JoinSet<Drained>,
    _order: watch::Sender<Phase>,
}

/// Answers questions about `running` on `admin.listen`, to whom the guards of those that are not running,
/// `not_running`, admit as well. Must be called on the runtime that will answer.
///
/// # Errors
/// A listener could not be had. Where nobody asked for it the proxies can go on without.
pub fn start_admin(
    config: &config::Admin,
    running: &[Running],
    not_running: &[&config::Guard],
    process: metrics::Process,
) -> Result<AdminListeners, server::BindError> {
    let views = running.iter().map(Running::view).collect();
    let also = not_running.iter().copied().map(guard).collect();
    let admin = Admin::new(process, views, also);
    let bound = config.listen.iter().map(server::bind);
    let mut bound: Vec<server::Bound> = bound.collect::<Result<_, _>>()?;
    for one in &mut bound {
        // Where the system does not tell, what needs it is refused; the probes are not.
        let _ = one.identify_peers();
    }
    let addresses = bound.iter().flat_map(|bound| bound.addresses.clone());
    let addresses = addresses.collect();
    let (order, stop) = Stop::channel();
    let mut tasks = JoinSet::new();
    let limits = server::Limits {
        connections: CONNECTIONS / bound.len().max(1),
        ..ADMIN_LIMITS
    };
    for bound in bound {
        let server = Server::new(bound, limits, Metrics::new(None));
        let admin = Arc::clone(&admin);
        let service = move |peer: Peer| admin::service::<RequestBody>(&admin, peer);
        tasks.spawn(server.serve(service, stop.clone(), || Duration::ZERO));
    }
    Ok(AdminListeners {
        addresses,
        admin,
        _tasks: tasks,
        _order: order,
    })
}

/// What of a proxy's guard stands in front of the admin listener: no callers, no rails.
pub(super) fn guard(config: &config::Guard) -> Guard {
    Guard::new(&config::Guard {
        hosts: config.hosts.clone(),
        local_users: config.local_users.clone(),
        ..config::Guard::default()
    })
}

/// How many all admin listeners together may have open.
pub(super) const CONNECTIONS: usize = 64;

/// A kubelet, a Prometheus or two and a few people; a request to it is a line.
const ADMIN_LIMITS: server::Limits = server::Limits {
    connections: CONNECTIONS,
    header_bytes: 16 << 10,
    header_timeout: Duration::from_secs(5),
    keep_alive: Duration::from_secs(75),
    stall_timeout: Duration::from_secs(30),
};

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// The status of an answer to somebody who names the listener `host`.
    async fn asked(not_running: &[&config::Guard], host: &str) -> String {
        let config = config::Admin {
            listen: vec![config::Listen::Tcp(([127, 0, 0, 1], 0).into())],
            is_configured: true,
        };
        let process = metrics::Process::new(|| 0);
        let listeners = start_admin(&config, &[], not_running, process).unwrap();
        let mut stream = TcpStream::connect(listeners.addresses[0]).await.unwrap();
        let head = format!("GET /status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn a_proxy_that_did_not_start_has_its_say_too() {
        let (strict, named) = (
            config::Guard::default(),
            config::Guard {
                hosts: vec!["ops.example".to_owned()],
                ..config::Guard::default()
            },
        );
        assert_eq!(asked(&[&named], "ops.example").await, "200");
        assert_eq!(asked(&[&named, &strict], "ops.example").await, "403");
        assert_eq!(asked(&[&named, &strict], "localhost").await, "200");
    }
}
