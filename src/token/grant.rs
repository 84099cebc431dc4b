//! One exchange with the token endpoint (RFC 6749 4.4.2), and what must be known before: its address,
//! the certificate, the time there. One bounded answer each.
//!
//! It never follows, retries or keeps a connection, and knows neither when
//! it is called nor what was granted before.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::timeout;
use url::Url;

use super::assertion::CLOCK_TOLERANCE;
use super::client::{Client, unreachable};
use super::client_auth::{Credential, Form, SignError};
use super::discovery::{self, MetadataError};
use super::failure::{Defect, Failure};
use super::response::{self, Granted};
use super::unreachable::Peer;
use crate::config::{self, ClientAuth, Endpoint};
use crate::credentials::Secret;

/// From the name lookup to the last byte of the answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// What is read of an answer; the largest known tokens have 16 KiB.
const ANSWER_LIMIT: usize = 1024 * 1024;
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Everything an exchange needs but the secret.
#[derive(Debug)]
pub(super) struct Grant {
    /// In the log, which several proxies may share.
    proxy: Option<String>,
    client: Client,
    config: config::TokenConfig,
    /// What the issuer's metadata named; `None` before it was asked, and after the endpoint was gone.
    discovered: Mutex<Option<Url>>,
    /// By how many seconds the authorization server's clock is ahead of ours; 0 while that is tolerable.
    server_ahead: AtomicI64,
    /// Whether the exchange under way has a connection.
    connected: Arc<AtomicBool>,
    /// [`ATTEMPT_LIMIT`]; tests have less time.
    pub(super) limit: Duration,
}

/// What one request met, and whether it is to be made once more with the server's time.
struct Refusal {
    failure: Failure,
    clock_corrected: bool,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            clock_corrected: false,
        }
    }
}

impl Grant {
    pub(super) fn new(config: config::TokenConfig, client: Client) -> Self {
        Self {
            proxy: None,
            client,
            config,
            discovered: Mutex::new(None),
            server_ahead: AtomicI64::new(0),
            connected: Arc::default(),
            limit: ATTEMPT_LIMIT,
        }
    }

    /// For the proxy that has this name, where there are several.
    pub(super) fn of(self, proxy: Option<String>) -> Self {
        Self { proxy, ..self }
    }

    /// Asks once; a second time only where the first was refused because the clocks differ.
    ///
    /// # Errors
    /// Why there is no token; within [`ATTEMPT_LIMIT`] in every case, metadata included.
    pub(super) async fn exchange(&self, secret: &Secret) -> Result<Granted, Failure> {
        let limit = self.limit;
        self.connected.store(false, Ordering::Relaxed);
        timeout(limit, self.ask(secret)).await.unwrap_or_else(|_| {
            Err(Failure::TimedOut {
                limit,
                peer: self.peer(None),
                connected: self.connected.load(Ordering::Relaxed),
            })
        })
    }

    async fn ask(&self, secret: &Secret) -> Result<Granted, Failure> {
        let http = self.http().await?;
        let endpoint = self.endpoint(&http).await?;
        self.connected.store(false, Ordering::Relaxed); // metadata may come from elsewhere
        let mut outcome = self.post(&http, endpoint.clone(), secret).await;
        if let Err(refusal) = &outcome
            && refusal.clock_corrected
        {
            outcome = self.post(&http, endpoint, secret).await;
        }
        outcome.map_err(|refusal| {
            self.forget_what_moved(&refusal.failure);
            refusal.failure
        })
    }

    /// The client, with the certificate as its files have it now.
    async fn http(&self) -> Result<reqwest::Client, Failure> {
        let Some(files) = self.config.certificate.clone() else {
            return Ok(self.client.plain());
        };
        let provider = self.client.tls().crypto_provider().clone();
        let pair = tokio::task::spawn_blocking(move || files.read(&provider))
            .await
            .map_err(|_| Failure::Internal)?
            .map_err(Failure::CertificateUnusable)?;
        self.client.presenting(pair).map_err(|_| Failure::Internal)
    }

