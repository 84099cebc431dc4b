//! One exchange with the token endpoint (RFC 6749 4.4.2): one request, one bounded answer.
//!
//! The only user of reqwest. It never follows, retries or keeps a connection, and knows neither when
//! it is called nor what was granted before.

use std::error::Error as _;
use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use reqwest::redirect::Policy;
use rustls::CertificateError;
use tokio::time::timeout;
use url::Url;

use super::client_auth::{Credential, Form};
use super::failure::{Defect, Failure};
use super::response::{self, Granted};
use crate::config::{self, ProxyRule};
use crate::secret::Secret;

/// From the name lookup to the last byte of the answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// What is read of an answer; the largest known tokens have 16 KiB.
const ANSWER_LIMIT: usize = 1024 * 1024;
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The client that speaks to the token endpoint, with whom `tls` trusts.
///
/// No redirects (they would carry the secret along), no pool (a connection kept for half an hour is
/// dead when it is needed), no retries (each would hide a token request). None of reqwest's own rules
/// about proxies (it would send the secret for 127.0.0.1 to `HTTP_PROXY`): `proxy` alone decides.
///
/// # Errors
/// If the client cannot be set up with this TLS configuration.
pub fn client(tls: rustls::ClientConfig, proxy: &ProxyRule) -> Result<Client, ClientError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .proxy(through(proxy))
        .retry(reqwest::retry::never())
        .http1_only()
        .referer(false)
        .user_agent(concat!("cupbearer/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(Client {
        inner: client,
        proxy: proxy.clone(),
    })
}

/// The rule as reqwest asks it. User name and password go along as the header that they become, so
/// that no address of reqwest's ever holds them.
fn through(rule: &ProxyRule) -> reqwest::Proxy {
    let rule = rule.clone();
    let header = rule.authorization().and_then(|credential| {
        let mut header = HeaderValue::from_bytes(credential).ok()?;
        header.set_sensitive(true);
        Some(header)
    });
    let proxy =
        reqwest::Proxy::custom(move |target| rule.for_url(target).map(|proxy| proxy.to_string()));
    match header {
        Some(header) => proxy.custom_http_auth(header),
        None => proxy,
    }
}

/// What speaks to the token endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    proxy: ProxyRule,
}

/// It could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the client for the token endpoint could not be set up")]
pub struct ClientError(#[from] reqwest::Error);

/// Something failed on the way through a corporate proxy.
#[derive(Debug, thiserror::Error)]
#[error("through the corporate proxy {proxy} (network.proxy)")]
struct ThroughProxy {
    proxy: String,
    source: reqwest::Error,
}

/// The endpoint's certificate was refused, in the words of the verifier that `tls` came with.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is not accepted: {0}")]
struct Certificate(rustls::OtherError);

/// rustls prints such an error for programmers; what the verifier has to say is inside.
fn refused_certificate(error: &reqwest::Error) -> Option<Certificate> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(words))) =
            inner.downcast_ref()
        {
            return Some(Certificate(words.clone()));
        }
        // What an I/O error wraps is not its source, but itself.
        cause = match inner.downcast_ref().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    None
}

/// Everything an exchange needs but the secret.
#[derive(Debug)]
pub(super) struct Grant {
    client: Client,
    config: config::Token,
    /// [`ATTEMPT_LIMIT`]; tests have less time.
    pub(super) limit: Duration,
}

impl Grant {
    pub(super) fn new(config: config::Token, client: Client) -> Self {
        Self {
            client,
            config,
            limit: ATTEMPT_LIMIT,
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// Why there is no token; within [`ATTEMPT_LIMIT`] in every case.
    pub(super) async fn exchange(&self, secret: &Secret) -> Result<Granted, Failure> {
        let limit = self.limit;
        timeout(limit, self.ask(secret))
            .await
            .unwrap_or(Err(Failure::TimedOut { limit }))
    }

    async fn ask(&self, secret: &Secret) -> Result<Granted, Failure> {
        let credential = Credential {
            method: self.config.auth,
            id: &self.config.client_id,
            secret,
        };
        let (headers, form) = self.request(&credential)?;
        let request = self
            .client
            .inner
            .post(self.endpoint())
            .headers(headers)
            .body(form);
        let mut answer = request.send().await.map_err(|error| self.unsent(error))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(Failure::Redirected { status });
        }
        if status.is_success() {
            return self.granted(status, &mut answer).await;
        }
        Err(refused(&mut answer, &credential).await)
    }

    fn request(&self, credential: &Credential<'_>) -> Result<(HeaderMap, Bytes), Failure> {
        let config = &self.config;
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON), (CONTENT_TYPE, FORM)]);
        let values = config
            .params
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2);
        let scope = config.scope.as_deref().unwrap_or_default();
        let length = values.sum::<usize>()
            + scope.len()
            + config.client_id.len()
            + credential.secret.expose().len();
        let mut form = Form::with_room_for(length);
        form.pair("grant_type", b"client_credentials");
        if let Some(scope) = &config.scope {
            form.pair("scope", scope.as_bytes());
        }
        for (name, value) in &config.params {
            form.pair(name, value.as_bytes());
        }
        credential
            .sign(&mut form, &mut headers)
            .map_err(|_| Failure::Internal)?;
        Ok((headers, form.into_body()))
    }

    /// A failure on the way through a corporate proxy names it: it may be the one at fault.
    fn unsent(&self, error: reqwest::Error) -> Failure {
        if let Some(refused) = refused_certificate(&error) {
            return Failure::Unreachable(refused.into());
        }
        let source = error.without_url();
        match self.client.proxy.for_url(&self.config.endpoint) {
            None => Failure::Unreachable(source.into()),
            Some(proxy) => Failure::Unreachable(
                ThroughProxy {
                    proxy: proxy.to_string(),
                    source,
                }
                .into(),
            ),
        }
    }

    fn endpoint(&self) -> Url {
        self.config.endpoint.clone()
    }

    async fn granted(
        &self,
        status: StatusCode,
        answer: &mut reqwest::Response,
    ) -> Result<Granted, Failure> {
        let body = body(answer).await?;
        let read = body.and_then(|body| {
            response::granted(answer.headers(), &body, self.config.default_lifetime)
        });
        read.map_err(|defect| Failure::Unusable { status, defect })
    }
}

async fn refused(answer: &mut reqwest::Response, credential: &Credential<'_>) -> Failure {
    let body = if response::may_hold_error_fields(answer.headers()) {
        body(answer).await.ok()
    } else {
        None
    };
    let body = body.and_then(Result::ok);
    response::refused(
        answer.status(),
        answer.headers(),
        body.as_deref(),
        credential,
        SystemTime::now(),
    )
}

/// The answer's body, read in pieces until it ends or is too long.
async fn body(answer: &mut reqwest::Response) -> Result<Result<Vec<u8>, Defect>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + piece.len() > ANSWER_LIMIT {
            return Ok(Err(Defect::TooLong {
                limit: ANSWER_LIMIT,
            }));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Ok(body))
}

/// Without the address, which the operator knows and which may hold what is theirs.
fn unreachable(error: reqwest::Error) -> Failure {
    Failure::Unreachable(error.without_url().into())
}
