//! A question to a running proxy's admin listener. Needs only the address; the rest of the configuration may be broken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{self, Listen, Overrides, ProxyFingerprint, Surroundings};
use crate::doctor;

/// For one question: a process that takes longer is not well.
const LIMIT: Duration = Duration::from_secs(5);

/// The most that an answer may have, in bytes; the longest is the description of an API.
const LONGEST: usize = 8 << 20;

/// An answer.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

/// Why there is none; the words say what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// The address is unusable, or `"off"`.
    #[error("{0}")]
    NoAddress(String),
    /// Nobody answers there.
    #[error("nobody answers at {at}: {why}; is cupbearer running, with the same admin.listen?")]
    Unreachable {
        /// Where it was asked.
        at: String,
        /// The last attempt's error.
        why: String,
    },
}

/// Asks, at the first of `admin.listen`'s addresses that answers.
pub(super) async fn ask(
    overrides: &Overrides,
    surroundings: &Surroundings,
    method: Method,
    path: &str,
    limit: Option<Duration>,
) -> Result<Answered, NoAnswer> {
    let admin = config::load_admin(overrides, surroundings)
        .map_err(|problems| NoAnswer::NoAddress(problems.to_string()))?;
    let addresses: Vec<Listen> = admin.listen.iter().flat_map(reachable_at).collect();
    let Some(first) = addresses.first() else {
        return Err(NoAnswer::NoAddress(
            "admin.listen is \"off\": there is nobody to ask; set it to an address".to_owned(),
        ));
    };
    let limit = limit.unwrap_or(LIMIT);
    let mut why = String::new();
    for address in &addresses {
        match timeout(limit, exchange(address, method.clone(), path)).await {
            Ok(Ok(answered)) => return Ok(answered),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("no answer within {} s", limit.as_secs()),
        }
    }
    Err(NoAnswer::Unreachable {
        at: first.to_string(),
        why,
    })
}

/// The words for a `/status` of a cupbearer that runs none of these configurations. Whoever names the address with
/// `--admin` means whoever is there.
pub(super) fn stranger(
    status: &str,
    all: &[Overrides],
    surroundings: &Surroundings,
) -> Option<String> {
    let mut settings = all.iter().flat_map(|one| &one.settings);
    if settings.any(|setting| setting.key == "admin.listen") {
        return None;
    }
    let own: Vec<ProxyFingerprint> = all
        .iter()
        .map(|one| config::fingerprint(one, surroundings))
        .collect();
    let upstream = doctor::upstream_if_unrelated(status, &own)?;
    let named: Vec<&str> = own.iter().map(|own| own.named.as_str()).collect();
    let asked = config::holder_of_admin(all, surroundings)
        .and_then(|one| config::load_admin(one, surroundings).ok());
    let at = asked.and_then(|admin| admin.listen.first().map(Listen::to_string));
    let at = at.unwrap_or_default();
    Some(format!(
        "the cupbearer at {at} (forwards to {upstream}) is not the one of {}: set admin.listen there, or name this \
         one with --admin {at}",
        named.join(", ")
    ))
}

/// Where a listener is reached from this machine, one address each.
fn reachable_at(listen: &Listen) -> Vec<Listen> {
    let on = |ip: IpAddr, port: u16| Listen::Tcp(SocketAddr::new(ip, port));
    let (v4, v6) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    match listen {
        Listen::Localhost(port) => vec![on(v4, *port), on(v6, *port)],
        Listen::Tcp(address) if address.ip().is_unspecified() => {
            vec![on(if address.is_ipv4() { v4 } else { v6 }, address.port())]
        }
        Listen::Tcp(_) | Listen::Unix { .. } => vec![listen.clone()],
    }
}

pub(super) type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(at: &Listen, method: Method, path: &str) -> Result<Answered, AnyError> {
    match at {
        Listen::Tcp(address) => ask_over(TcpStream::connect(address).await?, method, path).await,
        #[cfg(unix)]
        Listen::Unix { path: file, .. } => {
            let stream = tokio::net::UnixStream::connect(file).await?;
            ask_over(stream, method, path).await
        }
        #[cfg(not(unix))]
        Listen::Unix { .. } => Err("this system has no unix sockets".into()),
        Listen::Localhost(_) => Err("several addresses at once".into()), // `reachable_at` takes them apart
    }
}

async fn ask_over<S>(stream: S, method: Method, path: &str) -> Result<Answered, AnyError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("x-cupbearer", "1")
        .body(Empty::<Bytes>::new())?;
    send_over(stream, request).await
}

/// One request on a connection of its own.
pub(super) async fn send_over<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
) -> Result<Answered, AnyError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        #[expect(
            clippy::disallowed_methods,
            reason = "a few lines to print, and limited"
        )]
        let body = Limited::new(response.into_body(), LONGEST)
            .collect()
            .await?;
        let text = String::from_utf8_lossy(&body.to_bytes())
            .trim_end()
            .to_owned();
        Ok::<_, AnyError>(Answered { status, text })
    };
    tokio::pin!(asking, connection);
    tokio::select! {
        answered = &mut asking => answered,
        ended = &mut connection => {
            ended?;
            asking.await
        }
    }
}
