//! The simulated authorization server: token endpoint, metadata and key set of one environment.
//!
//! It supports the client credentials grant only (RFC 6749 4.4).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::client_credentials::{TokenForm, authenticate};
use super::context::{ENVIRONMENT_ID, ORGANIZATION_ID, ServerContext};
use super::errors::{NO_STORE, TokenError, method_not_allowed, not_found};
use super::recorder::TokenRequest;
use super::state::{Application, Behaviour, ExpiresIn, Groups, TokenReply};

pub(super) fn routes(context: Arc<ServerContext>) -> Router {
    Router::new()
        .route("/{environment}/as/token", post(token))
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
        let (client_id, application) = authenticate(headers, form, &behaviour)?;
        if grant_type != "client_credentials" {
            return Err(TokenError::UnsupportedGrant);
        }
        let (audience, scope) = granted(application, form.value("scope"))?;

        let mut answer = json!({
            "access_token": self.issue(&behaviour, &client_id, &audience, &scope),
            "token_type": "Bearer",
            "scope": scope,
        });
        match behaviour.expires_in {
            ExpiresIn::True => answer["expires_in"] = behaviour.lifetime.as_secs().into(),
            ExpiresIn::Missing => {}
            ExpiresIn::Says(value) => answer["expires_in"] = value,
        }
        Ok(answer)
    }

    fn issue(&self, behaviour: &Behaviour, client_id: &str, audience: &str, scope: &str) -> String {
        let now = SystemTime::now();
        let expires_at = now + behaviour.lifetime;
        let jti = Uuid::new_v4().to_string();
        let mut claims = json!({
            "aud": [audience],
            "client_id": client_id,
            "env": ENVIRONMENT_ID,
            "exp": whole_seconds(expires_at + Duration::from_nanos(999_999_999)),
            "iat": whole_seconds(now),
            "iss": self.issuer,
            "jti": jti,
            "org": ORGANIZATION_ID,
            "scope": scope,
        });
        match &behaviour.groups {
            Groups::Array(roles) => claims["groups"] = json!(roles),
            Groups::Text(text) => claims["groups"] = json!(text),
            Groups::Missing => {}
        }
        self.state.record_issue(jti, expires_at);
        self.key.sign(&behaviour.typ, &claims)
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

/// Seconds since 1970, rounded down (`NumericDate`, RFC 7519 2).
fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
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
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
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
