//! The form parameters of a grant (RFC 6749 4.4.2, RFC 7523 2.1, RFC 8628 3.4, RFC 8693
//! 2.1), without the client's authentication.

use std::time::SystemTime;

use super::assertion;
use super::client_auth::FormBody;
use super::grant_request::GrantRequest;
use super::key::PrivateKeyError;
use super::request_secrets::RequestSecrets;
use crate::config::{GrantConfig, GrantType, SourceRole};
use crate::credentials::Secret;

/// More than the longest grant with the types of its tokens.
const GRANT_BYTES: usize = 512;
const DEVICE_CODE: &[u8] = b"urn:ietf:params:oauth:grant-type:device_code";
const JWT_BEARER: &[u8] = b"urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &[u8] = b"urn:ietf:params:oauth:grant-type:token-exchange";

/// Starts the form of a request for what is `asked`, made with these secrets. `now` is the authorization server's time
/// as far as it is known.
///
/// # Errors
/// The assertion cannot be signed.
pub(super) fn grant_form(
    config: &GrantConfig,
    secrets: &RequestSecrets,
    asked: &GrantRequest<'_>,
    now: SystemTime,
) -> Result<FormBody, PrivateKeyError> {
    let params = config.params.iter();
    let scope = config.scope.as_deref().unwrap_or_default();
    let length = params
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum::<usize>()
        + scope.len()
        + config.client_id.len()
        + config.client_assertion_type.len()
        + GRANT_BYTES
        + secrets
            .all()
            .chain(asked.presented())
            .map(|secret| secret.expose().len())
            .sum::<usize>();
    let mut form = FormBody::with_capacity_for(length);
    let secret = |role| secrets.get(role).map_or(&[][..], Secret::expose);
    append_step(&mut form, asked);
    match &config.grant {
        GrantType::AuthorizationCode(_) | GrantType::DeviceCode(_) => {} // just above
        GrantType::ClientCredentials => form.append_pair("grant_type", b"client_credentials"),
        GrantType::JwtBearer => {
            form.append_pair("grant_type", JWT_BEARER);
            form.append_pair("assertion", secret(SourceRole::Grant));
        }
        GrantType::SignedJwtBearer { assertion, claims } => {
            let key = secret(SourceRole::Grant);
            let signed = assertion::for_grant(&config.client_id, assertion, claims, key, now)?;
            form.append_pair("grant_type", JWT_BEARER);
            form.append_pair("assertion", signed.as_bytes());
        }
        GrantType::TokenExchange {
            subject_token_type,
            actor_token_type,
        } => {
            form.append_pair("grant_type", TOKEN_EXCHANGE);
            form.append_pair("subject_token", secret(SourceRole::Grant));
            form.append_pair("subject_token_type", subject_token_type.as_bytes());
            if let Some(actor_token_type) = actor_token_type {
                form.append_pair("actor_token", secret(SourceRole::Actor));
                form.append_pair("actor_token_type", actor_token_type.as_bytes());
            }
        }
    }
    // A person has consented to it before (RFC 6749 4.1.3, 6; RFC 8628 3.4).
    if let Some(scope) = &config.scope
        && matches!(asked, GrantRequest::Configured)
    {
        form.append_pair("scope", scope.as_bytes());
    }
    for (name, value) in &config.params {
        form.append_pair(name, value.as_bytes());
    }
    Ok(form)
}

/// What a step of a person's sign-in adds, or the refresh token.
fn append_step(form: &mut FormBody, asked: &GrantRequest<'_>) {
    match asked {
        GrantRequest::Configured => {}
        GrantRequest::Code {
            code,
            verifier,
            redirect_url,
        } => {
            form.append_pair("grant_type", b"authorization_code");
            form.append_pair("code", code.expose());
            form.append_pair("redirect_uri", redirect_url.as_bytes());
            form.append_pair("code_verifier", verifier.expose());
        }
        GrantRequest::Device(code) => {
            form.append_pair("grant_type", DEVICE_CODE);
            form.append_pair("device_code", code.expose());
        }
        GrantRequest::Refresh(token) => {
            form.append_pair("grant_type", b"refresh_token");
            form.append_pair("refresh_token", token.expose());
        }
    }
}
