//! Asks the admin listener of a running cupbearer. Only its address is needed: the rest of the configuration may be
//! invalid. What responds must be a cupbearer, and the one of this configuration as far as that can be read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::http_client::{BoxedError, TextResponse, send};
use super::invocation::Invocation;
use crate::admin;
use crate::admin::status_api::ProcessStatus;
use crate::config::{self, Listen, ProxyFingerprint};
use crate::doctor;
use crate::text::{Unprintable, error_chain, sanitize_lines};

/// The time limit for all requests of a command together. A healthy process responds much sooner.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What to check if nothing responds at the configured address.
const IS_IT_RUNNING: &str = "is cupbearer running, with the same admin.listen?";

/// Why there is no response, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// The address is invalid, or `"off"`.
    #[error("{0}")]
    NoAddress(String),
    /// Nothing responds there.
    #[error("no response from {address}: {cause}; {hint}")]
    Unreachable {
        /// The first address that was tried.
        address: String,
        /// The error of the last address that was tried.
        cause: String,
        /// What to check.
        hint: String,
    },
    /// Another program responds there.
    #[error(
        "what responds at {address} is not the admin listener of a cupbearer; set admin.listen to the address of the \
         running one"
    )]
    Foreign {
        /// Where it responds.
        address: String,
    },
    /// A cupbearer with another configuration responds there.
    #[error("{0}")]
    Unrelated(String),
    /// Nothing says which cupbearer is meant.
    #[error(
        "nothing is configured here, so it is unclear which cupbearer to stop: name its file with --config, or its admin \
         listener with --admin (the default is localhost:6750)"
    )]
    Unnamed,
}

/// An admin listener that has been recognized.
pub(super) struct AdminListener {
    address: Listen,
    deadline: Instant,
    /// Its response to `/status`.
    pub(super) response: TextResponse,
    /// The same, parsed. `None` if it serves only probes here, or does not admit this user.
    pub(super) status: Option<ProcessStatus>,
}

impl AdminListener {
    /// Finds the admin listener of the running cupbearer and recognizes it by its `/status`. `limit` is for this and
    /// for the requests that follow.
    pub(super) async fn find(invocation: &Invocation, limit: Duration) -> Result<Self, AdminError> {
        let deadline = Instant::now() + limit;
        let (address, response) = first_response(invocation, deadline).await?;
        let status = (response.status == StatusCode::OK)
            .then(|| serde_json::from_str(&response.text).ok())
            .flatten()
            .filter(is_complete);
        if status.is_some() {
            if let Some(other) = other_instance(&response.text, invocation, &address) {
                return Err(AdminError::Unrelated(other));
            }
        } else if !refuses_status(&response) {
            let address = address.to_string();
            return Err(AdminError::Foreign { address });
        }
        Ok(Self {
            address,
            deadline,
            response,
            status,
        })
    }

    /// Sends a request to the same address.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
    ) -> Result<TextResponse, AdminError> {
        let sent = within(self.deadline, send_to(&self.address, method, path)).await;
        sent.map_err(|cause| AdminError::Unreachable {
            address: self.address.to_string(),
            cause,
            hint: IS_IT_RUNNING.to_owned(),
        })
    }

    /// Requests a probe: `/live` or `/ready`.
    pub(super) async fn probe(&self, path: &str) -> Result<TextResponse, AdminError> {
        let response = self.request(Method::GET, path).await?;
        let word = path.trim_start_matches('/');
        if response.is_problem_of_cupbearer || response.text.contains(word) {
            return Ok(response);
        }
        let address = self.address.to_string();
        Err(AdminError::Foreign { address })
    }
}

impl TextResponse {
    /// The text, without terminal control characters.
    pub(super) fn printable(&self) -> String {
        sanitize_lines(&self.text, Unprintable::Mark)
    }
}

/// A cupbearer of any version says this much about itself. Other programs respond to `/status` too.
fn is_complete(status: &ProcessStatus) -> bool {
    let mut proxies = status.proxies.iter();
    let is_known = !status.version.is_empty() && !status.proxies.is_empty();
    is_known && proxies.all(|proxy| !proxy.name.is_empty() && !proxy.upstream.is_empty())
}

