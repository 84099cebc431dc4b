//! The authorization endpoint (RFC 6749 4.1) with its sign-in page, for the only public client: a program on this
//! machine (RFC 8252), which must use PKCE with S256.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use url::{Host, Url};

use super::client_credentials::TokenForm;
use super::context::{ENVIRONMENT_ID, LOGIN_CLIENT_ID, LOGIN_SCOPES, ServerContext};
use super::errors::not_found;
use super::html::page;
use super::people::{buttons, person};
use super::sessions::{CodeBinding, Consent};

/// The path of every redirect address; the port is free (RFC 8252 7.3).
const REDIRECT_PATH: &str = "/callback";

/// What a client asks a person for.
struct ConsentRequest {
    redirect_url: String,
    state: Option<String>,
    scope: String,
    nonce: Option<String>,
    challenge: String,
}

/// Why a request is not shown to a person.
enum AuthorizationFailure {
    NoSuchEnvironment,
    /// The redirect address cannot be trusted, so the person sees the error.
    Told(&'static str),
    /// A redirect takes the error to the client (RFC 6749 4.1.2.1).
    Redirected(Box<Response>),
}

/// The sign-in page.
pub(super) async fn ask(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(failure) = context.authorization_request(&environment, query.as_deref()) {
        return failure.into_response();
    }
    let people = buttons();
    let form = format!(
        "<p>A program on this machine wants to use the self-service API in your name. In this demo nobody has a \
         password: choose who to be.</p>\n<form method=\"post\">\n{people}\
         <p><button name=\"person\" value=\"\">Cancel</button></p>\n</form>\n"
    );
    page(StatusCode::OK, "Sign in", &form)
}

/// What the person chose: sends the browser back to the client, with a code or with `access_denied`.
pub(super) async fn answer(
    State(context): State<Arc<ServerContext>>,
    Path(environment): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let request = match context.authorization_request(&environment, query.as_deref()) {
        Err(failure) => return failure.into_response(),
        Ok(request) => request,
    };
    let chosen = form_urlencoded::parse(&body).find(|(name, _)| name == "person");
    let Some(person) = chosen.and_then(|(_, subject)| person(&subject)) else {
        return context.redirect(
            &request,
            &[
                ("error", "access_denied"),
                ("error_description", "The person has cancelled"),
            ],
        );
    };
    let signed_in = Consent {
        person,
        scope: request.scope.clone(),
        nonce: request.nonce.clone(),
    };
    let binding = CodeBinding {
        redirect_url: request.redirect_url.clone(),
        challenge: request.challenge.clone(),
    };
    match context.sessions.code(signed_in, binding) {
        Ok(code) => context.redirect(&request, &[("code", &code)]),
        Err(_) => context.redirect(&request, &[("error", "server_error")]),
    }
}

impl ServerContext {
    fn authorization_request(
        &self,
        environment: &str,
        query: Option<&str>,
    ) -> Result<ConsentRequest, AuthorizationFailure> {
        let told = AuthorizationFailure::Told;
        if environment != ENVIRONMENT_ID {
            return Err(AuthorizationFailure::NoSuchEnvironment);
        }
        let form = TokenForm::parse(query.unwrap_or_default().as_bytes())
            .map_err(|_| told("A parameter is repeated."))?;
        if form.value("client_id") != Some(LOGIN_CLIENT_ID) {
            return Err(told(
                "There is no such application, or nobody can sign in to it.",
            ));
        }
        let redirect_url = form
            .value("redirect_uri")
            .filter(|text| is_redirect_address(text));
        let owned = |name| form.value(name).map(str::to_owned);
        let request = ConsentRequest {
            redirect_url: redirect_url
                .ok_or(told("The redirect address is not registered."))?
                .to_owned(),
            state: owned("state"),
            scope: owned("scope").unwrap_or_default(),
            nonce: owned("nonce"),
            challenge: owned("code_challenge").unwrap_or_default(),
        };
        let error = |error, description| {
            let parameters = [("error", error), ("error_description", description)];
            let response = self.redirect(&request, &parameters);
            Err(AuthorizationFailure::Redirected(Box::new(response)))
        };
        let mut scopes = request.scope.split(' ');
        if form.value("response_type") != Some("code") {
            error("unsupported_response_type", "Only code is supported")
        } else if request.challenge.is_empty()
            || form.value("code_challenge_method") != Some("S256")
        {
            error("invalid_request", "PKCE with S256 is required")
        } else if !scopes.all(|scope| LOGIN_SCOPES.contains(&scope)) {
            error(
                "invalid_scope",
                "The application has no such scope; its scopes are openid, profile and self-service",
            )
        } else {
            Ok(request)
        }
    }

    /// Sends the browser back, with the issuer (RFC 9207).
    fn redirect(&self, request: &ConsentRequest, parameters: &[(&str, &str)]) -> Response {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        query.extend_pairs(request.state.iter().map(|state| ("state", state)));
        query.append_pair("iss", &self.issuer);
        Redirect::to(&format!("{}?{}", request.redirect_url, query.finish())).into_response()
    }
}

impl AuthorizationFailure {
    fn into_response(self) -> Response {
        match self {
            Self::NoSuchEnvironment => not_found(),
            Self::Told(why) => page(
                StatusCode::BAD_REQUEST,
                "Nobody can sign in here",
                &format!("<p>{why}</p>\n"),
            ),
            Self::Redirected(response) => *response,
        }
    }
}

/// Whether this is `http://127.0.0.1:PORT/callback` or the same for another loopback address.
fn is_redirect_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        };
        let is_plain =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        url.scheme() == "http" && is_loopback && is_plain && url.path() == REDIRECT_PATH
    })
}
