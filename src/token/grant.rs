//! One access token request (RFC 6749 4.4.2) and what it needs: the endpoint, the client certificate and the server's
//! time.
//!
//! Every response is bounded in time and length. No redirect is followed and no connection is kept; a request is
//! repeated only once, with the server's time, after it was rejected because the clocks differ. This file does not know
//! when it is called, and of what was granted before only what no failure may quote.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use tokio::time::timeout;
use url::Url;
use zeroize::Zeroizing;

use super::client::{Client, TokenResponse, unreachable};
use super::client_auth::{ClientAuthError, ClientCredentials, FormBody};
use super::client_certificate::ClientCertificate;
use super::discovery::ServerEndpoints;
use super::grant_error::GrantError;
use super::grant_form::grant_form;
use super::grant_request::GrantRequest;
use super::granted_tokens::GrantedTokens;
use super::ownership::Ownership;
use super::presented::check_presented;
use super::request_secrets::RequestSecrets;
use super::response::{self, AccessToken};
use super::response_body::{body, error_response};
use super::server_clock::ServerClock;
use super::unreachable::{EndpointRole, TokenServer};
use crate::config::{self, ClientAuth, GrantType, SourceRole};
use crate::credentials::Secret;

/// From the name lookup to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Everything that a request needs except the secret.
#[derive(Debug)]
pub(super) struct Grant {
    /// The proxy's name in the log, if several proxies share the log.
    pub(super) proxy: Option<String>,
    client: Client,
    /// What the connection to the token endpoint presents.
    certificate: Option<ClientCertificate>,
    pub(super) config: config::GrantConfig,
    /// The endpoints from the issuer's metadata; `None` before the metadata is read, and after the endpoint has moved.
    pub(super) discovered: Mutex<Option<ServerEndpoints>>,
    server_clock: ServerClock,
    /// Whether it has been logged that the token type is missing.
    has_warned: AtomicBool,
    /// The last token that was granted, which no failure may quote.
    granted: Mutex<Option<Secret>>,
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
        let files = config.certificate.clone();
        Self {
            proxy: None,
            client,
            certificate: files.map(ClientCertificate::new),
            config,
            discovered: Mutex::new(None),
            server_clock: ServerClock::default(),
            has_warned: AtomicBool::new(false),
            granted: Mutex::new(None),
            limit: REQUEST_TIMEOUT,
        }
    }

    /// Names the proxy in log lines, if there are several proxies.
    pub(super) fn for_proxy(self, proxy: Option<String>) -> Self {
        Self { proxy, ..self }
    }

    /// Presents a client certificate that it has not presented before only if that belongs to the identity with this
    /// `ownership`.
    pub(super) fn belonging_to(mut self, ownership: Ownership) -> Self {
        if let Some(certificate) = &mut self.certificate {
            certificate.ownership = ownership;
        }
        self
    }

    /// Requests a token. Sends a second request only if the first was rejected because the clocks differ.
    ///
    /// # Errors
    /// Why there is no token. Returns within [`REQUEST_TIMEOUT`] in every case, metadata included.
    pub(super) async fn exchange(
        &self,
        secrets: &RequestSecrets,
    ) -> Result<AccessToken, GrantError> {
        let granted = self.ask(secrets, &GrantRequest::Configured).await?;
        granted.access
    }

    /// The same for one step of a person's sign-in.
    ///
    /// # Errors
    /// The same.
    pub(super) async fn ask(
        &self,
        secrets: &RequestSecrets,
        asked: &GrantRequest<'_>,
    ) -> Result<GrantedTokens, GrantError> {
        let connected = AtomicBool::new(false);
        let requesting = self.request_tokens(secrets, asked, &connected);
        let outcome = self
            .while_presentable(secrets, (self.limit, None), &connected, requesting)
            .await;
        let mut last = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(granted) => {
                if let Ok(access) = &granted.access {
                    *last = Some(Secret::new(access.as_str()));
                }
                Ok(granted)
            }
            Err(error) => {
                self.forget_moved_endpoint(&error);
                Err(match &*last {
                    Some(token) => error.without_token(token),
                    None => error,
                })
            }
        }
    }

    /// Makes a request that presents these secrets, for at most `limit`, and only as long as what it presents is valid.
    /// `server` is where it goes, if that is known.
    ///
    /// # Errors
    /// What it would present must not be sent, or why the request failed.
    pub(super) async fn while_presentable<T>(
        &self,
        secrets: &RequestSecrets,
        (limit, server): (Duration, Option<TokenServer>),
        connected: &AtomicBool,
        requesting: impl Future<Output = Result<T, GrantError>>,
    ) -> Result<T, GrantError> {
        let left = self.check_presented(secrets)?;
        let limit = left.map_or(limit, |left| left.min(limit));
        let finished = timeout(limit, requesting).await;
        finished.unwrap_or_else(|_| {
            let timed_out = GrantError::TimedOut {
                limit,
                server: server.unwrap_or_else(|| self.server(None)),
                connected: connected.load(Ordering::Relaxed),
            };
            self.check_presented(secrets).and(Err(timed_out))
        })
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
    async fn request_tokens(
        &self,
        secrets: &RequestSecrets,
        asked: &GrantRequest<'_>,
        connected: &AtomicBool,
    ) -> Result<GrantedTokens, GrantError> {
        let http = self.http().await?;
        let endpoint = self.endpoints(&http, connected).await?.token;
        connected.store(false, Ordering::Relaxed); // the metadata may come from another server
        let post = || self.post(&http, &endpoint, (secrets, asked), connected);
        let mut outcome = post().await;
        if let Err(failed) = &outcome
            && failed.clock_corrected
        {
            outcome = post().await;
        }
        outcome.map_err(|failed| failed.error)
    }

    /// The HTTP client, with the client certificate that is in its files now, if that belongs to this identity.
    pub(super) async fn http(&self) -> Result<Client, GrantError> {
        let Some(certificate) = &self.certificate else {
            return Ok(self.client.clone());
        };
        let provider = Arc::clone(self.client.tls().crypto_provider());
        Ok(self.client.presenting(certificate.read(provider).await?))
    }

    async fn post(
        &self,
        http: &Client,
        endpoint: &Url,
        (secrets, asked): (&RequestSecrets, &GrantRequest<'_>),
        connected: &AtomicBool,
    ) -> Result<GrantedTokens, TokenRequestFailure> {
        let credential = self.credential(secrets, asked.presented());
        let now = self.server_clock.now();
        let form =
            grant_form(&self.config, secrets, asked, now).map_err(GrantError::KeyUnusable)?;
        let request = self.request(&credential, form)?;
        let failed = |failure| unreachable(self.server(Some(endpoint)), failure);
        let sent = http.send(endpoint, request, connected).await;
        let mut response = sent.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(GrantError::Redirected {
                endpoint: EndpointRole::Token,
                status,
            }
            .into());
        }
        if status.is_success() {
            return Ok(self.granted(endpoint, &credential, &mut response).await?);
        }
        let error = error_response(&mut response, &credential).await;
        let clock_corrected = self.correct_clock(response.headers(), &error);
        Err(TokenRequestFailure {
            error,
            clock_corrected,
        })
    }

    /// What the client authenticates with. `presented` is what a request presents beside that.
    pub(super) fn credential<'a>(
        &'a self,
        secrets: &'a RequestSecrets,
        mut presented: Vec<&'a Secret>,
    ) -> ClientCredentials<'a> {
        let of_grant = [SourceRole::Grant, SourceRole::Actor].into_iter();
        presented.extend(of_grant.filter_map(|role| secrets.get(role)));
        ClientCredentials {
            method: self.config.auth,
            id: &self.config.client_id,
            secret: secrets.get(SourceRole::Client),
            assertion: &self.config.assertion,
            assertion_type: &self.config.client_assertion_type,
            presented,
        }
    }

    /// A POST of a form, with the client's authentication.
    pub(super) fn request(
        &self,
        credential: &ClientCredentials<'_>,
        mut form: FormBody,
    ) -> Result<Request<Full<Bytes>>, GrantError> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON), (CONTENT_TYPE, FORM)]);
        credential
            .authenticate(&mut form, &mut headers, self.server_clock.now())
            .map_err(|error| match error {
                ClientAuthError::Key(error) => GrantError::KeyUnusable(error),
                ClientAuthError::Header(_) => GrantError::Internal,
            })?;
        let mut request = Request::new(Full::new(form.into_body()));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        Ok(request)
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

    async fn granted(
        &self,
        endpoint: &Url,
        credential: &ClientCredentials<'_>,
        response: &mut TokenResponse,
    ) -> Result<GrantedTokens, GrantError> {
        let failed = |error| unreachable(self.server(Some(endpoint)), error);
        let body = body(response).await.map_err(failed)?;
        let status = response.status();
        let unusable = |defect| GrantError::Unusable {
            endpoint: EndpointRole::Token,
            status,
            defect,
        };
        let body = Zeroizing::new(body.map_err(unusable)?);
        let access = response::access_token(response.headers(), &body, &self.config, credential);
        let access = access.map_err(unusable);
        let granted = match self.config.login() {
            Some(_) => GrantedTokens::of_person(access, &body),
            None => access?.into(),
        };
        let access = granted.access.as_ref();
        if access.is_ok_and(|access| access.is_untyped)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                proxy = self.proxy,
                "the token endpoint names no token_type; its tokens are sent as Bearer"
            );
        }
        Ok(granted)
    }

    /// The server at `url`, or the one that the next request goes to first.
    pub(super) fn server(&self, url: Option<&Url>) -> TokenServer {
        let url = url.cloned().or_else(|| self.discovered_token_endpoint());
        let url = url.or_else(|| self.config.endpoint.to_url());
        let url = url.expect("config admits only an endpoint or issuer that is a URL");
        self.client.server(&url, self.config.endpoint_key)
    }

    /// The server at the endpoint with this role, which `key` names instead of the issuer if it is configured.
    pub(super) fn server_as(
        &self,
        role: EndpointRole,
        url: &Url,
        (key, configured): (&'static str, Option<&Url>),
    ) -> TokenServer {
        let key = configured.map_or(self.config.endpoint_key, |_| key);
        let server = self.client.server(url, key);
        TokenServer { role, ..server }
    }
}
