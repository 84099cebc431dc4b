//! Client certificates at the token endpoint, over real TLS (RFC 8705).

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::endpoint::config;
use super::scene::client_secret;
use crate::config::ClientAuth;
use crate::credentials::{CertificateFiles, PresentedTo, Secret};
use crate::token::grant::Grant;
use crate::token::grant_error::GrantError;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
    {\"access_token\":\"abc.def\",\"token_type\":\"Bearer\",\"expires_in\":3600}";

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A certificate of this authority and its key, both PEM.
fn issued(authority: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn the_certificate_is_presented_and_without_it_there_is_no_token() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut roots = RootCertStore::empty();
    roots
        .add(params.self_signed(&key).unwrap().der().clone())
        .unwrap();
    let authority = Issuer::new(params, key);
    let roots = Arc::new(roots);

    let url = serve(&roots, &issued(&authority)).await;
    let tls = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(Arc::clone(&roots))
        .with_no_client_auth();

    let directory = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        to: PresentedTo::TokenEndpoint,
        cert_file: directory.path().join("tls.crt"),
        key_file: directory.path().join("tls.key"),
    };
    let (certificate, private) = issued(&authority);
    std::fs::write(&files.cert_file, certificate).unwrap();
    std::fs::write(&files.key_file, private).unwrap();

    let mut config = config(url.parse().unwrap(), ClientAuth::Tls);
    let without = Grant::new(
        config.clone(),
        super::super::client(tls.clone(), &crate::config::ProxyRule::Direct),
    );
    config.certificate = Some(files);
    let with = Grant::new(
        config,
        super::super::client(tls, &crate::config::ProxyRule::Direct),
    );
    let secret = Secret::new("unused");

    assert!(with.exchange(&client_secret(secret.clone())).await.is_ok());
    assert!(with.exchange(&client_secret(secret.clone())).await.is_ok());
    assert!(matches!(
        without.exchange(&client_secret(secret.clone())).await,
        Err(GrantError::Unreachable(_))
    ));
}

/// A token endpoint that requires a client certificate, and grants a token to any client that has one.
async fn serve(roots: &Arc<RootCertStore>, (certificate, key): &(String, String)) -> String {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
        .build()
        .unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"client_id=app") {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let _ = stream.write_all(ANSWER).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{port}/token")
}
