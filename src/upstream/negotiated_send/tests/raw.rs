//! A server that sends whatever frames it is given.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;

/// A frame without flags, its type and its stream.
pub(super) fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, stream];
    frame.extend_from_slice(payload);
    frame
}

/// SETTINGS that allow this many streams.
pub(super) fn most_streams(streams: u8) -> Vec<u8> {
    frame(SETTINGS, 0, &[0, 3, 0, 0, 0, streams])
}

pub(super) struct RawServer {
    pub(super) socket: TcpStream,
}

impl RawServer {
    /// Accepts a connection. Our SETTINGS have no limits.
    pub(super) async fn accept(listener: &TcpListener) -> Self {
        const PREFACE: usize = 24;
        let mut socket = listener.accept().await.unwrap().0;
        socket.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
        socket.read_exact(&mut [0; PREFACE]).await.unwrap();
        Self { socket }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// Reads frames until one of this type has arrived, and returns its flags.
    pub(super) async fn read_until(&mut self, kind: u8) -> u8 {
        loop {
            let mut head = [0; 9];
            self.socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.socket.read_exact(&mut payload).await.unwrap();
            if head[3] == kind {
                return head[4];
            }
        }
    }
}
