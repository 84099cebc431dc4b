//! One access token request (RFC 6749 4.4.2) and what it needs: the endpoint, the client certificate and the server's
//! time.
//!
//! Every response is bounded in time and length. No redirect is followed and no connection is kept; a request is
//! repeated only once, with the server's time, after it was rejected because the clocks differ. This file does not know
//! when it is called, nor what was granted before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use tokio::time::timeout;
use url::Url;

use super::client::{Client, TokenResponse, unreachable};
use super::client_auth::{ClientAuthError, ClientCredentials};
use super::discovery::{self, MetadataError};
use super::grant_error::GrantError;
use super::grant_form::grant_form;
use super::presented::check_presented;
use super::request_secrets::RequestSecrets;
use super::response::{self, AccessToken};
use super::response_error::ResponseDefect;
use super::server_clock::ServerClock;
use super::unreachable::{HttpFailure, TokenServer};
use crate::config::{self, ClientAuth, Endpoint, GrantType, SourceRole};

/// From the name lookup to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The most that is read of a response; the largest known tokens have 16 KiB.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Everything that a request needs except the secret.
#[derive(Debug)]
pub(super) struct Grant {
    /// The proxy's name in the log, if several proxies share the log.
    proxy: Option<String>,
    client: Client,
    config: config::GrantConfig,
    /// The endpoint from the issuer's metadata; `None` before the metadata is read, and after the endpoint has moved.
    discovered: Mutex<Option<Url>>,
    server_clock: ServerClock,
    /// Whether it has been logged that the token type is missing.
    has_warned: AtomicBool,
    /// [`REQUEST_TIMEOUT`]; shorter in tests.
    pub(super) limit: Duration,
}

/// Why one request failed, and whether it should be repeated with the server's time.
struct TokenRequestFailure {
    error: GrantError,
    clock_corrected: bool,
}

impl From<GrantError> for TokenRequestFailure {
    fn from(error: GrantError) -> Self {
        Self {
            error,
            clock_corrected: false,
        }
    }
}

impl Grant {
    pub(super) fn new(config: config::GrantConfig, client: Client) -> Self {
        Self {
            proxy: None,
            client,
            config,
            discovered: Mutex::new(None),
            server_clock: ServerClock::default(),
            has_warned: AtomicBool::new(false),
            limit: REQUEST_TIMEOUT,
        }
    }

    /// Names the proxy in log lines, if there are several proxies.
    pub(super) fn for_proxy(self, proxy: Option<String>) -> Self {
        Self { proxy, ..self }
    }

    /// Requests a token. Sends a second request only if the first was rejected because the clocks differ.
    ///
    /// # Errors
    /// Why there is no token. Returns within [`REQUEST_TIMEOUT`] in every case, metadata included.
    pub(super) async fn exchange(
        &self,
        secrets: &RequestSecrets,
    ) -> Result<AccessToken, GrantError> {
        let left = self.check_presented(secrets)?;
        let limit = left.map_or(self.limit, |left| left.min(self.limit));
        let connected = AtomicBool::new(false);
        let finished = timeout(limit, self.request_token(secrets, &connected)).await;
        let outcome = finished.unwrap_or_else(|_| {
            let timed_out = GrantError::TimedOut {
                limit,
                server: self.server(None),
                connected: connected.load(Ordering::Relaxed),
            };
            self.check_presented(secrets).and(Err(timed_out))
        });
        if let Err(error) = &outcome {
            self.forget_moved_endpoint(error);
        }
        outcome
    }

    /// How long everything that the request presents is still valid.
    fn check_presented(&self, secrets: &RequestSecrets) -> Result<Option<Duration>, GrantError> {
        // By our own clock: what is not sent cannot correct a wrong idea of the server's.
        let now = SystemTime::now();
        let mut least = None;
        for source in &self.config.sources {
            let Some(secret) = secrets.get(source.role) else {
                continue;
            };
            let left = check_presented(source, secret.expose(), now);
            let left = left.map_err(|defect| GrantError::PresentedToken {
                key: source.key,
                place: source.source.describe(),
                defect,
            })?;
            least = least.into_iter().chain(left).min();
        }
        Ok(least)
    }

    /// Sets `connected` as long as the current request has a connection.
    async fn request_token(
        &self,
        secrets: &RequestSecrets,
        connected: &AtomicBool,
    ) -> Result<AccessToken, GrantError> {
        let http = self.http().await?;
        let endpoint = self.endpoint(&http, connected).await?;
        connected.store(false, Ordering::Relaxed); // the metadata may come from another server
        let mut outcome = self.post(&http, endpoint.clone(), secrets, connected).await;
        if let Err(failed) = &outcome
            && failed.clock_corrected
        {
            outcome = self.post(&http, endpoint, secrets, connected).await;
        }
        outcome.map_err(|failed| failed.error)
    }