/// Whether this is a cupbearer that shows `/status` only to others, or on another listener.
fn refuses_status(response: &TextResponse) -> bool {
    response.is_problem_of_cupbearer
        || response.status == StatusCode::NOT_FOUND && response.text == admin::ONLY_LOCAL
}

/// The response to `/status` from the first address of `admin.listen` that sends one, and that address. Addresses that
/// hang share the time.
async fn first_response(
    invocation: &Invocation,
    deadline: Instant,
) -> Result<(Listen, TextResponse), AdminError> {
    let admin = config::load_admin(invocation.admin(), &invocation.surroundings)
        .map_err(|problems| AdminError::NoAddress(problems.to_string()))?;
    let mut listeners: Vec<&Listen> = admin.listen.iter().collect();
    // A listener on a network address shows neither whose it is nor /status, and takes no orders.
    listeners.sort_by_key(|listener| !listener.is_local());
    let addresses: Vec<Listen> = listeners.into_iter().flat_map(reachable_at).collect();
    let (chosen_at_start, addresses): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(has_no_port);
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut cause = String::new();
    for address in &addresses {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / untried;
        untried -= 1;
        match within(now + share, send_to(address, Method::GET, "/status")).await {
            Ok(response) => return Ok((address.clone(), response)),
            Err(error) => cause = error,
        }
    }
    match addresses.first() {
        Some(first) => Err(AdminError::Unreachable {
            address: first.to_string(),
            cause,
            hint: match admin.unreadable {
                Some(file) => format!(
                    "this is the default, since {file}: correct the file, or name the address of the running cupbearer \
                     with --admin"
                ),
                None => IS_IT_RUNNING.to_owned(),
            },
        }),
        None if !chosen_at_start.is_empty() => Err(AdminError::NoAddress(
            "admin.listen has port 0, so the system chooses a port at each start: give the one that the banner shows with \
             --admin localhost:PORT"
                .to_owned(),
        )),
        None => Err(AdminError::NoAddress(
            "admin.listen is \"off\", so the proxy cannot be asked; set it to an address"
                .to_owned(),
        )),
    }
}

/// The response, or why the request failed.
async fn within(
    deadline: Instant,
    sent: impl Future<Output = Result<TextResponse, BoxedError>>,
) -> Result<TextResponse, String> {
    match timeout_at(deadline, sent).await {
        Ok(sent) => sent.map_err(|error| error_chain(&*error)),
        Err(_) => Err("no response in time".to_owned()),
    }
}

/// The message for a `/status` that comes from a cupbearer with none of these configurations. `None` if the user chose
/// the address with `--admin`.
fn other_instance(status: &str, invocation: &Invocation, address: &Listen) -> Option<String> {
    let Invocation {
        proxies,
        surroundings,
    } = invocation;
    if is_chosen(invocation) {
        return None;
    }
    let own: Vec<ProxyFingerprint> = proxies
        .iter()
        .map(|one| config::fingerprint(one, surroundings))
        .collect();
    let upstream = doctor::upstream_if_unrelated(status, &own)?;
    let named: Vec<&str> = own.iter().map(|own| own.named.as_str()).collect();
    Some(format!(
        "the cupbearer at {address} (forwards to {upstream}) is not the one of {}: set admin.listen there, repeat the \
         flags that the proxy was started with, or choose this one with --admin {address}",
        named.join(", ")
    ))
}

/// Whether the user chose the address with `--admin`.
fn is_chosen(invocation: &Invocation) -> bool {
    let mut settings = invocation.proxies.iter().flat_map(|one| &one.settings);
    settings.any(|setting| setting.key == "admin.listen")
}

/// Fails if nothing says which cupbearer is meant: then a command may read from any, and change none.
pub(super) fn require_named(invocation: &Invocation) -> Result<(), AdminError> {
    let Invocation {
        proxies,
        surroundings,
    } = invocation;
    let mut own = proxies
        .iter()
        .map(|one| config::fingerprint(one, surroundings));
    if !is_chosen(invocation) && own.all(|own| own.is_unconfigured) {
        return Err(AdminError::Unnamed);
    }
    Ok(())
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

/// Whether the port is known only to the process that listens there.
fn has_no_port(listen: &Listen) -> bool {
    match listen {
        Listen::Localhost(port) => *port == 0,
        Listen::Tcp(address) => address.port() == 0,
        Listen::Unix { .. } => false,
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
