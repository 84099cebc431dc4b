//! Access to the API: verifies the token and its roles, and records every request.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use jsonwebtoken::errors::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::ServerContext;
use super::recorder::{ApiRequest, Verdict, field_lines};

/// How the name of a role begins that is valid in the environment of this API.
const ENVIRONMENTS: [&str; 2] = ["dev", "all"];

#[derive(Deserialize)]
struct Claims {
    jti: String,
    #[serde(default)]
    groups: Value,
}

/// The outermost layer: records each request with its response.
pub(super) async fn record(
    State(context): State<Arc<ServerContext>>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let target = request.uri().to_string();
    let headers = field_lines(request.headers());
    let response = next.run(request).await;
    let verdict = response
        .extensions()
        .get()
        .copied()
        .unwrap_or(Verdict::NotChecked);
    context.state.record_api_request(ApiRequest {
        method,
        target,
        headers,
        verdict,
        status: response.status(),
    });
    response
}

/// The layer around the routes that need a token. GET and HEAD need an audit or admin role, all other methods an admin
/// role.
pub(super) async fn authorize(
    State(context): State<Arc<ServerContext>>,
    request: Request,
    next: Next,
) -> Response {
    let verdict = context.judge(request.method(), request.headers());
    let mut response = match error_response(verdict) {
        Some(error) => error,
        None => next.run(request).await,
    };
    response.extensions_mut().insert(verdict);
    response
}

impl ServerContext {
    fn judge(&self, method: &Method, headers: &HeaderMap) -> Verdict {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let line = lines.next();
        if lines.next().is_some() {
            return Verdict::Repeated;
        }
        let Some(token) = line.and_then(|line| bearer(line.as_bytes())) else {
            return Verdict::Missing;
        };
        if !self.state.behaviour().connected {
            return Verdict::WrongIssuer;
        }
        match self.key.verify::<Claims>(token, &self.issuer) {
            Ok(claims) => self.judge_claims(method, &claims),
            Err(error) => match error.kind() {
                ErrorKind::ExpiredSignature => Verdict::Expired,
                ErrorKind::InvalidIssuer => Verdict::WrongIssuer,
                _ => Verdict::Unverified,
            },
        }
    }

    fn judge_claims(&self, method: &Method, claims: &Claims) -> Verdict {
        match self.state.expiry_of(&claims.jti) {
            None => Verdict::Revoked,
            Some(end) if end <= SystemTime::now() => Verdict::Expired,
            Some(_) if has_role(&claims.groups, method) => Verdict::Allowed,
            Some(_) => Verdict::MissingRole,
        }
    }
}

/// The token of `Bearer TOKEN` (RFC 6750 2.1). The name of the scheme is case-insensitive (RFC 9110 11.1).
fn bearer(line: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_start_matches(' '))
}

/// Whether an array of strings contains a role for this method. Anything but an array grants nothing.
fn has_role(groups: &Value, method: &Method) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let fits = |role: &str| {
        role == "all-ss-admin"
            || ENVIRONMENTS.iter().any(|environment| {
                role.strip_prefix(environment)
                    .is_some_and(|rest| rest == "-tls-admin" || (reads && rest == "-tls-audit"))
            })
    };
    groups
        .as_array()
        .is_some_and(|roles| roles.iter().filter_map(Value::as_str).any(fits))
}

fn error_response(verdict: Verdict) -> Option<Response> {
    let (status, detail, challenge) = match verdict {
        Verdict::NotChecked | Verdict::Allowed => return None,
        Verdict::Missing => (StatusCode::UNAUTHORIZED, "Not authenticated", "Bearer"),
        Verdict::Repeated
        | Verdict::Unverified
        | Verdict::WrongIssuer
        | Verdict::Expired
        | Verdict::Revoked => (
            StatusCode::UNAUTHORIZED,
            "Could not validate credentials",
            "Bearer error=\"invalid_token\"",
        ),
        Verdict::MissingRole => {
            let detail = "Access token is missing required scopes.";
            return Some(
                (StatusCode::FORBIDDEN, Json(json!({ "detail": detail }))).into_response(),
            );
        }
    };
    let body = Json(json!({ "detail": detail }));
    Some((status, [(header::WWW_AUTHENTICATE, challenge)], body).into_response())
}

#[cfg(test)]
mod tests;
