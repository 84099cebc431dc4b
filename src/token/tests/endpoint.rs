//! Token requests to a scripted endpoint over real sockets: raw bytes in, raw bytes out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use url::Url;

use super::scene::{client_secret, ms, s};
use crate::config::{self, ClientAuth};
use crate::credentials::{Secret, SecretSource};
use crate::token::ReadSecrets;
use crate::token::grant::Grant;
use crate::token::grant_error::GrantError;
use crate::token::response::AccessToken;
use crate::token::response_error::ResponseDefect;

pub(super) const SECRET: &str = "correct horse+battery";
pub(super) const GOOD: &str =
    r#"{"access_token":"abc.def","token_type":"Bearer","expires_in":3600}"#;

/// What the endpoint does with one request.
#[derive(Clone)]
pub(super) enum Act {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes, then one more every 20 ms.
    Drip(Vec<u8>),
    /// Sends these bytes, then zeroes until the connection is closed.
    Flood(Vec<u8>),
}

pub(super) fn answer(status: &str, kind: &str, body: &str) -> Act {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    Act::Send((head + body).into_bytes())
}

/// An endpoint on a free port, and the requests that it received, as text.
pub(super) struct ScriptedEndpoint {
    pub(super) url: Url,
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    flooded: Arc<AtomicUsize>,
}

impl ScriptedEndpoint {
    pub(super) async fn new(act: impl Fn(usize) -> Act + Send + 'static) -> Self {
        Self::of_requests(move |number, _| act(number)).await
    }

    /// Reacts as `act` decides from the request's number (from 1) and text.
    pub(super) async fn of_requests(act: impl Fn(usize, &str) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!(
            "http://{}/as/token",
            listener.local_addr().unwrap()
        ))
        .unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let flooded = Arc::new(AtomicUsize::new(0));
        let (seen, count) = (Arc::clone(&requests), Arc::clone(&flooded));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len()
                };
                let act = act(number, &request);
                tokio::spawn(play(act, stream, Arc::clone(&count)));
            }
        });
        Self {
            url,
            requests,
            flooded,
        }
    }

    async fn exchange(&self, auth: ClientAuth) -> Result<AccessToken, GrantError> {
        let mut grant = Grant::new(config(self.url.clone(), auth), client());
        grant.limit = ms(500);
        grant.exchange(&client_secret(Secret::new(SECRET))).await
    }
}

async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap_or("0");
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

