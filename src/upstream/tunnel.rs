//! The way through a corporate proxy: CONNECT (RFC 9110 §9.3.6), with Basic where it wants to know us.
//!
//! What the proxy learns is the upstream's name and port; everything else is TLS that it only carries.
//! Errors never hold the user name or the password.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::dial::{DialError, dial};
use crate::config;

/// What is read of the proxy's answer; a refusal's page behind its head is left unread.
const LONGEST_HEAD: usize = 16 << 10;

/// The corporate proxy connected us to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Its own name has no address.
    #[error("its name could not be resolved; is network.proxy (or HTTPS_PROXY) right?")]
    Unresolved {
        /// The resolver's words.
        source: io::Error,
    },
    /// No connection to it.
    #[error("no connection to {address}; is network.proxy (or HTTPS_PROXY) right?")]
    Unreachable {
        /// The address tried last.
        address: std::net::SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// 407, and we had nothing to show.
    #[error(
        "it answered {status}: it wants a user name and password; write them into network.proxy \
         (\"http://USER:PASSWORD@HOST:PORT\") or HTTPS_PROXY{}", only(*.speaks_basic)
    )]
    WantsCredentials {
        /// 407, or 401.
        status: u16,
        /// Whether Basic is one of the schemes that it offers.
        speaks_basic: bool,
    },
    /// 407 to the user name and password that we have.
    #[error(
        "it answered {status}: it does not accept the user name and password of network.proxy (or \
         HTTPS_PROXY){}", only(*.speaks_basic)
    )]
    RefusesCredentials {
        /// 407, or 401.
        status: u16,
        /// Whether Basic is one of the schemes that it offers.
        speaks_basic: bool,
    },
    /// Any other status than success.
    #[error("it answered {status} to CONNECT {target}; does it allow that address and port?")]
    Refused {
        /// Its answer.
        status: u16,
        /// `HOST:PORT` of the upstream.
        target: String,
    },
    /// What came is no answer to CONNECT.
    #[error("its answer is not HTTP; is that the proxy's address?")]
    NotHttp,
    /// More than is read of any answer.
    #[error("its answer has more than {limit} bytes of header")]
    TooLong {
        /// What is read.
        limit: usize,
    },
    /// It hung up, or the connection broke.
    #[error("the connection to it ended before it answered")]
    Ended {
        /// The system's words.
        source: io::Error,
    },
}

const fn only(speaks_basic: bool) -> &'static str {
    if speaks_basic {
        ""
    } else {
        "; it does not offer Basic, the only scheme that cupbearer speaks: use a local proxy that speaks its own"
    }
}

/// A connection that ends at `host`, `port`, as far as the proxy is to be believed. No limit of its own.
pub(super) async fn open(
    proxy: &config::ProxyUrl,
    host: &str,
    port: u16,
) -> Result<TcpStream, ProxyError> {
    let mut stream = dial(&proxy.host, proxy.port)
        .await
        .map_err(|error| match error {
            DialError::Unresolved(source) => ProxyError::Unresolved { source },
            DialError::Refused { address, source } => ProxyError::Unreachable { address, source },
        })?;
    let target = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let ended = |source| ProxyError::Ended { source };
    let request = request(proxy, &target);
    stream.write_all(&request).await.map_err(ended)?;
    let head = read_head(&mut stream).await?;
    match status(&head).ok_or(ProxyError::NotHttp)? {
        200..300 => Ok(stream),
        status @ (401 | 407) => Err(unauthorized(proxy, status, &head)),
        status => Err(ProxyError::Refused { status, target }),
    }
}

/// Wiped when it has been sent: it may hold the password.
fn request(proxy: &config::ProxyUrl, target: &str) -> Zeroizing<Vec<u8>> {
    let credential = proxy.authorization();
    let line = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    let room = line.len() + credential.map_or(0, <[u8]>::len) + 64;
    let mut request = Zeroizing::new(Vec::with_capacity(room));
    request.extend_from_slice(line.as_bytes());
    if let Some(credential) = credential {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credential);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// The answer up to its empty line. A success ends exactly there: in TLS the client speaks first.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, ProxyError> {
    let ended = |source| ProxyError::Ended { source };
    let mut head = Vec::with_capacity(1 << 10);
    loop {
        if let Some(length) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let is_success = status(&head).is_some_and(|status| (200..300).contains(&status));
            return if is_success && head.len() > length + 4 {
                Err(ProxyError::NotHttp)
            } else {
                Ok(head)
            };
        }
        if head.len() >= LONGEST_HEAD {
            return Err(ProxyError::TooLong {
                limit: LONGEST_HEAD,
            });
        }
        if head.len() >= 5 && !head.starts_with(b"HTTP/") {
            return Err(ProxyError::NotHttp);
        }
        if stream.read_buf(&mut head).await.map_err(ended)? == 0 {
            return Err(ended(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// `HTTP/1.1 200 …` (RFC 9112 §4).
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let digits = rest.strip_prefix(b" ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// tinyproxy answers wrong credentials with 401, as if it were the target: to CONNECT that is the proxy's too.
fn unauthorized(proxy: &config::ProxyUrl, status: u16, head: &[u8]) -> ProxyError {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let challenges: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| matches!(*name, "proxy-authenticate" | "www-authenticate"))
        .flat_map(|(_, value)| value.split(','))
        .collect();
    let is_basic = |challenge: &&str| challenge.trim_start().starts_with("basic");
    let speaks_basic = challenges.is_empty() || challenges.iter().any(is_basic);
    if proxy.authorization().is_some() {
        ProxyError::RefusesCredentials {
            status,
            speaks_basic,
        }
    } else {
        ProxyError::WantsCredentials {
            status,
            speaks_basic,
        }
    }
}
