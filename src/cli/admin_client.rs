//! Asks the admin listener of a running cupbearer. Only its address is needed: the rest of the configuration may be
//! invalid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::http_client::{BoxedError, TextResponse, send};
use super::invocation::Invocation;
use crate::config::{self, Listen, ProxyFingerprint};
use crate::doctor;

/// For one request. A healthy process responds much sooner.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no response, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// The address is invalid, or `"off"`.
    #[error("{0}")]
    NoAddress(String),
    /// Nothing responds there.
    #[error(
        "no response from {address}: {cause}; is cupbearer running, with the same admin.listen?"
    )]
    Unreachable {
        /// The first address that was tried.
        address: String,
        /// The error of the last address that was tried.
        cause: String,
    },
}

pub(super) async fn get(invocation: &Invocation, path: &str) -> Result<TextResponse, AdminError> {
    request(invocation, Method::GET, path, REQUEST_TIMEOUT).await
}

pub(super) async fn post(invocation: &Invocation, path: &str) -> Result<TextResponse, AdminError> {
    request(invocation, Method::POST, path, REQUEST_TIMEOUT).await
}

/// Sends the request to the addresses of `admin.listen` until one responds, with `limit` for each.
pub(super) async fn request(
    invocation: &Invocation,
    method: Method,
    path: &str,
    limit: Duration,
) -> Result<TextResponse, AdminError> {
    let admin = config::load_admin(invocation.admin(), &invocation.surroundings)
        .map_err(|problems| AdminError::NoAddress(problems.to_string()))?;
    let addresses: Vec<Listen> = admin.listen.iter().flat_map(reachable_at).collect();
    let Some(first) = addresses.first() else {
        return Err(AdminError::NoAddress(
            "admin.listen is \"off\", so the proxy cannot be asked; set it to an address"
                .to_owned(),
        ));
    };
    let mut cause = String::new();
    for address in &addresses {
        match timeout(limit, send_to(address, method.clone(), path)).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => cause = error.to_string(),
            Err(_) => cause = format!("no response within {} s", limit.as_secs()),
        }
    }
    Err(AdminError::Unreachable {
        address: first.to_string(),
        cause,
    })
}

/// The message for a `/status` that comes from a cupbearer with none of these configurations. `None` if the user chose the address with `--admin`.
pub(super) fn other_instance(status: &str, invocation: &Invocation) -> Option<String> {
    let Invocation {
        proxies,
        surroundings,
    } = invocation;
    let mut settings = proxies.iter().flat_map(|one| &one.settings);
    if settings.any(|setting| setting.key == "admin.listen") {
        return None;
    }
    let own: Vec<ProxyFingerprint> = proxies
        .iter()
        .map(|one| config::fingerprint(one, surroundings))
        .collect();
    let upstream = doctor::upstream_if_unrelated(status, &own)?;
    let named: Vec<&str> = own.iter().map(|own| own.named.as_str()).collect();
    let admin = config::load_admin(invocation.admin(), surroundings).ok();
    let address = admin
        .and_then(|admin| admin.listen.first().map(Listen::to_string))
        .unwrap_or_default();
    Some(format!(
        "the cupbearer at {address} (forwards to {upstream}) is not the one of {}: set admin.listen there, or choose \
         this one with --admin {address}",
        named.join(", ")
    ))
}

/// The addresses at which a listener is reached from this machine.
fn reachable_at(listen: &Listen) -> Vec<Listen> {
    let tcp = |ip: IpAddr, port: u16| Listen::Tcp(SocketAddr::new(ip, port));
    let (v4, v6) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    match listen {
        Listen::Localhost(port) => vec![tcp(v4, *port), tcp(v6, *port)],
        Listen::Tcp(address) if address.ip().is_unspecified() => {
            vec![tcp(if address.is_ipv4() { v4 } else { v6 }, address.port())]
        }
        Listen::Tcp(_) | Listen::Unix { .. } => vec![listen.clone()],
    }
}

async fn send_to(address: &Listen, method: Method, path: &str) -> Result<TextResponse, BoxedError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("x-cupbearer", "1")
        .body(Empty::<Bytes>::new())?;
    match address {
        Listen::Tcp(address) => send(TcpStream::connect(address).await?, request).await,
        #[cfg(unix)]
        Listen::Unix { path: file, .. } => {
            send(tokio::net::UnixStream::connect(file).await?, request).await
        }
        #[cfg(not(unix))]
        Listen::Unix { .. } => Err("this system has no unix sockets".into()),
        Listen::Localhost(_) => Err("two addresses at once".into()), // `reachable_at` has split it
    }
}
