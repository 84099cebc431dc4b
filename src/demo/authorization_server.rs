//! The simulated authorization server of one environment: its endpoints, metadata and key set, and the client
//! credentials grant (RFC 6749 4.4).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client_credentials::{TokenForm, authenticate};
use super::context::{ENVIRONMENT_ID, LOGIN_SCOPES, ServerContext};
use super::errors::{NO_STORE, TokenError, method_not_allowed, not_found};
use super::issuing::{TokenPurpose, token_response};
use super::person_grants::{self, DEVICE_CODE};
use super::recorder::TokenRequest;
use super::state::{Application, TokenReply};
use super::{authorization_endpoint, device_endpoint};

pub(super) fn routes(context: Arc<ServerContext>) -> Router {
    Router::new()
        .route("/{environment}/as/token", post(token))
        .route(
            "/{environment}/as/authorize",
            get(authorization_endpoint::ask).post(authorization_endpoint::answer),
        )
        .route(
            "/{environment}/as/device_authorization",
            post(device_endpoint::authorize),
        )
        .route(
            "/{environment}/as/device",
            get(device_endpoint::ask).post(device_endpoint::answer),
        )
        .route("/{environment}/as/revoke", post(person_grants::revoke))
        .route(
            "/{environment}/as/.well-known/openid-configuration",
            get(discovery),
        )
        .route("/{environment}/as/jwks", get(jwks))
        .fallback(async || not_found())
        .method_not_allowed_fallback(async || method_not_allowed())
        .with_state(context)
}

async fn token(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = TokenForm::read(&headers, &body);
    let parameters = form
        .as_ref()
        .map(TokenForm::without_secrets)
        .unwrap_or_default();
    let number = context.state.record_token_request(TokenRequest {
        at: Instant::now(),
        parameters,
        status: None,
    });

    let response = match context.state.next_reply() {
        TokenReply::Normal if environment != ENVIRONMENT_ID => not_found(),
        TokenReply::Normal => form
            .and_then(|form| context.grant(&headers, &form))
            .map_or_else(TokenError::into_response, |grant| {
                ([NO_STORE], Json(grant)).into_response()
            }),
        TokenReply::Fixed {
            status,
            headers,
            body,
        } => (status, headers, body).into_response(),
        TokenReply::Never => std::future::pending().await,
    };
    tokio::time::sleep(context.state.behaviour().latency).await;
    context.state.record_token_status(number, response.status());
    response
}

impl ServerContext {
    /// The access token response (RFC 6749 5.1).
    fn grant(&self, headers: &HeaderMap, form: &TokenForm) -> Result<Value, TokenError> {
        let behaviour = self.state.behaviour();
        let grant_type = form.value("grant_type").ok_or(TokenError::Malformed)?;
        if let Some(granted) = self.grant_to_person(grant_type, headers, form)? {
            return Ok(granted);
        }
        let (client_id, application) = authenticate(headers, form, &behaviour)?;
        if grant_type != "client_credentials" {
            return Err(TokenError::UnsupportedGrant);
        }
        let (audience, scope) = granted(application, form.value("scope"))?;

        let token = self.issue(
            behaviour.lifetime,
            &TokenPurpose {
                client_id: &client_id,
                audience: &audience,
                scope: &scope,
                person: None,
            },
        );
        Ok(token_response(&behaviour, &token, &scope))
    }
}

/// The resource and the scopes that a token is for. A token is for one resource only.
fn granted(application: &Application, asked: Option<&str>) -> Result<(String, String), TokenError> {
    if !application.client_credentials {
        return Err(TokenError::GrantNotAllowed);
    }
    if application.worker {
        return Err(TokenError::NoRoleAssignments);
    }
    let asked: Option<Vec<&str>> = asked.map(|scope| scope.split(' ').collect());
    let wanted = |scope: &&str| asked.as_ref().is_none_or(|asked| asked.contains(scope));
    let mut grants = application.resources.iter().filter_map(|resource| {
        let scopes: Vec<&str> = resource
            .scopes
            .iter()
            .map(String::as_str)
            .filter(wanted)
            .collect();
        (!scopes.is_empty()).then(|| (resource.audience.clone(), scopes.join(" ")))
    });
    match (grants.next(), grants.next()) {
        (None, _) => Err(TokenError::NoScope),
        (Some(grant), None) => Ok(grant),
        (Some(_), Some(_)) => Err(TokenError::SeveralResources),
    }
}

/// The provider metadata (`OpenID` Connect Discovery 1.0, section 3), with the members that a client of this server
/// could use.
async fn discovery(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
) -> Response {
    if environment != ENVIRONMENT_ID {
        return not_found();
    }
    let issuer = &context.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device_authorization"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/jwks"),
        "scopes_supported": LOGIN_SCOPES,
        "response_types_supported": ["code"],
        "grant_types_supported": ["client_credentials", "authorization_code", DEVICE_CODE, "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    }))
    .into_response()
}

async fn jwks(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
) -> Response {
    if environment != ENVIRONMENT_ID {
        return not_found();
    }
    Json(context.key.jwks()).into_response()
}

#[cfg(test)]
mod tests;
