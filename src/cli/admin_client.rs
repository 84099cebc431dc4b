//! Asks the admin listener of a running cupbearer. Only its address is needed: the rest of the configuration may be
//! invalid. What responds must be a cupbearer, and the one of this configuration as far as that can be read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::admin_error::AdminError;
use super::admin_owner::{ACCEPT_LIMIT, own_user, owner_of};
use super::http_client::{BoxedError, TextResponse, send};
use super::invocation::Invocation;
use crate::admin;
use crate::admin::status_api::ProcessStatus;
use crate::config::{self, Listen, ProxyFingerprint};
use crate::doctor;
use crate::problem::Reason;
use crate::server;
use crate::text::{Unprintable, error_chain, printable_json, sanitize_lines};

/// The time limit for all requests of a command together. A healthy process responds much sooner.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What to check if nothing responds at the configured address.
const IS_IT_RUNNING: &str = "is cupbearer running, with the same admin.listen?";

/// Whose process an order may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipient {
    /// Our own user's, or root's: the order has a token.
    OwnUser,
    /// The same, on systems that can tell it.
    OwnUserWhereTold,
    /// Whoever has been recognized.
    Anyone,
}

/// Why a request got no response.
struct RequestFailure {
    cause: String,
    timed_out: bool,
}

/// An admin listener that has been recognized.
pub(super) struct AdminListener {
    address: Listen,
    /// Whether the user chose that address with `--admin`.
    is_chosen: bool,
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
            .then(|| printable_json(&response.text))
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
            is_chosen: is_chosen(invocation),
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
        let sending = send_to(&self.address, request(method, path, None));
        within(self.deadline, sending)
            .await
            .map_err(|failure| self.unreachable(failure))
    }

    /// Gives the requests that follow another time limit.
    pub(super) fn renew_limit(&mut self, limit: Duration) {
        self.deadline = Instant::now() + limit;
    }

    /// Sends an order in JSON to the same address, if its process belongs to the `recipient`.
    pub(super) async fn order(
        &self,
        path: &str,
        body: &str,
        recipient: Recipient,
    ) -> Result<TextResponse, AdminError> {
        let request = request(Method::POST, path, Some(body)).map_err(|error| {
            self.unreachable(RequestFailure {
                cause: error_chain(&*error),
                timed_out: false,
            })
        })?;
        let deadline = self.deadline;
        if recipient == Recipient::Anyone {
            let sent = within(deadline, send_to(&self.address, Ok(request))).await;
            return sent.map_err(|failure| self.unreachable(failure));
        }
        match &self.address {
            Listen::Tcp(address) => {
                let connected = within(deadline, async { Ok(TcpStream::connect(address).await?) });
                let stream = connected
                    .await
                    .map_err(|failure| self.unreachable(failure))?;
                let user =
                    server::accepting_user(&stream, deadline.min(Instant::now() + ACCEPT_LIMIT));
                self.check_owner(user.await, recipient)?;
                let sent = within(deadline, send(stream, request)).await;
                sent.map_err(|failure| self.unreachable(failure))
            }
            #[cfg(unix)]
            Listen::Unix { path: file, .. } => {
                let connected = within(deadline, async {
                    Ok(tokio::net::UnixStream::connect(file).await?)
                });
                let stream = connected
                    .await
                    .map_err(|failure| self.unreachable(failure))?;
                self.check_owner(stream.peer_cred().ok().map(|user| user.uid()), recipient)?;
                let sent = within(deadline, send(stream, request)).await;
                sent.map_err(|failure| self.unreachable(failure))
            }
            #[cfg(not(unix))]
            Listen::Unix { .. } => Err(AdminError::UnknownUser {
                address: self.address.to_string(),
            }),
            Listen::Localhost(_) => Err(AdminError::UnknownUser {
                address: self.address.to_string(), // `reachable_at` has split it
            }),
        }
    }

    fn check_owner(&self, user: Option<u32>, recipient: Recipient) -> Result<(), AdminError> {
        let address = self.address.to_string();
        let Some(uid) = user else {
            if recipient == Recipient::OwnUserWhereTold && cfg!(not(target_os = "linux")) {
                return Ok(());
            }
            return Err(AdminError::UnknownUser { address });
        };
        if uid == 0 || own_user() == Some(uid) {
            return Ok(());
        }
        Err(AdminError::OtherUser { address, uid })
    }

    fn unreachable(&self, failure: RequestFailure) -> AdminError {
        AdminError::Unreachable {
            address: self.address.to_string(),
            cause: failure.cause,
            hint: IS_IT_RUNNING.to_owned(),
            timed_out: failure.timed_out,
        }
    }

    /// A cupbearer that does not admit this user does not say which configuration it runs. It is accepted if it runs as
    /// this user, which `guard.local_users` need not list.
    async fn check_admission(&self) -> Result<(), AdminError> {
        if self.is_chosen || !refuses_user(&self.response) {
            return Ok(());
        }
        match owner_of(&self.address, self.deadline).await {
            Some(uid) if own_user() != Some(uid) => Err(AdminError::NotAdmitted {
                address: self.address.to_string(),
                uid,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Requests a probe: `/live` or `/ready`.
    pub(super) async fn probe(&self, path: &str) -> Result<TextResponse, AdminError> {
        self.check_admission().await?;
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

/// Whether this is a cupbearer that does not admit our user.
fn refuses_user(response: &TextResponse) -> bool {
    let reason = || -> Option<String> {
        let problem: serde_json::Value = serde_json::from_str(&response.text).ok()?;
        Some(problem.get("reason")?.as_str()?.to_owned())
    };
    response.is_problem_of_cupbearer
        && reason().is_some_and(|reason| reason == Reason::UserRefused.name())
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
    let mut first_failure = None;
    for address in &addresses {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / untried;
        untried -= 1;
        match within(
            now + share,
            send_to(address, request(Method::GET, "/status", None)),
        )
        .await
        {
            Ok(response) => return Ok((address.clone(), response)),
            Err(failure) => {
                first_failure.get_or_insert((address, failure));
            }
        }
    }
    match first_failure {
        Some((address, failure)) => Err(AdminError::Unreachable {
            address: address.to_string(),
            cause: failure.cause,
            timed_out: failure.timed_out,
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
async fn within<T>(
    deadline: Instant,
    sent: impl Future<Output = Result<T, BoxedError>>,
) -> Result<T, RequestFailure> {
    match timeout_at(deadline, sent).await {
        Ok(sent) => sent.map_err(|error| RequestFailure {
            cause: error_chain(&*error),
            timed_out: false,
        }),
        Err(_) => Err(RequestFailure {
            cause: "no response in time".to_owned(),
            timed_out: true,
        }),
    }
}

/// The message for a `/status` that comes from a cupbearer that lacks one of these configurations. `None` if the user
/// chose the address with `--admin`.
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
    // Each of them must be there: a job that waits for two proxies needs both.
    let missing = own.iter().filter_map(|one| {
        let upstream = doctor::upstream_if_unrelated(status, std::slice::from_ref(one))?;
        let named = one.named.as_str();
        let named = if one.is_invalid {
            format!(
                "{named}, whose name, listen or upstream.url cannot be used (see `cupbearer check`)"
            )
        } else {
            named.to_owned()
        };
        Some((upstream, named))
    });
    let (upstreams, named): (Vec<String>, Vec<String>) = missing.unzip();
    let upstream = upstreams.first()?;
    Some(format!(
        "the cupbearer at {address} (forwards to {upstream}) is not the one of {}: set admin.listen there, repeat the \
         flags that the proxy was started with, or choose this one with --admin {address}",
        named.join(", ")
    ))
}

/// Whether the user chose the address with `--admin`.
pub(super) fn is_chosen(invocation: &Invocation) -> bool {
    let mut settings = invocation.proxies.iter().flat_map(|one| &one.settings);
    settings.any(|setting| setting.key == "admin.listen")
}

/// Fails if nothing says which cupbearer is meant: then a command may read from any, and change none.
pub(super) fn require_named(invocation: &Invocation) -> Result<(), AdminError> {
    if !is_chosen(invocation) && is_unconfigured(invocation) {
        return Err(AdminError::Unnamed);
    }
    Ok(())
}

/// Whether nothing says which proxy is meant, except perhaps its address.
fn is_unconfigured(invocation: &Invocation) -> bool {
    let Invocation {
        proxies,
        surroundings,
    } = invocation;
    let mut own = proxies
        .iter()
        .map(|one| config::fingerprint(one, surroundings));
    own.all(|own| own.is_unconfigured)
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

/// A request without a body, or with one in JSON.
fn request(
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Result<Request<Full<Bytes>>, BoxedError> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("x-cupbearer", "1");
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.unwrap_or_default().to_owned();
    Ok(request.body(Full::new(body.into()))?)
}

async fn send_to(
    address: &Listen,
    request: Result<Request<Full<Bytes>>, BoxedError>,
) -> Result<TextResponse, BoxedError> {
    let request = request?;
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
