//! Where a grant is requested: the endpoints of the configuration, or those that the issuer's metadata names.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::time::timeout;
use url::Url;

use super::client::{Client, unreachable};
use super::discovery::{self, MetadataError, ServerEndpoints};
use super::grant::{Grant, JSON};
use super::grant_error::GrantError;
use super::response;
use super::response_body::{MAX_RESPONSE_BYTES, body};
use crate::config::Endpoint;

impl Grant {
    /// The endpoints, from the configuration or the issuer's metadata.
    pub(super) async fn endpoints(
        &self,
        http: &Client,
        connected: &AtomicBool,
    ) -> Result<ServerEndpoints, GrantError> {
        let (issuer, allow_plaintext) = match &self.config.endpoint {
            Endpoint::Url(url) => return Ok(self.configured(url.clone())),
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
        let mut found = discovery::endpoints(&document, issuer, allow_plaintext, with_certificate)
            .map_err(GrantError::Metadata)?;
        tracing::info!(
            proxy = self.proxy,
            endpoint = Endpoint::Url(found.token.clone()).to_string(),
            "token endpoint discovered"
        );
        if let Some(login) = self.config.login() {
            let configured = login.authorization_url.clone();
            found.authorization = configured.or(found.authorization);
            found.device = login.device_url.clone().or(found.device);
            found.revocation = login.revocation_url.clone().or(found.revocation);
        }
        *self.discovered() = Some(found.clone());
        Ok(found)
    }

    /// The endpoints for a person's sign-in. Takes at most `limit`.
    ///
    /// # Errors
    /// The issuer's metadata cannot be read.
    pub(super) async fn login_endpoints(
        &self,
        limit: Duration,
    ) -> Result<ServerEndpoints, GrantError> {
        let connected = AtomicBool::new(false);
        let http = self.http().await?;
        let reading = timeout(limit, self.endpoints(&http, &connected)).await;
        reading.unwrap_or_else(|_| {
            Err(GrantError::TimedOut {
                limit,
                server: self.server(None),
                connected: connected.load(Ordering::Relaxed),
            })
        })
    }

    fn configured(&self, token: Url) -> ServerEndpoints {
        let login = self.config.login();
        ServerEndpoints {
            token,
            authorization: login.and_then(|login| login.authorization_url.clone()),
            device: login.and_then(|login| login.device_url.clone()),
            revocation: login.and_then(|login| login.revocation_url.clone()),
            lacks_s256: false,
            sends_issuer: false,
        }
    }

    fn discovered(&self) -> MutexGuard<'_, Option<ServerEndpoints>> {
        self.discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The token endpoint that the metadata named, if it has been read.
    pub(super) fn discovered_token_endpoint(&self) -> Option<Url> {
        Some(self.discovered().as_ref()?.token.clone())
    }

    /// Forgets an endpoint that may have moved, so that the next attempt reads the metadata again.
    pub(super) fn forget_moved_endpoint(&self, error: &GrantError) {
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
            | GrantError::SourceStatus { .. }
            | GrantError::SourceOfAnother
            | GrantError::OnlyPerson
            | GrantError::SignedOut
            | GrantError::Superseded
            | GrantError::NotConfirmed
            | GrantError::OtherPerson
            | GrantError::Store(_)
            | GrantError::IdToken(_)
            | GrantError::Internal => false,
        };
        if may_have_moved {
            *self.discovered() = None;
        }
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
