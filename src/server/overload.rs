//! The response to connections beyond the limit: 503 at once and a close, instead of a silent wait in the backlog.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::client_stream::ClientStream;
use crate::metrics::ActiveCount;

/// Makes the response to one connection that is rejected, from the first bytes that have arrived on it; each has its own
/// request id.
pub type OverloadResponse = Arc<dyn Fn(&[u8]) -> Response<Bytes> + Send + Sync>;

/// How many connections are rejected at the same time, because each holds a descriptor. Further ones wait in the
/// backlog.
pub(super) const MAX_REJECTIONS: usize = 32;

/// How long a rejected connection may take to send the first byte of a request. A silent one holds a slot that another
/// client could use.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a rejected connection may stay open after that. Closing earlier could reset it before the client has read
/// the response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Rejects connections while the server is full.
#[derive(Clone, Default)]
pub(super) struct OverloadResponder {
    rejections: ActiveCount,
    response: Option<OverloadResponse>,
}

impl OverloadResponder {
    pub(super) fn new(response: OverloadResponse) -> Self {
        Self {
            response: Some(response),
            ..Self::default()
        }
    }

    /// Whether another connection can be rejected now.
    pub(super) fn has_room(&self) -> bool {
        self.response.is_some() && self.rejections.get() < MAX_REJECTIONS
    }

    /// Rejects a connection in the background, without parsing its request.
    pub(super) fn reject(&self, stream: ClientStream) {
        let counted = self.rejections.enter();
        let response = self.response.clone();
        tokio::spawn(async move {
            if let Some(response) = response {
                let _ = respond(stream, &response).await;
            }
            drop(counted);
        });
    }
}

async fn respond<S>(mut stream: S, response: &OverloadResponse) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut piece = [0; 4096];
    // A browser opens connections in advance, and cannot use a response before it has sent a request.
    let arrived = timeout(FIRST_BYTE_TIMEOUT, stream.read(&mut piece)).await??;
    if arrived == 0 {
        return Ok(());
    }
    let response = encode(&response(&piece[..arrived]));
    let responding = async {
        stream.write_all(&response).await?;
        stream.shutdown().await?;
        while stream.read(&mut piece).await? > 0 {}
        Ok(())
    };
    timeout(RESPONSE_TIMEOUT, responding).await?
}

/// Encodes a response as HTTP/1.1 (RFC 9112 section 2.1), with its length and `Connection: close`.
fn encode(response: &Response<Bytes>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        if ![http::header::CONTENT_LENGTH, http::header::CONNECTION].contains(name) {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
    }
    let length = response.body().len();
    let end = format!("content-length: {length}\r\nconnection: close\r\n\r\n");
    text.extend_from_slice(end.as_bytes());
    text.extend_from_slice(response.body());
    text
}

#[cfg(test)]
mod tests;
