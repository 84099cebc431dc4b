//! A client on a raw socket: sends exact bytes, reads responses by their framing and reports how they ended.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::message::{dechunk, head_end, parse_head, values};
use super::within;

/// A plain GET.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// The field lines `X-0` to `X-<count - 1>`, all with the same value.
pub(crate) fn many_fields(count: usize, value: &str) -> String {
    let lines: Vec<String> = (0..count)
        .map(|number| format!("X-{number}: {value}\r\n"))
        .collect();
    lines.concat()
}

/// A POST with a `Content-Length`.
pub(crate) fn post(target: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends one request on a new connection and returns the response.
pub(crate) async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(request).await;
    client.answer().await
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its framing says that it is complete.
    Complete,
    /// The connection was closed, and the response had no framing of its own.
    ConnectionClosed,
    /// The connection was closed before the response was complete.
    Truncated,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) version: String,
    /// 0 if there was no response.
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    fn missing() -> Self {
        Self {
            version: String::new(),
            status: 0,
            fields: Vec::new(),
            body: Vec::new(),
            end: End::Truncated,
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        values(&self.fields, name).first().copied()
    }

    pub(crate) fn fields_named(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `reason` of a response that cupbearer generated itself, or an empty string.
    pub(crate) fn reason(&self) -> String {
        if self.field("content-type") != Some("application/problem+json") {
            return String::new();
        }
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        problem["reason"].as_str().unwrap().to_owned()
    }

    /// Status and reason, for a single comparison.
    pub(crate) fn outcome(&self) -> (u16, String) {
        (self.status, self.reason())
    }
}

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within("connect", TcpStream::connect(address))
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Writes as much as the peer accepts. A write error is ignored: the response shows what the peer did.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("send", self.stream.write_all(bytes.as_ref())).await;
    }

    /// The next response, to any request except HEAD.
    pub(crate) async fn answer(&mut self) -> Answer {
        within("a response", self.read_answer(false)).await
    }

    /// The next response to a HEAD request, which has no body even if its fields announce one.
    pub(crate) async fn head_answer(&mut self) -> Answer {
        within("a response", self.read_answer(true)).await
    }

    async fn read_answer(&mut self, to_head: bool) -> Answer {
        let end = loop {
            if let Some(end) = head_end(&self.buffer) {
                break end;
            }
            if self.fill().await == 0 {
                return Answer::missing();
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let (line, fields) = parse_head(&head);
        let status: u16 = line[9..12].parse().unwrap();
        let mut answer = Answer {
            version: line[..8].to_owned(),
            status,
            fields,
            body: Vec::new(),
            end: End::Complete,
        };
        if !to_head && !(100..200).contains(&status) && status != 204 && status != 304 {
            self.read_body(&mut answer).await;
        }
        answer
    }

    async fn read_body(&mut self, answer: &mut Answer) {
        let lengths = values(&answer.fields, "content-length");
        let is_chunked = !values(&answer.fields, "transfer-encoding").is_empty();
        assert!(lengths.len() + usize::from(is_chunked) <= 1, "{answer:?}");
        if is_chunked {
            return self.read_chunked(answer).await;
        }
        let length = lengths.first().map(|value| value.parse().unwrap());
        while length.is_none_or(|length: usize| self.buffer.len() < length) {
            if self.fill().await == 0 {
                answer.end = if length.is_none() {
                    End::ConnectionClosed
                } else {
                    End::Truncated
                };
                answer.body = std::mem::take(&mut self.buffer);
                return;
            }
        }
        answer.body = self.buffer.drain(..length.unwrap_or(0)).collect();
    }

    async fn read_chunked(&mut self, answer: &mut Answer) {
        loop {
            if let Some((content, used)) = dechunk(&self.buffer).unwrap() {
                self.buffer.drain(..used);
                answer.body = content;
                return;
            }
            if self.fill().await == 0 {
                answer.end = End::Truncated;
                answer.body = std::mem::take(&mut self.buffer);
                return;
            }
        }
    }

    /// Reads more bytes; returns 0 after an orderly close and after a reset.
    async fn fill(&mut self) -> usize {
        self.stream.read_buf(&mut self.buffer).await.unwrap_or(0)
    }

    /// Reads until the received bytes contain `wanted`, and returns all of them.
    pub(crate) async fn read_until(&mut self, wanted: &[u8]) -> Vec<u8> {
        let reading = async {
            while !self
                .buffer
                .windows(wanted.len())
                .any(|window| window == wanted)
            {
                assert_ne!(self.fill().await, 0, "closed before {wanted:?}");
            }
        };
        within("the expected bytes", reading).await;
        std::mem::take(&mut self.buffer)
    }

    /// Reads everything until the connection is closed.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        within("the end of the connection", async {
            while self.fill().await > 0 {}
        })
        .await;
        std::mem::take(&mut self.buffer)
    }
}