    /// The HTTP client, with the client certificate that is in its files now.
    async fn http(&self) -> Result<Client, GrantError> {
        let Some(files) = &self.config.certificate else {
            return Ok(self.client.clone());
        };
        let provider = Arc::clone(self.client.tls().crypto_provider());
        let pair = files.read_in_background(provider).await;
        let pair = pair.map_err(GrantError::CertificateUnusable)?;
        Ok(self.client.presenting(pair))
    }

    async fn post(
        &self,
        http: &Client,
        endpoint: Url,
        secrets: &RequestSecrets,
        connected: &AtomicBool,
    ) -> Result<AccessToken, TokenRequestFailure> {
        let credential = ClientCredentials {
            method: self.config.auth,
            id: &self.config.client_id,
            secret: secrets.get(SourceRole::Client),
            assertion: &self.config.assertion,
            assertion_type: &self.config.client_assertion_type,
            presented: [SourceRole::Grant, SourceRole::Actor]
                .into_iter()
                .filter_map(|role| secrets.get(role))
                .collect(),
        };
        let (headers, form) = self.headers_and_form(&credential, secrets)?;
        let mut request = Request::new(Full::new(form));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        let failed = |failure| unreachable(self.server(Some(&endpoint)), failure);
        let sent = http.send(&endpoint, request, connected).await;
        let mut response = sent.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(GrantError::Redirected { status }.into());
        }
        if status.is_success() {
            return Ok(self
                .access_token(&endpoint, &credential, &mut response)
                .await?);
        }
        let error = error_response(&mut response, &credential).await;
        let clock_corrected = self.correct_clock(response.headers(), &error);
        Err(TokenRequestFailure {
            error,
            clock_corrected,
        })
    }

    /// After a rejection: corrects the server's clock, and returns whether the next assertion will carry another time
    /// than the rejected one.
    fn correct_clock(&self, headers: &HeaderMap, error: &GrantError) -> bool {
        let GrantError::Refused { retry_after, .. } = error else {
            return false;
        };
        let signs_grant = matches!(self.config.grant, GrantType::SignedJwtBearer { .. });
        let uses_time = match self.config.auth {
            ClientAuth::SecretJwt | ClientAuth::PrivateKeyJwt => true,
            ClientAuth::Basic
            | ClientAuth::Post
            | ClientAuth::Tls
            | ClientAuth::ClientAssertion
            | ClientAuth::None => signs_grant,
        };
        let Some(ahead) = response::ahead_of(headers, SystemTime::now()).filter(|_| uses_time)
        else {
            return false;
        };
        let Some(server_ahead_s) = self.server_clock.correct(ahead) else {
            return false;
        };
        tracing::warn!(
            proxy = self.proxy,
            server_ahead_s,
            "clock differs from the token endpoint's"
        );
        retry_after.is_none()
    }

    async fn endpoint(&self, http: &Client, connected: &AtomicBool) -> Result<Url, GrantError> {
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
        let document = self.metadata(http, issuer, connected).await?;
        let url = discovery::endpoint(&document, issuer, allow_plaintext, with_certificate)
            .map_err(GrantError::Metadata)?;
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

    /// Forgets an endpoint that may have moved, so that the next attempt reads the metadata again.
    fn forget_moved_endpoint(&self, error: &GrantError) {
        let may_have_moved = match error {
            GrantError::Unreachable(_) | GrantError::Redirected { .. } => true,
            // An address that no longer exists swallows packets.
            GrantError::TimedOut { connected, .. } => !connected,
            GrantError::Refused { status, .. } => {
                [StatusCode::NOT_FOUND, StatusCode::GONE].contains(status)
            }
            GrantError::SecretUnreadable(_)
            | GrantError::PresentedToken { .. }
            | GrantError::SecretEmpty
            | GrantError::KeyUnusable(_)
            | GrantError::CertificateUnusable(_)
            | GrantError::Metadata(_)
            | GrantError::Unavailable { .. }
            | GrantError::Unusable { .. }
            | GrantError::SourceUnreadable(_)
            | GrantError::SourceUnusable { .. }
            | GrantError::SourceOfAnother
            | GrantError::SourceStatus { .. }
            | GrantError::OnlyPerson
            | GrantError::Internal => false,
        };
        if may_have_moved {
            *self.discovered() = None;
        }
    }

    fn headers_and_form(
        &self,
        credential: &ClientCredentials<'_>,
        secrets: &RequestSecrets,
    ) -> Result<(HeaderMap, Bytes), GrantError> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON), (CONTENT_TYPE, FORM)]);
        let now = self.server_clock.now();
        let mut form = grant_form(&self.config, secrets, now).map_err(GrantError::KeyUnusable)?;
        credential
            .authenticate(&mut form, &mut headers, now)
            .map_err(|error| match error {
                ClientAuthError::Key(error) => GrantError::KeyUnusable(error),
                ClientAuthError::Header(_) => GrantError::Internal,
            })?;
        Ok((headers, form.into_body()))
    }

    async fn access_token(
        &self,
        endpoint: &Url,
        credential: &ClientCredentials<'_>,
        response: &mut TokenResponse,
    ) -> Result<AccessToken, GrantError> {
        let failed = |error| unreachable(self.server(Some(endpoint)), error);
        let body = body(response).await.map_err(failed)?;
        let status = response.status();
        let read = body.and_then(|body| {
            response::access_token(response.headers(), &body, &self.config, credential)
        });
        let token = read.map_err(|defect| GrantError::Unusable { status, defect })?;
        if token.is_untyped && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                proxy = self.proxy,
                "the token endpoint names no token_type; its tokens are sent as Bearer"
            );
        }
        Ok(token)
    }

    /// The server at `url`, or the one that the next request goes to first.
    fn server(&self, url: Option<&Url>) -> TokenServer {
        let discovered = self.discovered().clone();
        let url = url.cloned().or(discovered);
        let url = url.or_else(|| self.config.endpoint.to_url());
        let url = url.expect("config admits only an endpoint or issuer that is a URL");
        self.client.server(&url, self.config.endpoint_key)
    }

    /// The issuer's metadata, from the first of its two addresses that has a document.
    async fn metadata(
        &self,
        http: &Client,
        issuer: &str,
        connected: &AtomicBool,
    ) -> Result<Vec<u8>, GrantError> {
        let [openid, oauth] = discovery::addresses(issuer).ok_or(GrantError::Internal)?;
        let openid = match self.document(http, openid, connected).await? {
            Ok(document) => return Ok(document),
            Err(status) => status,
        };
        self.document(http, oauth, connected)
            .await?
            .map_err(|oauth| GrantError::Metadata(MetadataError::Absent { openid, oauth }))
    }

    /// The document at one address, or the status that shows that it is missing.
    async fn document(
        &self,
        http: &Client,
        address: Url,
        connected: &AtomicBool,
    ) -> Result<Result<Vec<u8>, StatusCode>, GrantError> {
        let failed = |error| unreachable(self.server(Some(&address)), error);
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(ACCEPT, JSON);
        let sent = http.send(&address, request, connected).await;
        let mut response = sent.map_err(failed)?;
        let status = response.status();
        if status == StatusCode::OK {
            let too_long = |_| {
                GrantError::Metadata(MetadataError::TooLong {
                    limit: MAX_RESPONSE_BYTES,
                })
            };
            let body = body(&mut response).await.map_err(failed)?;
            return Ok(Ok(body.map_err(too_long)?));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(response::unavailable(
                status,
                response.headers(),
                SystemTime::now(),
            ));
        }
        Ok(Err(status))
    }
}

/// Some servers send their JSON as `text/plain` or with another type, so a body of any type is read as long as it looks
/// like an object.
async fn error_response(
    response: &mut TokenResponse,
    credential: &ClientCredentials<'_>,
) -> GrantError {
    let is_json = response::may_be_json(response.headers());
    let looks_like_object = |body: &[u8]| {
        let start = if is_json {
            body.trim_ascii_start()
        } else {
            body
        };
        start.first().is_none_or(|first| *first == b'{')
    };
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if !looks_like_object(&body) || body.len() > MAX_RESPONSE_BYTES {
            break;
        }
    }
    response::error(
        response.status(),
        response.headers(),
        looks_like_object(&body).then_some(&*body),
        credential,
        SystemTime::now(),
    )
}

/// The response's body, read in chunks until it ends or is too long.
async fn body(
    response: &mut TokenResponse,
) -> Result<Result<Vec<u8>, ResponseDefect>, HttpFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Ok(Err(ResponseDefect::TooLong {
                limit: MAX_RESPONSE_BYTES,
            }));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body))
}
