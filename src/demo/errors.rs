//! The error responses of the authorization server, in its two JSON formats.
//!
//! Messages and statuses are those observed at `PingOne`. Where one is not known, its variant says so; nothing may rely
//! on it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

/// Why the token endpoint issues no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenError {
    /// Unknown client, wrong secret or disabled application: one response, so that none of them is revealed.
    InvalidCredentials,
    /// The application has another Token Endpoint Auth Method.
    UnsupportedMethod,
    /// No authentication method, or two in one request (RFC 6749 2.3).
    NotOneMethod,
    /// The application was granted no scope, or none of the requested ones.
    NoScope,
    /// The requested scopes belong to two resources; or none was requested and the application has scopes of two.
    SeveralResources,
    /// The application is a Worker without roles. The exact status is not known.
    NoRoleAssignments,
    /// The application may not use this grant. The exact message is not known.
    GrantNotAllowed,
    /// The server does not know the grant (RFC 6749 5.2).
    UnsupportedGrant,
    /// The code or the refresh token is not valid, or not for this client (RFC 6749 5.2).
    InvalidGrant,
    /// A scope that the application of people does not have (RFC 6749 5.2).
    InvalidScope,
    /// Nobody has entered the code of another device yet (RFC 8628 3.5).
    AuthorizationPending,
    /// The same, and the program asks too often.
    SlowDown,
    /// Nobody has entered the code in time.
    ExpiredToken,
    /// The person has denied it.
    AccessDenied,
    /// No `grant_type`, a repeated parameter, or not a form (RFC 6749 3.2).
    Malformed,
}

impl TokenError {
    const fn response_parts(self) -> (StatusCode, &'static str, &'static str) {
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
            Self::InvalidGrant => (
                BAD,
                "invalid_grant",
                "The code or the refresh token is not valid",
            ),
            Self::InvalidScope => (
                BAD,
                "invalid_scope",
                "The application has no such scope; its scopes are openid, profile and self-service",
            ),
            Self::AuthorizationPending => (
                BAD,
                "authorization_pending",
                "Nobody has entered the code yet",
            ),
            Self::SlowDown => (BAD, "slow_down", "Requests come too often"),
            Self::ExpiredToken => (BAD, "expired_token", "The code has expired"),
            Self::AccessDenied => (BAD, "access_denied", "The person has denied it"),
            Self::Malformed => (BAD, "invalid_request", "The request is malformed"),
        }
    }
}

impl IntoResponse for TokenError {
    /// RFC 6749 5.2 requires `WWW-Authenticate` in a 401 to a client that used `Basic`, and allows it in every other.
    fn into_response(self) -> Response {
        let (status, error, message) = self.response_parts();
        let body = json!({
            "error": error,
            "error_description": format!("{message} (Correlation ID: {})", Uuid::new_v4()),
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

/// Responses that contain a token must not be cached (RFC 6749 5.1).
pub(super) const NO_STORE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// The JSON format of every error that OAuth does not define.
pub(super) fn platform_error(code: &str, message: &str) -> Value {
    json!({ "id": Uuid::new_v4().to_string(), "code": code, "message": message, "details": [] })
}

/// The response for an unknown path or environment.
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

/// The response for a known path with a method that it does not support.
pub(super) fn method_not_allowed() -> Response {
    let body = platform_error("METHOD_NOT_ALLOWED", "The method is not allowed here.");
    (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response()
}