async fn play(act: Act, mut stream: TcpStream, flooded: Arc<AtomicUsize>) {
    match act {
        Act::Send(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Act::Drip(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(b" ").await.is_ok() {
                sleep(ms(20)).await;
            }
        }
        Act::Flood(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while let Ok(length) = stream.write(&[0; 16 * 1024]).await {
                flooded.fetch_add(length, Ordering::Relaxed);
            }
        }
    }
}

pub(super) fn client() -> super::super::Client {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    super::super::client(tls, &config::ProxyRule::Direct)
}

pub(super) fn config(endpoint: Url, auth: ClientAuth) -> config::GrantConfig {
    config::GrantConfig {
        endpoint: config::Endpoint::Url(endpoint),
        endpoint_key: "token.url",
        client_id: "app".to_owned(),
        grant: config::GrantType::ClientCredentials,
        client_assertion_type: String::new(),
        sources: vec![config::RequestSource {
            role: config::SourceRole::Client,
            source: SecretSource::Value(Secret::new(SECRET)),
            key: "token.client_secret",
            form: config::SecretForm::Text,
        }],
        auth,
        assertion: assertion(),
        certificate: None,
        scope: Some("read write".to_owned()),
        params: [("audience".to_owned(), "https://api.example.com".to_owned())].into(),
        default_lifetime: Duration::from_mins(5),
        accept_type: None,
        field: config::TokenField::default(),
    }
}

/// The configuration of a proxy with this grant.
pub(super) fn proxy_config(grant: config::GrantConfig) -> config::TokenConfig {
    config::TokenConfig {
        origin: config::TokenOrigin::Grant(Box::new(grant)),
        wait: s(10),
    }
}

pub(super) fn assertion() -> config::Assertion {
    config::Assertion {
        algorithm: None,
        key_id: None,
        audience: "https://as.example.com".to_owned(),
        has_issuer: true,
    }
}

pub(super) fn reader() -> ReadSecrets {
    Arc::new(|_| Box::pin(async { Ok(client_secret(Secret::new(SECRET))) }))
}

#[tokio::test]
async fn one_post_with_one_client_authentication_yields_the_token() {
    for (auth, line, body) in [
        (
            ClientAuth::Basic,
            "authorization: Basic YXBwOmNvcnJlY3QlMjBob3JzZSUyQmJhdHRlcnk=\r\n",
            "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example.com",
        ),
        (
            ClientAuth::Post,
            "content-type: application/x-www-form-urlencoded\r\n",
            "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example.com\
             &client_id=app&client_secret=correct+horse%2Bbattery",
        ),
    ] {
        let endpoint = ScriptedEndpoint::new(|_| answer("200 OK", "application/json", GOOD)).await;
        let granted = endpoint.exchange(auth).await.unwrap();
        assert_eq!(
            (granted.header.as_bytes(), granted.lifetime),
            (&b"Bearer abc.def"[..], s(3600))
        );
        let requests = endpoint.requests.lock().unwrap();
        assert_eq!(requests.len(), 1);
        assert!(
            requests[0].starts_with("POST /as/token HTTP/1.1\r\n"),
            "{}",
            requests[0]
        );
        assert!(requests[0].contains(line), "{}", requests[0]);
        assert_eq!(requests[0].split_once("\r\n\r\n").unwrap().1, body);
        assert_eq!(
            requests[0].contains("authorization:"),
            auth == ClientAuth::Basic
        );
    }
}

#[tokio::test]
async fn a_redirect_is_an_error_and_its_target_sees_no_connection() {
    let canary = ScriptedEndpoint::new(|_| answer("200 OK", "application/json", GOOD)).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            canary.url
        );
        let endpoint = ScriptedEndpoint::new(move |_| Act::Send(head.clone().into_bytes())).await;
        let failure = endpoint.exchange(ClientAuth::Post).await.unwrap_err();
        assert!(
            matches!(failure, GrantError::Redirected { status: seen, .. } if seen.as_u16() == status),
            "{failure}"
        );
        assert_eq!(endpoint.requests.lock().unwrap().len(), 1);
    }
    assert_eq!(canary.requests.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_silent_or_slow_endpoint_is_abandoned_when_the_limit_expires() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    for start in ["", "HTTP/1.1 200 OK\r\nX-Slow:", head] {
        let endpoint = ScriptedEndpoint::new(move |_| Act::Drip(start.as_bytes().to_vec())).await;
        let outcome = timeout(s(5), endpoint.exchange(ClientAuth::Basic))
            .await
            .expect("it ends");
        // bytes before a status line are not HTTP, and end the attempt sooner
        assert!(
            matches!(
                outcome,
                Err(GrantError::TimedOut { .. } | GrantError::Unreachable(_))
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_timeout_tells_whether_there_was_a_connection() {
    let endpoint =
        ScriptedEndpoint::new(|_| Act::Drip(b"HTTP/1.1 200 OK\r\nX-Slow:".to_vec())).await;
    let address = endpoint.url.authority().to_owned();
    let failure = endpoint.exchange(ClientAuth::Basic).await.unwrap_err();
    let expected = format!(
        "no complete response from the token endpoint {address} within 500ms; the problem is on the server's side"
    );
    assert!(
        failure.chain().starts_with(&expected),
        "{}",
        failure.chain()
    );

    #[cfg(target_os = "linux")] // on other systems a full queue refuses connections
    {
        let (_queue, _waiting, address) = silent();
        let url = Url::parse(&format!("http://{address}/token")).unwrap();
        let mut grant = Grant::new(config(url, ClientAuth::Basic), client());
        grant.limit = ms(300);
        let failure = grant
            .exchange(&client_secret(Secret::new(SECRET)))
            .await
            .unwrap_err();
        let expected = format!(
            "no connection to the token endpoint {address} within 300ms; start it, or correct the port in token.url"
        );
        assert_eq!(failure.chain(), expected);
    }
}

/// An address at which a connection attempt gets no reply: its queue is full.
#[cfg(target_os = "linux")]
pub(super) fn silent() -> (socket2::Socket, Vec<socket2::Socket>, std::net::SocketAddr) {
    use socket2::{Domain, Socket, Type};
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let queue = socket();
    queue
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    queue.listen(0).unwrap();
    let full = queue.local_addr().unwrap().as_socket().unwrap();
    let waiting = (0..4).map(|_| socket()).collect::<Vec<_>>();
    for socket in &waiting {
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&full.into());
    }
    (queue, waiting, full)
}

#[tokio::test]
async fn at_most_one_mebibyte_of_a_response_is_read() {
    for framing in [
        "Content-Length: 10000000",
        "Content-Length: 10000000\r\nContent-Encoding: gzip",
        "Connection: close",
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{framing}\r\n\r\n");
        let endpoint = ScriptedEndpoint::new(move |_| Act::Flood(head.clone().into_bytes())).await;
        let failure = endpoint.exchange(ClientAuth::Basic).await.unwrap_err();
        assert!(
            matches!(
                failure,
                GrantError::Unusable {
                    defect: ResponseDefect::TooLong { limit: 1_048_576 },
                    ..
                }
            ),
            "{failure}"
        );
        // what was in the socket buffers when the connection was closed
        assert!(endpoint.flooded.load(Ordering::Relaxed) < 10_000_000);
    }
}

#[tokio::test]
async fn an_oauth_error_is_read_whatever_its_type_says() {
    let json = r#"{"error":"invalid_scope","error_description":"unknown scope"}"#;
    for kind in ["text/plain", "text/html; charset=utf-8", "application/json"] {
        let act = answer("400 Bad Request", kind, json);
        let endpoint = ScriptedEndpoint::new(move |_| act.clone()).await;
        let failure = endpoint.exchange(ClientAuth::Basic).await.unwrap_err();
        let expected = "the token endpoint rejected the request with 400 Bad Request: \
                        invalid_scope: unknown scope";
        assert_eq!(failure.to_string(), expected, "{kind}");
    }
}

#[tokio::test]
async fn an_error_page_is_not_read() {
    let head =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n";
    let endpoint = ScriptedEndpoint::new(move |_| Act::Drip(head.as_bytes().to_vec())).await;
    let failure = endpoint.exchange(ClientAuth::Basic).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the token endpoint rejected the request with 403 Forbidden: the response is text/html, not an OAuth error"
    );
}

#[tokio::test]
async fn a_refused_or_broken_connection_is_reported_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let grant = Grant::new(config(url, ClientAuth::Basic), client());
    let failure = grant
        .exchange(&client_secret(Secret::new(SECRET)))
        .await
        .unwrap_err();
    assert!(failure.chain().contains("refused"), "{}", failure.chain());

    let cut = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"abc";
    for bytes in ["", cut] {
        let endpoint = ScriptedEndpoint::new(move |_| Act::Send(bytes.as_bytes().to_vec())).await;
        let failure = endpoint.exchange(ClientAuth::Basic).await.unwrap_err();
        assert!(matches!(failure, GrantError::Unreachable(_)), "{failure}");
        assert!(!failure.chain().contains("abc"), "{}", failure.chain());
    }
}
