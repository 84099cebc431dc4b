//! The form parameters of a grant (RFC 6749 4.4.2, RFC 7523 2.1, RFC 8693 2.1), without the client's authentication.

use std::time::SystemTime;

use super::assertion;
use super::client_auth::FormBody;
use super::key::PrivateKeyError;
use super::request_secrets::RequestSecrets;
use crate::config::{GrantConfig, GrantType, SourceRole};
use crate::credentials::Secret;

/// More than the longest grant with the types of its tokens.
const GRANT_BYTES: usize = 512;
const JWT_BEARER: &[u8] = b"urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &[u8] = b"urn:ietf:params:oauth:grant-type:token-exchange";

/// Starts the form of a request that is made with these secrets. `now` is the authorization server's time as far as it
/// is known.
///
/// # Errors
/// The assertion cannot be signed.
pub(super) fn grant_form(
    config: &GrantConfig,
    secrets: &RequestSecrets,
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
            .map(|secret| secret.expose().len())
            .sum::<usize>();
    let mut form = FormBody::with_capacity_for(length);
    let secret = |role| secrets.get(role).map_or(&[][..], Secret::expose);
    match &config.grant {
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
    if let Some(scope) = &config.scope {
        form.append_pair("scope", scope.as_bytes());
    }
    for (name, value) in &config.params {
        form.append_pair(name, value.as_bytes());
    }
    Ok(form)
}
