//! A GET that the doctor itself sends, with a limit on the response.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use tokio::time::Instant;

use crate::config;
use crate::upstream::{BodyError, SendError, Upstream, WithoutRenewal};

/// How much of a response is read, in bytes.
const MAX_BODY: usize = 256 << 10;
/// From the last byte of the request to the head of the response, and the longest silence after that.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A response.
pub(super) struct ProbeResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The beginning of the body, if it is longer than [`MAX_BODY`].
    pub(super) body: Vec<u8>,
}

impl ProbeResponse {
    /// Whether the response is a web page, by its content type or by how it begins.
    pub(super) fn is_html(&self) -> bool {
        let content_type = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        content_type.to_ascii_lowercase().contains("html")
            || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// The value of a field, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// The path cannot be requested.
    #[error("{path} is not a valid path")]
    Path { path: String, source: http::Error },
    /// The request failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The body broke off.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// Requests `path` from the origin of `server`, by the route and with the fixed headers in that configuration, and with
/// the field that carries the token, if there is one.
///
/// # Errors
/// There is no response, or it broke off.
pub(super) async fn get(
    server: &config::UpstreamConfig,
    tls: &rustls::ClientConfig,
    path: &str,
    token: Option<(&HeaderName, &HeaderValue)>,
) -> Result<ProbeResponse, ProbeError> {
    let server = config::UpstreamConfig {
        head_timeout: server.head_timeout.min(TIMEOUT),
        stall_timeout: server.stall_timeout.min(TIMEOUT),
        ..server.clone()
    };
    let mut request = Request::builder()
        .uri(path)
        .header(HOST, server.url.authority.as_str())
        .header(ACCEPT, "application/json, */*;q=0.5")
        .header(
            USER_AGENT,
            concat!("cupbearer/", env!("CARGO_PKG_VERSION"), " doctor"),
        )
        .body(Empty::<Bytes>::new())
        .map_err(|source| ProbeError::Path {
            path: path.to_owned(),
            source,
        })?;
    for (name, value) in &server.headers {
        request.headers_mut().insert(name, value.clone());
    }
    if let Some((field, value)) = token {
        request.headers_mut().insert(field, value.clone());
    }
    let sent = Upstream::uncounted(&server, tls)
        .send(Instant::now(), request, WithoutRenewal)
        .await;
    let (head, mut body) = sent?.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if bytes.len() > MAX_BODY {
            break;
        }
    }
    Ok(ProbeResponse {
        status: head.status,
        headers: head.headers,
        body: bytes,
    })
}
