//! How the authorization server says no: its two JSON shapes, with the words that clients meet.
//!
//! Words and statuses are those observed of `PingOne` where they are known; what is not known is
//! marked at its variant and nobody should lean on it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

/// Why the token endpoint issues nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Unknown client, wrong secret, or the application is off: one answer, so that none leaks.
    InvalidCredentials,
    /// The application's Token Endpoint Auth Method is another.
    UnsupportedMethod,
    /// No method at all, or two in one request (RFC 6749 2.3).
    NotOneMethod,
    /// No scope granted to the application, or none of those asked for.
    NoScope,
    /// Scopes of two resources, or two to choose from and none asked for.
    SeveralResources,
    /// A Worker without roles. The exact status is not known.
    NoRoleAssignments,
    /// The application may not use this grant. The exact words are not known.
    GrantNotAllowed,
    /// Not `client_credentials` (RFC 6749 5.2).
    UnsupportedGrant,
    /// No `grant_type`, a parameter twice, or no form (RFC 6749 3.2).
    Malformed,
}

impl Refusal {
    const fn answer(self) -> (StatusCode, &'static str, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
        match self {
            Self::InvalidCredentials => (
                UNAUTHORIZED,
                "invalid_client",
                "Request denied: Invalid client credentials",
            ),
            Self::UnsupportedMethod => (
                UNAUTHORIZED,
                "invalid_client",
                "Request denied: Unsupported authentication method",
            ),
            Self::NotOneMethod => (
                BAD,
                "invalid_request",
                "Exactly one client authentication method is required",
            ),
            Self::NoScope => (BAD, "invalid_scope", "At least one scope must be granted"),
            Self::SeveralResources => (
                BAD,
                "invalid_scope",
                "May not request scopes for multiple resources",
            ),
            Self::NoRoleAssignments => (
                BAD,
                "invalid_request",
                "Application does not have any role assignments",
            ),
            Self::GrantNotAllowed => (
                BAD,
                "unauthorized_client",
                "The application may not use this grant type",
            ),
            Self::UnsupportedGrant => (BAD, "unsupported_grant_type", "Unsupported grant type"),
            Self::Malformed => (BAD, "invalid_request", "The request is malformed"),
        }
    }
}

impl IntoResponse for Refusal {
    /// RFC 6749 5.2; every 401 names the scheme, which it allows and `Basic` clients are owed.
    fn into_response(self) -> Response {
        let (status, error, words) = self.answer();
        let body = json!({
            "error": error,
            "error_description": format!("{words} (Correlation ID: {})", Uuid::new_v4()),
        });
        let mut response = (status, [NO_STORE], Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Basic realm=\"PingOne\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Answers with or about credentials are nobody's to keep (RFC 6749 5.1).
pub(super) const NO_STORE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// The shape of everything that is not OAuth's to define.
pub(super) fn platform_error(code: &str, message: &str) -> Value {
    json!({ "id": Uuid::new_v4().to_string(), "code": code, "message": message, "details": [] })
}

/// An unknown path or an unknown environment.
pub(super) fn not_found() -> Response {
    let mut body = platform_error("NOT_FOUND", "The requested resource was not found.");
    body["details"] = json!([{
        "code": "NOT_FOUND",
        "message": "No such environment or path.",
        "target": Value::Null,
        "innerError": {},
    }]);
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

/// A known path with another method.
pub(super) fn method_not_allowed() -> Response {
    let body = platform_error("METHOD_NOT_ALLOWED", "The method is not allowed here.");
    (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response()
}
