//! A client of HTTP/2 that sends whatever frames it is given, and reads frames.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::within;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

pub(super) const NO_ERROR: u32 = 0;

/// A frame that has arrived.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The error code of `RST_STREAM`, or that of GOAWAY.
    pub(super) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    pub(super) fn is(&self, kind: u8, stream: u32) -> bool {
        (self.kind, self.stream) == (kind, stream)
    }

    /// Whether nothing follows it on this stream.
    pub(super) fn ends(&self, stream: u32) -> bool {
        self.stream == stream && matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of a usual request, which others follow.
pub(super) fn request<'a>(
    method: &'a str,
    path: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
    ];
    fields.extend_from_slice(more);
    fields
}

/// A head, without compression (RFC 7541 section 6.2.2). `flags` may be [`END_STREAM`].
pub(super) fn head(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            let length = u8::try_from(text.len()).unwrap();
            assert!(length < 127, "its length would need another byte: {text}");
            block.push(length);
            block.extend_from_slice(text.as_bytes());
        }
    }
    frame(HEADERS, END_HEADERS | flags, stream, &block)
}

pub(super) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

pub(super) struct Peer(TcpStream);

impl Peer {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = within("connect", TcpStream::connect(address)).await;
        let mut peer = Self(stream.unwrap());
        peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        peer.send(frame(SETTINGS, 0, 0, &[])).await;
        peer
    }

    /// Writes as much as the proxy accepts.
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("send", self.0.write_all(bytes.as_ref())).await;
    }

    /// The next frame, or `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        within("a frame", self.read()).await
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        self.0.read_exact(&mut header).await.ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }

    /// Takes frames until one has this property, and returns it; `None` at the end of the connection.
    pub(super) async fn read_until(&mut self, has: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if has(&frame) {
                return Some(frame);
            }
        }
    }

    /// Waits for the end of a stream. Until then, neither a stream nor the connection may end in another way.
    pub(super) async fn ends_without_a_reset(&mut self, stream: u32) {
        let ends = |frame: &Frame| frame.ends(stream) || matches!(frame.kind, RST_STREAM | GOAWAY);
        let frame = self.read_until(ends).await;
        let is_right = frame.as_ref().is_some_and(|frame| frame.ends(stream));
        assert!(is_right, "{stream}: {frame:?}");
    }

    /// Waits until the proxy has handled what was sent before.
    pub(super) async fn ping(&mut self) {
        self.send(frame(PING, 0, 0, b"are done")).await;
        let pong = self.read_until(|frame| frame.kind == PING).await;
        assert!(pong.is_some(), "the connection has ended");
    }
}
