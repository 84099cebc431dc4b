//! Who may use the API: verifies the bearer and its roles, and enters every request in the ledger.

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

use super::ledger::header_lines;
use super::{Seen, Site};

/// The part of a role's name that fits this API's environment, or every environment.
const ENVIRONMENTS: [&str; 2] = ["dev", "all"];

/// What the API made of a request's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The path is open to everyone, or does not exist.
    NotAsked,
    /// Good token, sufficient role.
    Allowed,
    /// No `Authorization`, or another scheme than `Bearer`.
    Missing,
    /// More than one `Authorization` line (RFC 6750 2: one way, once).
    Repeated,
    /// Not a token that this authorization server signed.
    Unverified,
    /// Another issuer, or the environment is not connected.
    WrongIssuer,
    /// Past its life.
    Expired,
    /// Issued here, alive, and revoked.
    Revoked,
    /// Good token without the role for this method.
    MissingRole,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    #[serde(default)]
    groups: Value,
}

/// The outermost layer: one ledger entry a request, whatever becomes of it.
pub(super) async fn record(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let target = request.uri().to_string();
    let headers = header_lines(request.headers());
    let response = next.run(request).await;
    let verdict = response
        .extensions()
        .get()
        .copied()
        .unwrap_or(Verdict::NotAsked);
    site.knobs.record_seen(Seen {
        method,
        target,
        headers,
        verdict,
        status: response.status(),
    });
    response
}

/// The layer around what needs a token; reads want an audit or admin role, all else admin.
pub(super) async fn authorize(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let verdict = site.judge(request.method(), request.headers());
    let mut response = match refusal(verdict) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    response.extensions_mut().insert(verdict);
    response
}

impl Site {
    fn judge(&self, method: &Method, headers: &HeaderMap) -> Verdict {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let line = lines.next();
        if lines.next().is_some() {
            return Verdict::Repeated;
        }
        let Some(token) = line.and_then(|line| bearer(line.as_bytes())) else {
            return Verdict::Missing;
        };
        if !self.knobs.behaviour().connected {
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
        match self.knobs.expiry_of(&claims.jti) {
            None => Verdict::Revoked,
            Some(end) if end <= SystemTime::now() => Verdict::Expired,
            Some(_) if has_role(&claims.groups, method) => Verdict::Allowed,
            Some(_) => Verdict::MissingRole,
        }
    }
}

/// RFC 6750 2.1; the scheme's name is compared without case (RFC 9110 11.1).
fn bearer(line: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_start_matches(' '))
}

/// Anything but an array of strings grants nothing.
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

fn refusal(verdict: Verdict) -> Option<Response> {
    let (status, detail, challenge) = match verdict {
        Verdict::NotAsked | Verdict::Allowed => return None,
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
