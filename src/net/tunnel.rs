//! A tunnel through the corporate proxy: CONNECT (RFC 9110 section 9.3.6), with Basic authentication if configured.
//!
//! The proxy learns the name and port of the destination; all else that it carries is TLS. No error contains the
//! user name or the password.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::dial::{DialError, dial};
use super::host_port::HostPort;
use crate::config::ProxyUrl;

/// The most that is read of the proxy's response. The page that may follow the head of a rejection is not read.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The corporate proxy did not connect us to the destination.
#[derive(Debug, thiserror::Error)]
pub enum CorporateProxyError {
    /// The proxy's own name has no address.
    #[error("its name could not be resolved; check network.proxy (or HTTPS_PROXY)")]
    Unresolved {
        /// The resolver's error.
        source: io::Error,
    },
    /// The proxy itself is unreachable.
    #[error("could not connect to it at {address}; check network.proxy (or HTTPS_PROXY)")]
    Unreachable {
        /// The address that was tried last.
        address: std::net::SocketAddr,
        /// The error of the last attempt.
        source: io::Error,
    },
    /// 407, and no credentials are configured.
    #[error(
        "it answered {status}: it requires a user name and password; write them into network.proxy \
         (\"http://USER:PASSWORD@HOST:PORT\") or HTTPS_PROXY{}", basic_only(*.offers_basic)
    )]
    CredentialsRequired {
        /// 407, or 401.
        status: u16,
        /// Whether Basic is one of the schemes that it offers.
        offers_basic: bool,
    },
    /// 407 although we sent the configured credentials.
    #[error(
        "it answered {status}: it rejected the user name and password of network.proxy (or \
         HTTPS_PROXY){}", basic_only(*.offers_basic)
    )]
    CredentialsRejected {
        /// 407, or 401.
        status: u16,
        /// Whether Basic is one of the schemes that it offers.
        offers_basic: bool,
    },
    /// Any other status that is not a success.
    #[error("it answered {status} to CONNECT {target}; check that it allows this host and port")]
    Refused {
        /// The status of its response.
        status: u16,
        /// `HOST:PORT` of the destination.
        target: String,
    },
    /// The response to CONNECT is not HTTP.
    #[error("its response is not HTTP; check that network.proxy (or HTTPS_PROXY) names a proxy")]
    NotHttp,
    /// The head of the response is too long.
    #[error("the head of its response has more than {limit} bytes")]
    TooLong {
        /// The most that is read.
        limit: usize,
    },
    /// The connection to the proxy ended.
    #[error("the connection to it ended before it responded")]
    Ended {
        /// The system's error.
        source: io::Error,
    },
}

const fn basic_only(offers_basic: bool) -> &'static str {
    if offers_basic {
        ""
    } else {
        "; it does not offer Basic, the only scheme that cupbearer supports: use a local proxy that supports its scheme"
    }
}

impl From<DialError> for CorporateProxyError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Unresolved { source, .. } => Self::Unresolved { source },
            DialError::Unreachable { address, source } => Self::Unreachable { address, source },
        }
    }
}

/// Connects to `destination` through the proxy. Has no time limit of its own.
///
/// # Errors
/// The proxy is unreachable, or it does not connect us.
pub async fn connect_through(
    proxy: &ProxyUrl,
    destination: &HostPort,
) -> Result<TcpStream, CorporateProxyError> {
    let mut stream = dial(&proxy.into()).await?;
    let target = destination.to_string();
    let ended = |source| CorporateProxyError::Ended { source };
    let request = request(proxy, &target);
    stream.write_all(&request).await.map_err(ended)?;
    let head = read_head(&mut stream).await?;
    match status(&head).ok_or(CorporateProxyError::NotHttp)? {
        200..300 => Ok(stream),
        status @ (401 | 407) => Err(unauthorized(proxy, status, &head)),
        status => Err(CorporateProxyError::Refused { status, target }),
    }
}

/// The request, wiped from memory after it was sent because it may contain the password.
fn request(proxy: &ProxyUrl, target: &str) -> Zeroizing<Vec<u8>> {
    let credential = proxy.authorization();
    let line = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    let capacity = line.len() + credential.map_or(0, <[u8]>::len) + 64;
    let mut request = Zeroizing::new(Vec::with_capacity(capacity));
    request.extend_from_slice(line.as_bytes());
    if let Some(credential) = credential {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credential);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// Reads the response up to its empty line. Nothing may follow a success: in TLS the client speaks first.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, CorporateProxyError> {
    let ended = |source| CorporateProxyError::Ended { source };
    let mut head = Vec::with_capacity(1 << 10);
    loop {
        if let Some(length) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let is_success = status(&head).is_some_and(|status| (200..300).contains(&status));
            return if is_success && head.len() > length + 4 {
                Err(CorporateProxyError::NotHttp)
            } else {
                Ok(head)
            };
        }
        if head.len() >= MAX_HEAD_BYTES {
            return Err(CorporateProxyError::TooLong {
                limit: MAX_HEAD_BYTES,
            });
        }
        if head.len() >= 5 && !head.starts_with(b"HTTP/") {
            return Err(CorporateProxyError::NotHttp);
        }
        if stream.read_buf(&mut head).await.map_err(ended)? == 0 {
            return Err(ended(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// The status code of `HTTP/1.1 200 …` (RFC 9112 section 4).
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let digits = rest.strip_prefix(b" ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// tinyproxy rejects wrong credentials with 401, as an origin server would. In a response to CONNECT, that status
/// can only come from the proxy.
fn unauthorized(proxy: &ProxyUrl, status: u16, head: &[u8]) -> CorporateProxyError {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let challenges: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| matches!(*name, "proxy-authenticate" | "www-authenticate"))
        .flat_map(|(_, value)| value.split(','))
        .collect();
    let is_basic = |challenge: &&str| challenge.trim_start().starts_with("basic");
    let offers_basic = challenges.is_empty() || challenges.iter().any(is_basic);
    if proxy.authorization().is_some() {
        CorporateProxyError::CredentialsRejected {
            status,
            offers_basic,
        }
    } else {
        CorporateProxyError::CredentialsRequired {
            status,
            offers_basic,
        }
    }
}
