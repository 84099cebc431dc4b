//! A person signs in with a code on another device (RFC 8628).

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::client::unreachable;
use super::client_auth::FormBody;
use super::device_authorization::{
    DeviceAuthorization, DevicePollFailure, DevicePrompt, PollInterval, after_failure,
};
use super::grant::Grant;
use super::grant_error::GrantError;
use super::grant_request::GrantRequest;
use super::handle::Tokens;
use super::login::PendingLogin;
use super::login_completion::LoginCompletion;
use super::person::SignedIn;
use super::person_login::LoginError;
use super::request_secrets::RequestSecrets;
use super::response_body::{body, error_response};
use super::unreachable::EndpointRole;
use crate::config::DEVICE_URL_KEY;

/// A sign-in with a code that has begun.
pub struct DeviceAttempt {
    pending: PendingLogin,
    authorization: DeviceAuthorization,
    interval: Mutex<PollInterval>,
}

impl Tokens {
    /// Begins a sign-in with a code, which only the person may see. It changes nothing until it is completed.
    ///
    /// # Errors
    /// Why nobody can sign in so now.
    pub async fn begin_device_login(&self) -> Result<DeviceAttempt, LoginError> {
        let login = self.person_login().ok_or(LoginError::NoDeviceGrant)?;
        let secrets = login.secrets().await?;
        let authorization = login.grant.authorize_device(&secrets).await?;
        Ok(DeviceAttempt {
            interval: Mutex::new(PollInterval::new(authorization.interval)),
            authorization,
            pending: PendingLogin {
                tokens: self.clone(),
                login,
                nonce: None, // RFC 8628 has none
            },
        })
    }
}

impl DeviceAttempt {
    /// What the person must do.
    #[must_use]
    pub const fn prompt(&self) -> &DevicePrompt {
        &self.authorization.prompt
    }

    /// How long to wait before the next request.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let interval = self.interval.lock();
        interval.unwrap_or_else(PoisonError::into_inner).next()
    }

    /// Asks once whether the person has signed in.
    ///
    /// # Errors
    /// Why not, and what that means.
    pub async fn poll(
        &self,
        completion: &impl LoginCompletion,
    ) -> Result<SignedIn, (DevicePollFailure, GrantError)> {
        let login = &self.pending.login;
        let failed = |error| (DevicePollFailure::Final, error);
        let _stop_waits = login.session.changing.read().await;
        let secrets = login.secrets().await.map_err(failed)?;
        let requested_at = self.pending.now();
        let asked = GrantRequest::Device(&self.authorization.code);
        let granted = login.grant.ask(&secrets, &asked).await.map_err(|error| {
            let mut interval = self.interval.lock().unwrap_or_else(PoisonError::into_inner);
            let failure = after_failure(&error, &mut interval, self.prompt().lifetime);
            (failure, error)
        })?;
        let finishing = self.pending.finish(granted, requested_at, completion);
        finishing.await.map_err(failed)
    }
}

impl Grant {
    /// Requests a code for another device (RFC 8628 3.1).
    pub(super) async fn authorize_device(
        &self,
        secrets: &RequestSecrets,
    ) -> Result<DeviceAuthorization, LoginError> {
        let endpoint = self.login_endpoints(self.limit).await?.device;
        let endpoint = endpoint.ok_or(LoginError::NoDeviceEndpoint)?;
        let connected = AtomicBool::new(false);
        let credential = self.credential(secrets, Vec::new());
        let mut form = FormBody::with_capacity_for(2048);
        if let Some(scope) = &self.config.scope {
            form.append_pair("scope", scope.as_bytes());
        }
        for (name, value) in &self.config.params {
            form.append_pair(name, value.as_bytes());
        }
        let request = self.request(&credential, form)?;
        let configured = self
            .config
            .login()
            .and_then(|login| login.device_url.as_ref());
        let key = (DEVICE_URL_KEY, configured);
        let server = self.server_as(EndpointRole::Device, &endpoint, key);
        let failed = |failure| unreachable(server.clone(), failure);
        let asking = async {
            let http = self.http().await?;
            let sent = http.send(&endpoint, request, &connected).await;
            let mut response = sent.map_err(failed)?;
            let status = response.status();
            if status.is_redirection() {
                return Err(GrantError::Redirected {
                    endpoint: EndpointRole::Device,
                    status,
                });
            }
            if !status.is_success() {
                let error = error_response(&mut response, &credential).await;
                return Err(error.responded_by(EndpointRole::Device));
            }
            let body = body(&mut response).await.map_err(failed)?;
            body.map_err(|defect| GrantError::Unusable {
                endpoint: EndpointRole::Device,
                status,
                defect,
            })
        };
        let limit = (self.limit, Some(server.clone()));
        let body = self.while_presentable(secrets, limit, &connected, asking);
        let body = body.await?;
        Ok(DeviceAuthorization::read(&body)?)
    }
}
