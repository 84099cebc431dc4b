//! The pages that a browser shows during a sign-in. They have no script, load nothing and cannot be framed.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::answer_form::{ANSWER, CONFIRMATION, REPLACE};
use super::outcome::LoginOutcome;
use crate::problem::{escape_html, protect_page};
use crate::token::PersonChange;

/// A response of the redirect listener.
pub(super) type LoginResponse = Response<Full<Bytes>>;

/// The form of the question is sent to this listener, and nowhere else.
const QUESTION_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
);

/// A page with this heading and text.
pub(super) fn page(status: StatusCode, heading: &str, text: &str) -> LoginResponse {
    page_with(status, heading, text, "")
}

/// Asks whether someone else is to be signed in. The answer is sent to `path` with the `confirmation`.
pub(super) fn question(change: &PersonChange, path: &str, confirmation: &str) -> LoginResponse {
    let before = change.before.as_deref().unwrap_or("someone");
    let (text, replace) = match &change.who {
        Some(who) => (
            format!(
                "You have signed in as {who}, but {before} is signed in to cupbearer. If you go on, requests are sent as \
                 {who} from now on, and {before} is signed out."
            ),
            format!("Sign in as {who}"),
        ),
        None => (
            format!(
                "Your token does not say who you are, and {before} is signed in to cupbearer. If you go on, requests are \
                 sent with your token from now on, and {before} is signed out, unless that is you."
            ),
            "Sign in".to_owned(),
        ),
    };
    let [path, confirmation, replace] = [path, confirmation, &replace].map(escape_html);
    let form = format!(
        "<form method=\"post\" action=\"{path}\"><input type=\"hidden\" name=\"{CONFIRMATION}\" value=\"{confirmation}\">\
         <button name=\"{ANSWER}\" value=\"{REPLACE}\">{replace}</button> \
         <button name=\"{ANSWER}\" value=\"keep\">Cancel</button></form>\n"
    );
    let mut response = page_with(StatusCode::OK, "Someone else is signed in", &text, &form);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, QUESTION_POLICY);
    response
}

/// The same with more HTML below the text.
fn page_with(status: StatusCode, heading: &str, text: &str, more: &str) -> LoginResponse {
    let (heading, text) = (escape_html(heading), escape_html(text));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{heading}: cupbearer</title>\n\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;overflow-wrap:anywhere}}</style>\n\
         <h1>{heading}</h1>\n<p>{text}</p>\n{more}</html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    protect(response.headers_mut());
    response
}

/// A redirect, which leaves nothing of this address behind.
pub(super) fn redirect(target: &str, cookie: Option<&str>) -> Option<LoginResponse> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::try_from(target).ok()?);
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    protect(headers);
    Some(response)
}

/// What a person sees at the end.
pub(super) fn outcome(outcome: &LoginOutcome) -> LoginResponse {
    match outcome {
        LoginOutcome::SignedIn => page(
            StatusCode::OK,
            "You are signed in",
            "cupbearer uses your token from now on. You may close this page.",
        ),
        LoginOutcome::Denied(why) => page(StatusCode::OK, "You are not signed in", why),
        LoginOutcome::Failed(why) => page(StatusCode::OK, "The sign-in has failed", why),
        LoginOutcome::Waiting => page(
            StatusCode::OK,
            "Nobody is signed in yet",
            "Sign in on the page of the authorization server.",
        ),
        LoginOutcome::Unconfirmed(_) | LoginOutcome::Confirmed => page(
            StatusCode::OK,
            "You are not signed in yet",
            "Someone else is signed in. Confirm the change on the page that asks about it.",
        ),
        LoginOutcome::Expired | LoginOutcome::Replaced => gone(),
    }
}

/// A response that does not belong to the sign-in, which goes on.
pub(super) fn rejected() -> LoginResponse {
    page(
        StatusCode::BAD_REQUEST,
        "This is not the response to your sign-in",
        "Nothing has changed, and the log says why. If you have just signed in, begin again with `cupbearer login`, or on \
         the page /sign-in of the admin listener.",
    )
}

/// An address that has been used, or that belongs to another sign-in.
pub(super) fn gone() -> LoginResponse {
    page(
        StatusCode::GONE,
        "This address is not valid any more",
        "It works once. Begin again with `cupbearer login`, or on the page /sign-in of the admin listener.",
    )
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    protect_page(headers);
    // The browser has come from the authorization server's page, and may go back to it.
    headers.remove(HeaderName::from_static("cross-origin-opener-policy"));
}