    async fn post(
        &self,
        http: &reqwest::Client,
        endpoint: Url,
        secret: &Secret,
    ) -> Result<Granted, Refusal> {
        let credential = Credential {
            method: self.config.auth,
            id: &self.config.client_id,
            secret,
            assertion: &self.config.assertion,
        };
        let (headers, form) = self.request(&credential)?;
        let body = reqwest::Body::wrap(Announced::new(form, Arc::clone(&self.connected)));
        let request = http.post(endpoint.clone()).headers(headers).body(body);
        let failed = |error| unreachable(self.peer(Some(&endpoint)), error);
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(Failure::Redirected { status }.into());
        }
        if status.is_success() {
            return Ok(self.granted(&endpoint, status, &mut answer).await?);
        }
        let failure = refused(&mut answer, &credential).await;
        let clock_corrected = self.correct_clock(answer.headers(), &failure);
        Err(Refusal {
            failure,
            clock_corrected,
        })
    }

    /// After a refusal: whether the next assertion will say another time than the one that was refused.
    fn correct_clock(&self, headers: &HeaderMap, failure: &Failure) -> bool {
        let Failure::Refused { retry_after, .. } = failure else {
            return false;
        };
        let uses_time = match self.config.auth {
            ClientAuth::SecretJwt | ClientAuth::PrivateKeyJwt => true,
            ClientAuth::Basic | ClientAuth::Post | ClientAuth::Tls => false,
        };
        let Some(ahead) = response::ahead_of(headers, SystemTime::now()).filter(|_| uses_time)
        else {
            return false;
        };
        let tolerance = CLOCK_TOLERANCE.as_secs().cast_signed();
        let ahead = if ahead.abs() > tolerance { ahead } else { 0 };
        let before = self.server_ahead.swap(ahead, Ordering::Relaxed);
        let differs = before.abs_diff(ahead) > CLOCK_TOLERANCE.as_secs();
        if differs {
            tracing::warn!(
                proxy = self.proxy,
                server_ahead_s = ahead,
                "clock differs from the token endpoint's"
            );
        }
        differs && retry_after.is_none()
    }

    /// Now, by the authorization server's clock as far as it is known.
    fn server_time(&self) -> SystemTime {
        let ahead = self.server_ahead.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let moved = if ahead < 0 {
            now.checked_sub(by)
        } else {
            now.checked_add(by)
        };
        moved.unwrap_or(now)
    }

    async fn endpoint(&self, http: &reqwest::Client) -> Result<Url, Failure> {
        let (issuer, allow_plaintext) = match &self.config.endpoint {
            Endpoint::Url(url) => return Ok(url.clone()),
            Endpoint::Issuer {
                issuer,
                allow_plaintext,
            } => (issuer.as_str(), *allow_plaintext),
        };
        if let Some(known) = self.discovered().clone() {
            return Ok(known);
        }
        let with_certificate = self.config.certificate.is_some();
        let document = self.metadata(http, issuer).await?;
        let url = discovery::endpoint(&document, issuer, allow_plaintext, with_certificate)
            .map_err(Failure::Metadata)?;
        tracing::info!(
            proxy = self.proxy,
            endpoint = url.as_str(),
            "token endpoint discovered"
        );
        *self.discovered() = Some(url.clone());
        Ok(url)
    }

    fn discovered(&self) -> MutexGuard<'_, Option<Url>> {
        self.discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An endpoint that is gone may have moved: the next attempt reads the metadata again.
    fn forget_what_moved(&self, failure: &Failure) {
        let gone = match failure {
            Failure::Unreachable(_) | Failure::Redirected { .. } => true,
            Failure::Refused { status, .. } => {
                [StatusCode::NOT_FOUND, StatusCode::GONE].contains(status)
            }
            Failure::SecretUnreadable(_)
            | Failure::SecretEmpty
            | Failure::KeyUnusable(_)
            | Failure::CertificateUnusable(_)
            | Failure::Metadata(_)
            | Failure::TimedOut { .. }
            | Failure::Unavailable { .. }
            | Failure::Unusable { .. }
            | Failure::Internal => false,
        };
        if gone {
            *self.discovered() = None;
        }
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
            .sign(&mut form, &mut headers, self.server_time())
            .map_err(|error| match error {
                SignError::Key(error) => Failure::KeyUnusable(error),
                SignError::Header(_) => Failure::Internal,
            })?;
        Ok((headers, form.into_body()))
    }

    async fn granted(
        &self,
        endpoint: &Url,
        status: StatusCode,
        answer: &mut reqwest::Response,
    ) -> Result<Granted, Failure> {
        let broken = |error| unreachable(self.peer(Some(endpoint)), error);
        let body = body(answer).await.map_err(broken)?;
        let read = body.and_then(|body| {
            response::granted(answer.headers(), &body, self.config.default_lifetime)
        });
        read.map_err(|defect| Failure::Unusable { status, defect })
    }

    /// Who is asked at `url`, or else wherever the next request goes first.
    fn peer(&self, url: Option<&Url>) -> Peer {
        let discovered = self.discovered().clone();
        let url = url.cloned().or(discovered);
        let url = url.or_else(|| self.config.endpoint.to_url());
        let url = url.expect("config admits only an endpoint or issuer that is a URL");
        self.client.peer(&url, self.config.endpoint_key)
    }

    /// The issuer's metadata, from whichever of its two addresses has it.
    async fn metadata(&self, http: &reqwest::Client, issuer: &str) -> Result<Vec<u8>, Failure> {
        let [openid, oauth] = discovery::addresses(issuer).ok_or(Failure::Internal)?;
        let openid = match self.document(http, openid).await? {
            Ok(document) => return Ok(document),
            Err(status) => status,
        };
        self.document(http, oauth)
            .await?
            .map_err(|oauth| Failure::Metadata(MetadataError::Absent { openid, oauth }))
    }

    /// One document, or the status that says that there is none here.
    async fn document(
        &self,
        http: &reqwest::Client,
        address: Url,
    ) -> Result<Result<Vec<u8>, StatusCode>, Failure> {
        let failed = |error| unreachable(self.peer(Some(&address)), error);
        let request = http.get(address.clone()).header(ACCEPT, JSON);
        let mut answer = request.send().await.map_err(failed)?;
        self.connected.store(true, Ordering::Relaxed);
        let status = answer.status();
        if status == StatusCode::OK {
            let too_long = |_| {
                Failure::Metadata(MetadataError::TooLong {
                    limit: ANSWER_LIMIT,
                })
            };
            let body = body(&mut answer).await.map_err(failed)?;
            return Ok(Ok(body.map_err(too_long)?));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(response::unavailable(
                status,
                answer.headers(),
                SystemTime::now(),
            ));
        }
        Ok(Err(status))
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
async fn body(answer: &mut reqwest::Response) -> reqwest::Result<Result<Vec<u8>, Defect>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > ANSWER_LIMIT {
            return Ok(Err(Defect::TooLong {
                limit: ANSWER_LIMIT,
            }));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Ok(body))
}

/// A request's body that tells when it is taken: there is a connection then.
struct Announced {
    body: Full<Bytes>,
    connected: Arc<AtomicBool>,
}

impl Announced {
    fn new(bytes: Bytes, connected: Arc<AtomicBool>) -> Self {
        let body = Full::new(bytes);
        Self { body, connected }
    }
}

impl Body for Announced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.connected.store(true, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
