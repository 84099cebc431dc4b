//! Connections for which there is no room: told so at once and closed, instead of waiting without a word.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::stream::Stream;
use crate::metrics::Level;

/// What they are told; made anew for each, since it has a name of its own.
pub type Refusal = Arc<dyn Fn() -> Response<Bytes> + Send + Sync>;

/// How many at a time: each holds a descriptor. Further ones wait to be accepted.
pub(super) const AT_ONCE: usize = 32;

/// From its being accepted to the request's first byte: who says nothing keeps the place from somebody who does.
const FIRST_BYTE: Duration = Duration::from_millis(100);

/// From then on to the client's end: closing earlier would take the answer away again.
const LIMIT: Duration = Duration::from_secs(1);

/// The way out of a full house.
#[derive(Clone, Default)]
pub(super) struct Shed {
    under_way: Level,
    refusal: Option<Refusal>,
}

impl Shed {
    pub(super) fn with(refusal: Refusal) -> Self {
        Self {
            refusal: Some(refusal),
            ..Self::default()
        }
    }

    /// Whether somebody more can be told now.
    pub(super) fn has_room(&self) -> bool {
        self.refusal.is_some() && self.under_way.get() < AT_ONCE
    }

    /// Tells one, in the background. Its request is not read, so this asks nothing about it.
    pub(super) fn refuse(&self, stream: Stream) {
        let held = self.under_way.enter();
        let refusal = self.refusal.clone();
        tokio::spawn(async move {
            if let Some(refusal) = refusal {
                let _ = tell(stream, &refusal).await;
            }
            drop(held);
        });
    }
}

async fn tell<S>(mut stream: S, refusal: &Refusal) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut piece = [0; 4096];
    // An answer before any request would be nobody's: a browser connects in advance.
    if timeout(FIRST_BYTE, stream.read(&mut piece)).await?? == 0 {
        return Ok(());
    }
    let answering = async {
        stream.write_all(&on_the_wire(&refusal())).await?;
        stream.shutdown().await?;
        while stream.read(&mut piece).await? > 0 {}
        Ok(())
    };
    timeout(LIMIT, answering).await?
}

/// RFC 9112 section 2.1, with a length and the connection's end.
fn on_the_wire(response: &Response<Bytes>) -> Vec<u8> {
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
