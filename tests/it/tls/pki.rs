//! A certificate authority, the certificates that it issues, and TLS clients that trust it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::within;

pub(crate) struct Authority {
    pub(crate) pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
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

    /// A certificate of the proxy, which this common name tells from others.
    pub(crate) fn server(&self, common_name: &str) -> Issued {
        self.server_until(common_name, date_time_ymd(4000, 1, 1))
    }

    pub(crate) fn server_until(&self, common_name: &str, end: OffsetDateTime) -> Issued {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_after = end;
        self.sign(&params)
    }

    /// A client's certificate with these names.
    pub(crate) fn client(&self, names: Vec<SanType>, end: OffsetDateTime) -> Issued {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "client.example");
        params.subject_alt_names = names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = end;
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            pem: cert.pem(),
            key_pem: key.serialize_pem(),
            chain: vec![cert.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// A client that trusts this authority.
    pub(crate) fn connector(&self) -> TlsConnector {
        self.connector_with(None, rustls::DEFAULT_VERSIONS)
    }

    pub(crate) fn connector_with(
        &self,
        presented: Option<&Issued>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut client = match presented {
            Some(one) => client
                .with_client_auth_cert(one.chain.clone(), one.key.clone_key())
                .unwrap(),
            None => client.with_no_client_auth(),
        };
        client.alpn_protocols = vec![b"http/1.1".to_vec()]; // the tests speak it
        TlsConnector::from(Arc::new(client))
    }
}

/// The files of the listener's certificate in a directory of their own.
pub(crate) struct ServerFiles(tempfile::TempDir);

impl ServerFiles {
    pub(crate) fn new(issued: &Issued) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write(issued);
        files
    }

    pub(crate) fn write(&self, issued: &Issued) {
        std::fs::write(self.path("tls.crt"), &issued.pem).unwrap();
        std::fs::write(self.path("tls.key"), &issued.key_pem).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The settings that name the files.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        let path = |name| self.path(name).display().to_string();
        [
            ("tls.cert_file", path("tls.crt")),
            ("tls.key_file", path("tls.key")),
        ]
    }

    /// The same as lines of a configuration.
    pub(crate) fn lines(&self) -> String {
        let lines = self.settings();
        let lines = lines.map(|(key, path)| format!("{key} = '{path}'\n"));
        lines.concat()
    }
}

pub(crate) async fn try_connect(
    connector: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true).unwrap();
    let name = "localhost".try_into().unwrap();
    within("a handshake", connector.connect(name, stream)).await
}

pub(crate) async fn connect(connector: &TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    try_connect(connector, address).await.unwrap()
}

/// Sends one request that closes its connection, and returns the whole response.
pub(crate) async fn fetch(connector: &TlsConnector, address: SocketAddr, fields: &str) -> String {
    let mut stream = connect(connector, address).await;
    exchange(&mut stream, fields).await
}

/// The same on a connection that is open. An empty text says that it was closed instead.
pub(crate) async fn exchange(stream: &mut TlsStream<TcpStream>, fields: &str) -> String {
    let head = format!("GET /path HTTP/1.1\r\nConnection: close\r\n{fields}");
    let has_host = fields.contains("Host:");
    let host = if has_host { "" } else { "Host: localhost\r\n" };
    let request = format!("{head}{host}\r\n");
    let mut response = Vec::new();
    within("a response", async {
        if stream.write_all(request.as_bytes()).await.is_ok() {
            let _ = stream.read_to_end(&mut response).await;
        }
    })
    .await;
    String::from_utf8(response).unwrap()
}

pub(crate) fn in_the_year_4000() -> OffsetDateTime {
    date_time_ymd(4000, 1, 1)
}
