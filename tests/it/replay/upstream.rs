//! An API made of plain sockets, so that a test decides what it reads, what it sends and when it closes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One end of an HTTP/1.1 connection, read message by message.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next head with its empty line; `None` at the end of the connection.
    pub(super) async fn head(&mut self) -> Option<Head> {
        loop {
            let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.buffer.drain(..end + 4).collect();
                return Some(Head(String::from_utf8(head).unwrap()));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads the next `length` bytes and passes each piece to `each`.
    pub(super) async fn bytes(&mut self, mut length: usize, mut each: impl FnMut(&[u8])) {
        while length > 0 {
            if self.buffer.is_empty() {
                assert!(self.more().await, "the body is incomplete");
            }
            let piece = length.min(self.buffer.len());
            each(&self.buffer[..piece]);
            self.buffer.drain(..piece);
            length -= piece;
        }
    }

    /// The body that belongs to `head`.
    pub(super) async fn body(&mut self, head: &Head) -> Vec<u8> {
        let mut body = Vec::new();
        if head.value("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&self.line().await, 16).unwrap();
                self.bytes(length, |piece| body.extend_from_slice(piece))
                    .await;
                assert_eq!(self.line().await, "");
                if length == 0 {
                    return body;
                }
            }
        }
        let length = head.value("content-length").unwrap_or("0");
        self.bytes(length.parse().unwrap(), |piece| {
            body.extend_from_slice(piece);
        })
        .await;
        body
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // If the peer has closed, nothing arrives; the test checks what did.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return String::from_utf8(line[..end].to_vec()).unwrap();
            }
            assert!(self.more().await, "the line is incomplete");
        }
    }

    async fn more(&mut self) -> bool {
        self.buffer.reserve(64 << 10);
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..))
    }
}

/// The head of a request or a response, byte for byte.
#[derive(Debug, Clone)]
pub(super) struct Head(pub(super) String);

impl Head {
    /// Every value of this field, in order.
    pub(super) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.lines().skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn value<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// The one bearer token that every attempt must have.
    pub(super) fn bearer(&self) -> String {
        let lines: Vec<&str> = self.values("authorization").collect();
        assert_eq!(lines.len(), 1, "exactly one Authorization");
        lines[0].to_owned()
    }

    pub(super) fn path(&self) -> &str {
        self.0.split(' ').nth(1).unwrap()
    }
}

/// An API whose every step is taken by the test.
pub(super) struct Scripted {
    listener: TcpListener,
    pub(super) url: String,
}

impl Scripted {
    pub(super) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    pub(super) async fn accept(&self) -> Wire {
        Wire::new(self.listener.accept().await.unwrap().0)
    }

    /// The next connection and the head of its first request.
    pub(super) async fn request(&self) -> (Wire, Head) {
        let mut wire = self.accept().await;
        let head = wire.head().await.expect("a request");
        (wire, head)
    }

    /// Whether there is no connection besides those that the test has accepted. The system knows immediately.
    pub(super) fn has_no_other_connection(self) -> bool {
        let waiting = self.listener.into_std().unwrap().accept();
        waiting.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Reads every request completely and responds immediately with the result of `answer`.
    pub(super) fn serve(
        self,
        answer: impl Fn(&Head, &[u8]) -> String + Send + Sync + 'static,
    ) -> Served {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer = Arc::new(answer);
        let url = self.url.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let mut wire = self.accept().await;
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    while let Some(head) = wire.head().await {
                        let body = wire.body(&head).await;
                        let said = answer(&head, &body);
                        seen.lock().unwrap().push((head, said.clone()));
                        wire.write(said).await;
                    }
                });
            }
        });
        Served {
            url,
            requests,
            accepting,
        }
    }
}

/// An API that responds by a rule and records requests and responses.
pub(super) struct Served {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<(Head, String)>>>,
    accepting: JoinHandle<()>,
}

impl Served {
    pub(super) fn requests(&self) -> Vec<(Head, String)> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A response with a `Content-Length`.
pub(super) fn answer(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

/// The 401 of RFC 6750 section 3.1.
pub(super) fn refused(body: &str) -> String {
    answer(
        "401 Unauthorized",
        "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
        body,
    )
}
