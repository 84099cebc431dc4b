//! Client certificates at the token endpoint, over real TLS (RFC 8705).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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
use crate::token::{Ownership, SourceOwner};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
    {\"access_token\":\"abc.def\",\"token_type\":\"Bearer\",\"expires_in\":3600}";

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A certificate of this authority and its key, both PEM.
fn issued(authority: &Issuer<'_, KeyPair>) -> (String, String) {
    issued_for("localhost", authority)
}

/// The same for this name.
fn issued_for(name: &str, authority: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn the_certificate_is_presented_and_without_it_there_is_no_token() {
    let (authority, roots) = authority();
    let (url, _) = serve(&roots, &issued(&authority)).await;
    let tls = trusting(&roots);

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

/// An authority, and the roots that consist of it.
fn authority() -> (Issuer<'static, KeyPair>, Arc<RootCertStore>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut roots = RootCertStore::empty();
    roots
        .add(params.self_signed(&key).unwrap().der().clone())
        .unwrap();
    (Issuer::new(params, key), Arc::new(roots))
}

fn trusting(roots: &Arc<RootCertStore>) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth()
}

#[tokio::test]
async fn another_clients_certificate_is_not_presented_unless_the_configuration_names_it_here() {
    let (authority, roots) = authority();
    let (url, presented) = serve(&roots, &issued(&authority)).await;
    let directory = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        to: PresentedTo::TokenEndpoint,
        cert_file: directory.path().join("tls.crt"),
        key_file: directory.path().join("tls.key"),
    };
    let write = |(certificate, key): &(String, String)| {
        std::fs::write(&files.cert_file, certificate).unwrap();
        std::fs::write(&files.key_file, key).unwrap();
        CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
    };
    let [first, renewed, other] = ["one", "one", "two"].map(|name| issued_for(name, &authority));
    let is_own = Arc::new(AtomicBool::new(true));
    let (ownership, asked) = (Ownership::default(), Arc::clone(&is_own));
    ownership.bind(Arc::new(move || {
        let is_own = asked.load(Ordering::Relaxed);
        Box::pin(async move {
            if is_own {
                SourceOwner::This
            } else {
                SourceOwner::Another
            }
        })
    }));
    let mut config = config(url.parse().unwrap(), ClientAuth::Tls);
    config.certificate = Some(files.clone());
    let client = super::super::client(trusting(&roots), &crate::config::ProxyRule::Direct);
    let grant = Grant::new(config, client).belonging_to(ownership);
    let secrets = client_secret(Secret::new("unused"));
    let mut expected = Vec::new();
    let first_der = write(&first);
    grant.exchange(&secrets).await.unwrap();
    expected.push(first_der.clone());
    is_own.store(false, Ordering::Relaxed);
    write(&other);
    grant.exchange(&secrets).await.unwrap();
    expected.push(first_der);
    expected.push(write(&renewed));
    grant.exchange(&secrets).await.unwrap();
    expected.push(write(&other));
    is_own.store(true, Ordering::Relaxed);
    grant.exchange(&secrets).await.unwrap();
    assert_eq!(*presented.lock().unwrap(), expected);
}

/// The certificates that clients have presented, each time the first of the chain.
type Presented = Arc<Mutex<Vec<CertificateDer<'static>>>>;

/// A token endpoint that requires a client certificate, and grants a token to any client that has one.
async fn serve(
    roots: &Arc<RootCertStore>,
    (certificate, key): &(String, String),
) -> (String, Presented) {
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
    let presented = Presented::default();
    let seen = Arc::clone(&presented);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let chain = stream.get_ref().1.peer_certificates().unwrap();
            seen.lock().unwrap().push(chain[0].clone().into_owned());
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
    (format!("https://localhost:{port}/token"), presented)
}
