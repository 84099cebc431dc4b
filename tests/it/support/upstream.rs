//! A scripted server on a raw socket. It parses requests strictly, records them, and fails the test if
//! one of its scripts panics.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::message::{dechunk, head_end, parse_head, values};

/// A complete response with a `Content-Length`.
pub(crate) fn answer(status: &str, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A server certificate for `localhost` and `api.test`, and the file with the CA that makes it trusted.
pub(crate) fn server_certificate() -> (Arc<rustls::ServerConfig>, tempfile::NamedTempFile) {
    let names = ["localhost", "api.test"].map(str::to_owned);
    let issued = rcgen::generate_simple_self_signed(names).unwrap();
    let ca_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&ca_file, issued.cert.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![issued.cert.der().clone()],
            issued.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    (Arc::new(tls), ca_file)
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    /// The number of its connection, counted from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl ReceivedRequest {
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        values(&self.fields, name)
    }
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    record: Arc<Record>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Record {
    seen: Mutex<Vec<ReceivedRequest>>,
    completed: AtomicUsize,
    accepted: AtomicUsize,
    open: AtomicUsize,
    panics: Mutex<Vec<String>>,
}

impl Upstream {
    /// Runs `script` for every connection.
    pub(crate) async fn scripted<F, S>(script: S) -> Self
    where
        S: Fn(Connection) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::on(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            None,
            script,
        )
    }

    /// Like [`Upstream::scripted`], over TLS.
    pub(crate) async fn scripted_tls<F, S>(tls: Arc<rustls::ServerConfig>, script: S) -> Self
    where
        S: Fn(Connection) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Some(tls.into()), script)
    }

    /// Responds to every request with the same bytes.
    pub(crate) async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::scripted(move |mut connection| {
            let bytes = Arc::clone(&bytes);
            async move {
                while connection.request().await.is_some() {
                    connection.write(&bytes).await;
                }
            }
        })
        .await
    }

    /// Responds with 200 and the request's target as the body.
    pub(crate) async fn echoing() -> Self {
        Self::scripted(async |mut connection: Connection| {
            while let Some(request) = connection.request().await {
                let body = if request.method == "HEAD" {
                    ""
                } else {
                    &request.target
                };
                connection.write(&answer("200 OK", "", body)).await;
            }
        })
        .await
    }

    /// Accepts connections on a listener that the test provides.
    pub(crate) fn on<F, S>(
        listener: TcpListener,
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: S,
    ) -> Self
    where
        S: Fn(Connection) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let record = Arc::new(Record::default());
        let shared = Arc::clone(&record);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
                let socket: Box<dyn Socket> = match &tls {
                    None => Box::new(stream),
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                shared.open.fetch_add(1, Ordering::SeqCst);
                let open = OpenConnection(Arc::clone(&shared));
                let script = script(Connection::new(socket, number, Arc::clone(&shared)));
                let shared = Arc::clone(&shared);
                let running = tokio::spawn(async move {
                    script.await;
                    drop(open);
                });
                tokio::spawn(async move {
                    if let Err(error) = running.await {
                        shared.panics.lock().unwrap().push(error.to_string());
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            record,
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
            .replace("http://localhost", "http://127.0.0.1")
    }

    /// All requests so far, in the order in which their heads arrived.
    pub(crate) fn seen(&self) -> Vec<ReceivedRequest> {
        self.record.seen.lock().unwrap().clone()
    }

    pub(crate) fn seen_count(&self) -> usize {
        self.record.seen.lock().unwrap().len()
    }

    /// How many of them have arrived completely.
    pub(crate) fn completed(&self) -> usize {
        self.record.completed.load(Ordering::SeqCst)
    }

    /// The only request so far. Panics if there is not exactly one.
    pub(crate) fn only_request(&self) -> ReceivedRequest {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// How many connections have been accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.record.accepted.load(Ordering::SeqCst)
    }

    /// How many connections have a script that is still running.
    pub(crate) fn open(&self) -> usize {
        self.record.open.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
        let panics = self.record.panics.lock().unwrap();
        if !std::thread::panicking() {
            assert!(
                panics.is_empty(),
                "the upstream's script failed: {panics:?}"
            );
        }
    }
}

struct OpenConnection(Arc<Record>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A plain or TLS connection.
trait Socket: AsyncRead + AsyncWrite + Unpin + Send + Sync {
    fn reset_on_close(&self);
}

impl Socket for TcpStream {
    fn reset_on_close(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Socket for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.set_zero_linger().unwrap();
    }
}

/// One connection, as its script sees it.
pub(crate) struct Connection {
    /// The connection's number, counted from 0.
    pub(crate) number: usize,
    socket: Box<dyn Socket>,
    buffer: Vec<u8>,
    record: Arc<Record>,
}

impl Connection {
    fn new(socket: Box<dyn Socket>, number: usize, record: Arc<Record>) -> Self {
        Self {
            number,
            socket,
            buffer: Vec::new(),
            record,
        }
    }

    /// The next request with its body, or `None` if the peer closes the connection.
    pub(crate) async fn request(&mut self) -> Option<ReceivedRequest> {
        let head = self.head().await?;
        let body = self.body(&head).await?;
        if let Some(last) = self
            .record
            .seen
            .lock()
            .unwrap()
            .iter_mut()
            .rev()
            .find(|seen| seen.connection == self.number)
        {
            last.body.clone_from(&body);
        }
        self.record.completed.fetch_add(1, Ordering::SeqCst);
        Some(ReceivedRequest { body, ..head })
    }

    /// The head of the next request. Panics if it is not canonical (RFC 9112).
    pub(crate) async fn head(&mut self) -> Option<ReceivedRequest> {
        let end = loop {
            if let Some(end) = head_end(&self.buffer) {
                break end;
            }
            self.fill().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let seen = parse_canonical(&head, self.number);
        self.record.seen.lock().unwrap().push(seen.clone());
        Some(seen)
    }

    async fn body(&mut self, head: &ReceivedRequest) -> Option<Vec<u8>> {
        if head.values("transfer-encoding").is_empty() {
            let length = head
                .values("content-length")
                .first()
                .map_or(0, |value| value.parse().unwrap());
            while self.buffer.len() < length {
                self.fill().await?;
            }
            return Some(self.buffer.drain(..length).collect());
        }
        loop {
            if let Some((content, used)) = dechunk(&self.buffer).unwrap() {
                self.buffer.drain(..used);
                return Some(content);
            }
            self.fill().await?;
        }
    }

    /// Reads more bytes into the buffer; `None` at the end of the connection.
    pub(crate) async fn fill(&mut self) -> Option<usize> {
        match self.socket.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => None,
            Ok(count) => Some(count),
        }
    }

    /// How many bytes have arrived that belong to no request yet.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the first `count` of them.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }

    /// Writes as much as the peer accepts.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
        let _ = self.socket.flush().await;
    }

    /// Writes, and returns whether the peer accepted everything.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// Reads and discards bytes until the peer closes the connection.
    pub(crate) async fn closed(&mut self) {
        while self.fill().await.is_some() {
            self.buffer.clear();
        }
    }

    /// Closes the connection with a reset.
    pub(crate) fn reset(self) {
        self.socket.reset_on_close();
    }
}

/// Parses the head of a request. Panics unless there is only one way to interpret it.
fn parse_canonical(head: &[u8], connection: usize) -> ReceivedRequest {
    let printed = String::from_utf8_lossy(head);
    for (at, byte) in head.iter().enumerate() {
        assert_ne!(*byte, 0, "NUL in {printed:?}");
        assert!(
            *byte != b'\n' || head[at - 1] == b'\r',
            "bare LF in {printed:?}"
        );
        assert!(
            *byte != b'\r' || head[at + 1] == b'\n',
            "bare CR in {printed:?}"
        );
    }
    let (line, fields) = parse_head(head);
    let mut parts = line.split(' ');
    let (method, target) = (parts.next().unwrap(), parts.next().unwrap());
    assert_eq!(parts.collect::<Vec<_>>(), ["HTTP/1.1"], "{printed:?}");
    for (name, _) in &fields {
        assert!(
            !name.is_empty() && !name.contains([' ', '\t']),
            "{printed:?}"
        );
    }
    let lengths = values(&fields, "content-length");
    let codings = values(&fields, "transfer-encoding");
    assert!(lengths.len() + codings.len() <= 1, "{printed:?}");
    for length in lengths {
        assert!(
            length == "0"
                || !length.starts_with('0') && length.bytes().all(|byte| byte.is_ascii_digit()),
            "{printed:?}"
        );
    }
    assert!(
        codings.iter().all(|coding| *coding == "chunked"),
        "{printed:?}"
    );
    assert_eq!(values(&fields, "host").len(), 1, "{printed:?}");
    ReceivedRequest {
        connection,
        method: method.to_owned(),
        target: target.to_owned(),
        fields,
        body: Vec::new(),
    }
}
