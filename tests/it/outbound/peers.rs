//! The servers that the proxy connects to: with certificates of every kind, with and without TLS, and a corporate
//! proxy. Each records what it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) const TOKEN: &str = crate::support::TOKEN;

/// A certificate authority.
pub(crate) struct Ca {
    pub(crate) pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    pub(crate) pem: String,
    pub(crate) key: KeyPair,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        Self {
            pem: cert.pem(),
            der: cert.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A server certificate, valid for this name and between these years.
    pub(crate) fn issue_for(&self, name: &str, years: [i32; 2]) -> Identity {
        self.sign(&server_params(name, years))
    }

    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_for(name, [2000, 4000])
    }

    pub(crate) fn issue_to_client(&self, name: &str) -> Identity {
        let mut params = server_params(name, [2000, 4000]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// A server certificate whose only names are these URIs.
    pub(crate) fn issue_with_uris(&self, uris: &[&str]) -> Identity {
        let mut params = server_params("unused", [2000, 4000]);
        let uris = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names = uris.collect();
        self.sign(&params)
    }

    /// A server certificate whose only name is its common name.
    pub(crate) fn issue_without_san(&self, name: &str) -> Identity {
        let mut params = server_params(name, [2000, 4000]);
        params.subject_alt_names.clear();
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![cert.der().clone()],
            pem: cert.pem(),
            key,
        }
    }
}

/// A self-signed certificate.
pub(crate) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = server_params(name, [2000, 4000]);
    // A name that is in no system's store.
    params
        .distinguished_name
        .push(DnType::CommonName, "signs itself");
    let cert = params.self_signed(&key).unwrap();
    Identity {
        chain: vec![cert.der().clone()],
        pem: cert.pem(),
        key,
    }
}

/// Builds a self-signed certificate that is marked as an authority, as plain `openssl req -x509` does.
pub(crate) struct SelfSigned(CertificateParams);

impl SelfSigned {
    pub(crate) fn authority() -> Self {
        let mut params = server_params("unused", [2000, 4000]);
        params.subject_alt_names.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "self-made");
        Self(params)
    }

    pub(crate) fn san(mut self, name: &str) -> Self {
        let names = CertificateParams::new([name.to_owned()]).unwrap();
        self.0.subject_alt_names = names.subject_alt_names;
        self
    }

    pub(crate) fn common_name(mut self, name: &str) -> Self {
        self.0.distinguished_name.push(DnType::CommonName, name);
        self
    }

    pub(crate) fn years(mut self, [from, to]: [i32; 2]) -> Self {
        self.0.not_before = date_time_ymd(from, 1, 1);
        self.0.not_after = date_time_ymd(to, 1, 1);
        self
    }

    pub(crate) fn issue(self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let cert = self.0.self_signed(&key).unwrap();
        Identity {
            chain: vec![cert.der().clone()],
            pem: cert.pem(),
            key,
        }
    }
}

fn server_params(name: &str, [from, to]: [i32; 2]) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

/// The bytes that a peer received.
#[derive(Clone, Default)]
pub(crate) struct ReceivedRequest(Arc<Mutex<Vec<u8>>>);

impl ReceivedRequest {
    fn record(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    pub(crate) fn count(&self, words: &str) -> usize {
        self.text().matches(words).count()
    }
}

/// A server on a free loopback port.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) seen: ReceivedRequest,
}

impl Peer {
    /// Serves each connection with `serve`.
    async fn new<F>(serve: impl Fn(TcpStream, ReceivedRequest) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = ReceivedRequest::default();
        let record = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, record.clone()));
            }
        });
        Self { address, seen }
    }

    /// Answers `POST /token` with a token, and any other request with `ok`.
    pub(crate) async fn plain() -> Self {
        Self::new(answer).await
    }

    pub(crate) async fn tls(identity: &Identity) -> Self {
        Self::accepting(server(identity, None)).await
    }

    /// Accepts only clients whose certificate `clients` has issued.
    pub(crate) async fn mutual_tls(
        identity: &Identity,
        clients: &Ca,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Self {
        Self::accepting(server(identity, Some((clients, version)))).await
    }

    async fn accepting(config: rustls::ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::new(move |stream, seen| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, seen).await;
                }
            }
        })
        .await
    }

    /// Sends these bytes once the client has sent something, and closes when the client does.
    pub(crate) async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::new(move |mut stream, seen| {
            let bytes = bytes.clone();
            async move {
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).await.unwrap_or(0);
                seen.record(&buffer[..length]);
                let _ = stream.write_all(&bytes).await;
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    seen.record(&buffer[..length]);
                }
            }
        })
        .await
    }

    /// Reads the first bytes and closes the connection.
    pub(crate) async fn closing() -> Self {
        Self::new(|mut stream, _| async move {
            let _ = stream.read(&mut [0; 4096]).await;
        })
        .await
    }

    /// A corporate proxy. Whatever host a client names, it connects to that port on this machine. If `credentials` is
    /// given, it requires a `Proxy-Authorization` with this value.
    pub(crate) async fn proxy(credentials: Option<&'static str>) -> Self {
        Self::new(move |mut stream, seen| async move {
            let head = read_head(&mut stream).await;
            seen.record(head.as_bytes());
            let presented = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
                .map(|(_, value)| value);
            if credentials.is_some() && presented != credentials {
                let rejection = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                     Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"corp\"\r\n\
                     Content-Length: 4\r\n\r\nnope";
                let _ = stream.write_all(rejection.as_bytes()).await;
                return;
            }
            let target = head.split(' ').nth(1).unwrap_or_default();
            let port: u16 = target.rsplit(':').next().unwrap().parse().unwrap();
            let mut destination = Recording {
                inner: TcpStream::connect(("127.0.0.1", port)).await.unwrap(),
                seen,
            };
            let answer = b"HTTP/1.1 200 Connection established\r\nVia: corp\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut destination).await;
        })
        .await
    }
}

fn server(
    identity: &Identity,
    clients: Option<(&Ca, &'static rustls::SupportedProtocolVersion)>,
) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let chain = identity.chain.clone();
    let builder = match clients {
        None => builder
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth(),
        Some((ca, version)) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(ca.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder
                .with_protocol_versions(&[version])
                .unwrap()
                .with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    builder.with_single_cert(chain, key).unwrap()
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: ReceivedRequest) {
    loop {
        let head = read_head(&mut stream).await;
        if head.is_empty() {
            return;
        }
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        let _ = stream.read_exact(&mut body).await;
        seen.record(head.as_bytes());
        let body = if head.starts_with("POST /token ") {
            format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":3600}}"#)
        } else {
            "ok".to_owned()
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads up to the empty line. Returns an empty string if the client has disconnected.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// Records what is written into the tunnel.
struct Recording {
    inner: TcpStream,
    seen: ReceivedRequest,
}

impl AsyncRead for Recording {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Recording {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.seen.record(buf);
        std::pin::Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
