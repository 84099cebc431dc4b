//! A question to a running proxy's admin listener. Needs only the address; the rest of the configuration may be broken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{self, Listen, Overrides, Surroundings};

/// For one question: a process that takes longer is not well.
const LIMIT: Duration = Duration::from_secs(5);

/// The most that an answer may have, in bytes; the longest is `/status` with its recent requests.
const LONGEST: usize = 4 << 20;

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
    let addresses: Vec<SocketAddr> = admin.listen.iter().flat_map(reachable_at).collect();
    let Some(first) = addresses.first() else {
        return Err(NoAnswer::NoAddress(
            "admin.listen is \"off\": there is nobody to ask; set it to an address".to_owned(),
        ));
    };
    let limit = limit.unwrap_or(LIMIT);
    let mut why = String::new();
    for address in &addresses {
        match timeout(limit, exchange(*address, method.clone(), path)).await {
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

/// Where a listener is reached from this machine.
fn reachable_at(listen: &Listen) -> Vec<SocketAddr> {
    match listen {
        Listen::Localhost(port) => vec![
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), *port),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), *port),
        ],
        Listen::Tcp(address) if address.ip().is_unspecified() => {
            let loopback = match address.ip() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            vec![SocketAddr::new(loopback, address.port())]
        }
        Listen::Tcp(address) => vec![*address],
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(address: SocketAddr, method: Method, path: &str) -> Result<Answered, AnyError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", format!("localhost:{}", address.port()))
        .header("x-cupbearer", "1")
        .body(Empty::<Bytes>::new())?;
    let asking = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
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
