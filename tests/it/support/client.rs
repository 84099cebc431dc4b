//! A client on a raw socket: writes what it is told, reads answers by their own framing and tells how they ended.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::message::{dechunk, head_end, parse_head, values};
use super::within;

/// A plain GET.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Field lines `X-0` to `X-<count - 1>`, each with the same value.
pub(crate) fn many_fields(count: usize, value: &str) -> String {
    let lines: Vec<String> = (0..count)
        .map(|number| format!("X-{number}: {value}\r\n"))
        .collect();
    lines.concat()
}

/// A POST with a length.
pub(crate) fn post(target: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One request on a connection of its own, and its answer.
pub(crate) async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(address).await;
    client.send(request).await;
    client.answer().await
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By its own framing.
    Whole,
    /// With the connection, having no framing of its own.
    Closed,
    /// Before its own end.
    Cut,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) version: String,
    /// 0 if there was none.
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    fn none() -> Self {
        Self {
            version: String::new(),
            status: 0,
            fields: Vec::new(),
            body: Vec::new(),
            end: End::Cut,
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        values(&self.fields, name).first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `reason` of an answer of ours; empty if it is none.
    pub(crate) fn reason(&self) -> String {
        if self.field("content-type") != Some("application/problem+json") {
            return String::new();
        }
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        problem["reason"].as_str().unwrap().to_owned()
    }

    /// Status and reason, to compare at once.
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

    /// Writes as much as the peer takes; what it thinks of it is in its answer.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("send", self.stream.write_all(bytes.as_ref())).await;
    }

    /// The next answer to anything but HEAD.
    pub(crate) async fn answer(&mut self) -> Answer {
        within("an answer", self.read_answer(false)).await
    }

    /// The next answer, which has no body whatever its fields say.
    pub(crate) async fn head_answer(&mut self) -> Answer {
        within("an answer", self.read_answer(true)).await
    }

    async fn read_answer(&mut self, to_head: bool) -> Answer {
        let end = loop {
            if let Some(end) = head_end(&self.buffer) {
                break end;
            }
            if self.fill().await == 0 {
                return Answer::none();
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
            end: End::Whole,
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
                    End::Closed
                } else {
                    End::Cut
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
                answer.end = End::Cut;
                answer.body = std::mem::take(&mut self.buffer);
                return;
            }
        }
    }

    /// More bytes, 0 at the end, whether orderly or by a reset.
    async fn fill(&mut self) -> usize {
        self.stream.read_buf(&mut self.buffer).await.unwrap_or(0)
    }

    /// Reads until what has come contains `wanted`, and returns all of it.
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
        within("the bytes that were to come", reading).await;
        std::mem::take(&mut self.buffer)
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        within("the connection's end", async {
            while self.fill().await > 0 {}
        })
        .await;
        std::mem::take(&mut self.buffer)
    }
}
