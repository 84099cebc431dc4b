//! The grants of people at the token endpoint, `authorization_code`, `device_code` and `refresh_token`, and revocation
//! (RFC 7009).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::client_credentials::TokenForm;
use super::context::{ENVIRONMENT_ID, LOGIN_CLIENT_ID, ServerContext};
use super::device_codes::DeviceOutcome;
use super::errors::{TokenError, not_found};
use super::issuing::{TokenPurpose, token_response, whole_seconds};
use super::sessions::Consent;

/// The resource that people's tokens are for.
pub(super) const AUDIENCE: &str = "self-service-api";
/// The grant of RFC 8628.
pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long an ID token is valid.
const ID_TOKEN_LIFETIME: Duration = Duration::from_mins(5);

impl ServerContext {
    /// The access token response to a grant of a person; `None` if the grant is another one.
    pub(super) fn grant_to_person(
        &self,
        grant_type: &str,
        headers: &HeaderMap,
        form: &TokenForm,
    ) -> Result<Option<Value>, TokenError> {
        let required = |name| form.value(name).ok_or(TokenError::Malformed);
        let (granted, is_first) = match grant_type {
            "authorization_code" => {
                is_login_client(headers, form)?;
                let (code, verifier) = (required("code")?, required("code_verifier")?);
                let redirect_url = required("redirect_uri")?;
                (self.sessions.redeem(code, redirect_url, verifier), true)
            }
            "refresh_token" => {
                is_login_client(headers, form)?;
                (self.sessions.rotate(required("refresh_token")?), false)
            }
            DEVICE_CODE => {
                is_login_client(headers, form)?;
                let granted = match self.devices.ask(required("device_code")?) {
                    DeviceOutcome::Granted(consent) => self.sessions.begin(consent),
                    DeviceOutcome::Unknown => None,
                    DeviceOutcome::Pending => return Err(TokenError::AuthorizationPending),
                    DeviceOutcome::TooEarly => return Err(TokenError::SlowDown),
                    DeviceOutcome::Expired => return Err(TokenError::ExpiredToken),
                    DeviceOutcome::Denied => return Err(TokenError::AccessDenied),
                };
                (granted, true)
            }
            _ => return Ok(None),
        };
        let (signed_in, refresh_token) = granted.ok_or(TokenError::InvalidGrant)?;
        let behaviour = self.state.behaviour();
        let Consent { person, scope, .. } = &signed_in;
        let token = self.issue(
            behaviour.lifetime,
            &TokenPurpose {
                client_id: LOGIN_CLIENT_ID,
                audience: AUDIENCE,
                scope,
                person: Some(*person),
            },
        );
        let mut response = token_response(&behaviour, &token, scope);
        response["refresh_token"] = json!(refresh_token);
        if is_first && scope.split(' ').any(|scope| scope == "openid") {
            response["id_token"] = json!(self.id_token(&signed_in));
        }
        Ok(Some(response))
    }

    /// Who has signed in (`OpenID` Connect Core 1.0, section 2).
    fn id_token(&self, signed_in: &Consent) -> String {
        let now = SystemTime::now();
        let mut claims = json!({
            "iss": self.issuer,
            "sub": signed_in.person.subject,
            "name": signed_in.person.name,
            "aud": LOGIN_CLIENT_ID,
            "iat": whole_seconds(now),
            "exp": whole_seconds(now + ID_TOKEN_LIFETIME),
        });
        if let Some(nonce) = &signed_in.nonce {
            claims["nonce"] = json!(nonce);
        }
        self.key.sign("JWT", &claims)
    }
}

/// The public client has no secret to send (RFC 6749 2.1).
pub(super) fn is_login_client(headers: &HeaderMap, form: &TokenForm) -> Result<(), TokenError> {
    let authenticates = headers.contains_key(header::AUTHORIZATION)
        || form.value("client_secret").is_some()
        || form.value("client_assertion").is_some();
    if authenticates {
        return Err(TokenError::UnsupportedMethod);
    }
    match form.value("client_id") {
        Some(LOGIN_CLIENT_ID) => Ok(()),
        Some(_) | None => Err(TokenError::InvalidCredentials),
    }
}

/// The revocation endpoint: 200 whether there was such a token or not.
pub(super) async fn revoke(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if environment != ENVIRONMENT_ID {
        return not_found();
    }
    let revoked = TokenForm::read(&headers, &body).and_then(|form| {
        is_login_client(&headers, &form)?;
        context
            .sessions
            .revoke(form.value("token").ok_or(TokenError::Malformed)?);
        Ok(())
    });
    match revoked {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}
