//! One GET of the doctor's own, its answer read to a bound.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use tokio::time::Instant;

use crate::config;
use crate::text::error_chain;
use crate::upstream::Upstream;

/// What is read of an answer.
const LONGEST: usize = 256 << 10;
/// From the last byte of the request to the head, and the longest silence after that.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Its beginning, if it is longer than [`LONGEST`].
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether it is a page for people.
    pub(super) fn is_html(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        kind.to_ascii_lowercase().contains("html") || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// A field that is plain text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Asks the origin of `upstream` for `path`, over the way and with the fixed headers that it has.
///
/// # Errors
/// What happened, in one line.
pub(super) async fn get(
    upstream: &config::UpstreamConfig,
    tls: &rustls::ClientConfig,
    path: &str,
    bearer: Option<&HeaderValue>,
) -> Result<Answer, String> {
    let upstream = config::UpstreamConfig {
        head_timeout: upstream.head_timeout.min(PATIENCE),
        stall_timeout: upstream.stall_timeout.min(PATIENCE),
        ..upstream.clone()
    };
    let mut request = Request::builder()
        .uri(path)
        .header(HOST, upstream.url.authority.as_str())
        .header(ACCEPT, "application/json, */*;q=0.5")
        .header(
            USER_AGENT,
            concat!("cupbearer/", env!("CARGO_PKG_VERSION"), " doctor"),
        )
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("{path} is no path: {error}"))?;
    for (name, value) in &upstream.headers {
        request.headers_mut().insert(name, value.clone());
    }
    if let Some(bearer) = bearer {
        let authorization = http::header::AUTHORIZATION;
        request.headers_mut().insert(authorization, bearer.clone());
    }
    let sent = Upstream::uncounted(&upstream, tls)
        .send(Instant::now(), request, || None)
        .await;
    let (head, mut body) = sent.map_err(|error| error_chain(&error))?.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error_chain(&error))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if bytes.len() > LONGEST {
            break;
        }
    }
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: bytes,
    })
}
