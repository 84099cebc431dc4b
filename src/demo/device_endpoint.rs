//! The device authorization endpoint (RFC 8628 3.1), and the page on which a person enters a code.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::client_credentials::TokenForm;
use super::context::{ENVIRONMENT_ID, LOGIN_SCOPES, ServerContext};
use super::device_codes::{INTERVAL, LIFETIME};
use super::errors::{NO_STORE, TokenError, not_found};
use super::html::page;
use super::people::{buttons, person};
use super::person_grants::is_login_client;

/// Issues the two codes.
pub(super) async fn authorize(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if environment != ENVIRONMENT_ID {
        return not_found();
    }
    let issued = TokenForm::read(&headers, &body)
        .and_then(|form| context.issue_device_code(&headers, &form));
    issued.map_or_else(TokenError::into_response, |codes| {
        ([NO_STORE], Json(codes)).into_response()
    })
}

/// The page.
pub(super) async fn ask(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if environment != ENVIRONMENT_ID {
        return not_found();
    }
    let given = value(query.as_deref().unwrap_or_default().as_bytes(), "user_code");
    // Only a code that was issued is repeated, so that nothing in the address gets into the page.
    let code = match context.devices.waiting(&given) {
        Some(code) => format!(
            "<p>The program shows this code: <strong>{code}</strong></p>\n\
             <input type=\"hidden\" name=\"user_code\" value=\"{code}\">\n"
        ),
        None => "<p><label>The code that the program shows: <input name=\"user_code\" required autocomplete=\"off\">\
                 </label></p>\n"
            .to_owned(),
    };
    let form = format!(
        "<p>A program wants to use the self-service API in your name. Go on only if you have just started it yourself. \
         In this demo nobody has a password: choose who to be.</p>\n<form method=\"post\">\n{code}{}\
         <p><button name=\"person\" value=\"\">Deny</button></p>\n</form>\n",
        buttons()
    );
    page(StatusCode::OK, "Sign in on another device", &form)
}

/// What the person chose.
pub(super) async fn answer(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    body: Bytes,
) -> Response {
    if environment != ENVIRONMENT_ID {
        return not_found();
    }
    let person = person(&value(&body, "person"));
    let is_known = context.devices.decide(&value(&body, "user_code"), person);
    let (status, title, text) = match (is_known, person) {
        (false, _) => (
            StatusCode::BAD_REQUEST,
            "There is no such code",
            "Compare it with the one that the program shows. It may have expired.",
        ),
        (true, None) => (
            StatusCode::OK,
            "Denied",
            "The program learns it in a moment.",
        ),
        (true, Some(_)) => (
            StatusCode::OK,
            "You are signed in",
            "Go back to the program, which learns it in a moment.",
        ),
    };
    page(status, title, &format!("<p>{text}</p>\n"))
}

/// A field of a form, or nothing.
fn value(form: &[u8], name: &str) -> String {
    let found = form_urlencoded::parse(form).find(|(other, _)| other == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

impl ServerContext {
    fn issue_device_code(
        &self,
        headers: &HeaderMap,
        form: &TokenForm,
    ) -> Result<Value, TokenError> {
        is_login_client(headers, form)?;
        let scope = form.value("scope").unwrap_or_default();
        if !scope.split(' ').all(|scope| LOGIN_SCOPES.contains(&scope)) {
            return Err(TokenError::InvalidScope);
        }
        let (code, user_code) = self
            .devices
            .begin(scope)
            .map_err(|_| TokenError::Malformed)?;
        let page = format!("{}/device", self.issuer);
        Ok(json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"),
            "expires_in": LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        }))
    }
}
