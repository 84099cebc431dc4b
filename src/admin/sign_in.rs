//! Orders by which a person signs in and out: `POST /login`, `/logout` and `/token/paste`. The token goes in; nothing
//! ever hands it out.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, StatusCode, header};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::response::{AdminResponse, line, with_type};
use super::status::{timestamp, unconfirmed_sign_in};
use super::status_api::{DeviceCode, SignInResult};
use super::view::ProxyView;
use crate::login::LoginNotStarted;
use crate::text::error_chain;
use crate::token::{PasteError, SignedIn, Tokens};

/// What a person orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignInOrder {
    /// `POST /login`: where to sign in, or how a sign-in with a browser goes.
    Login,
    /// `POST /logout`.
    Logout,
    /// `POST /token/paste`.
    Paste,
}

impl SignInOrder {
    /// The order that is given at this path, whatever the method.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/login" => Some(Self::Login),
            "/logout" => Some(Self::Logout),
            "/token/paste" => Some(Self::Paste),
            _ => None,
        }
    }
}

/// The JSON of an order.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of the object"
)]
struct OrderFields {
    /// The name of the proxy, if there are several.
    proxy: Option<String>,
    /// The API that the person means: scheme, host and port.
    api: Option<String>,
    /// The token that was pasted.
    token: Option<String>,
    /// The sign-in that is asked about.
    login: Option<String>,
    /// Whether that sign-in ends.
    cancel: bool,
    /// Whether that sign-in, which waits for it, replaces whoever was signed in before.
    confirm: bool,
    /// Whether a sign-in that begins replaces whoever is signed in without waiting for a confirmation.
    replace: bool,
    /// Whether the person signs in with a code on another device.
    device: bool,
}

/// What no order can be given for.
const NOBODY_SIGNS_IN: &str = "No one can sign in to this proxy: that takes \"authorization_code\", \"device_code\" or \"paste\" as token.grant.";

/// Whether the request says that it is JSON. A form of another page cannot say so.
pub(super) fn is_json<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    request.method() == Method::POST
        && media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
}

/// Carries out an order of the person who owns this process. Browsers say where an order of a page comes from.
pub(super) async fn carry_out(
    order: SignInOrder,
    headers: &HeaderMap,
    body: &[u8],
    views: &[ProxyView],
) -> AdminResponse {
    // serde's error may quote the token.
    let Ok(mut fields) = serde_json::from_slice::<OrderFields>(body) else {
        return bad_request(
            "The body cannot be read: send a JSON object in which proxy, api, token and login, where present, are strings, and \
             device, cancel, confirm and replace are true or false.",
        );
    };
    let view = match chosen(fields.proxy.as_deref(), views) {
        Ok(view) => view,
        Err(response) => return *response,
    };
    let (tokens, api) = (view.sign_in_target)();
    if let Some(wanted) = fields.api.as_deref()
        && wanted != api
        && !(order == SignInOrder::Logout && wanted == (view.upstream)())
    {
        return line(StatusCode::CONFLICT, for_another_api(&api, wanted));
    }
    match order {
        SignInOrder::Login if fields.device && is_of_browser(headers) => line(
            StatusCode::FORBIDDEN,
            "No page can begin a sign-in with a code: use `cupbearer login --device`.".to_owned(),
        ),
        SignInOrder::Login if fields.device => begin_device(view, &tokens, fields.replace).await,
        SignInOrder::Login => {
            if let Some(id) = fields.login.as_deref().filter(|_| fields.cancel) {
                view.logins.cancel_one(id).await;
            }
            if let Some(id) = fields.login.as_deref().filter(|_| fields.confirm) {
                view.logins.confirm(id);
            }
            login(view, &tokens, fields.login.as_deref(), fields.replace).await
        }
        SignInOrder::Logout => match sign_out(view, &tokens).await {
            Ok(problem) => response(&SignInResult {
                problem,
                ..result(&view.name, &tokens)
            }),
            Err(error) => failure(&error),
        },
        SignInOrder::Paste => {
            let Some(token) = fields.token.take().map(Zeroizing::new) else {
                return bad_request("The order has no token.");
            };
            match tokens.paste(token.as_bytes()) {
                Ok(_) => response(&SignInResult {
                    api,
                    ..result(&view.name, &tokens)
                }),
                Err(error) => failure(&error),
            }
        }
    }
}

/// Why an order that names another API changes nothing.
fn for_another_api(api: &str, wanted: &str) -> String {
    format!(
        "A person signs in to {api} here, not to {wanted}, so nothing has changed. If the configuration file has just been \
         changed, `cupbearer status` shows why the change is not in use."
    )
}

/// Says where to sign in: for a sign-in with a browser begins one, or says how the one with this id goes.
async fn login(
    view: &ProxyView,
    tokens: &Tokens,
    id: Option<&str>,
    replaces: bool,
) -> AdminResponse {
    if tokens.login_config().is_none() {
        return response(&result(&view.name, tokens));
    }
    if let Some(id) = id {
        let outcome = view.logins.outcome(id);
        return response(&SignInResult {
            outcome: Some(outcome.as_str().to_owned()),
            problem: outcome.problem().map(str::to_owned),
            unconfirmed: outcome
                .unconfirmed()
                .map(|change| unconfirmed_sign_in(id, change)),
            ..result(&view.name, tokens)
        });
    }
    let begun = view
        .logins
        .begin(Arc::clone(&view.sign_in_tokens), replaces);
    match begun.await {
        Ok(started) => response(&SignInResult {
            login: Some(started.id),
            start_url: Some(started.start_url),
            ..result(&view.name, tokens)
        }),
        Err(error) => not_started(&error),
    }
}

/// Begins a sign-in with a code, which nothing but this response contains.
async fn begin_device(view: &ProxyView, tokens: &Tokens, replaces: bool) -> AdminResponse {
    let serving = Arc::clone(&view.sign_in_tokens);
    let begun = view.logins.begin_device(serving, replaces);
    match begun.await {
        Ok(started) => response(&SignInResult {
            login: Some(started.id),
            device: Some(DeviceCode {
                verification_url: started.prompt.verification_url.to_string(),
                complete_url: started.prompt.complete_url.map(String::from),
                user_code: started.prompt.user_code,
                expires_in_s: started.prompt.lifetime.as_secs(),
            }),
            ..result(&view.name, tokens)
        }),
        Err(error) => not_started(&error),
    }
}

/// Whether a browser sends it: every browser adds one of these to such a POST, and no page can remove it.
fn is_of_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn not_started(error: &LoginNotStarted) -> AdminResponse {
    let is_configured_so = match error {
        LoginNotStarted::Taken { .. } | LoginNotStarted::Cancelled => true,
        LoginNotStarted::Login(error) => error.is_configured_so(),
        LoginNotStarted::NoRandomBytes(_) => false,
    };
    let status = if is_configured_so {
        StatusCode::CONFLICT
    } else {
        StatusCode::BAD_GATEWAY
    };
    line(status, format!("{}.", error_chain(error)))
}

/// Signs out of the identity that serves, and of the one that waits for its first token. Returns what the person should
/// know if the token could not be revoked.
async fn sign_out(view: &ProxyView, tokens: &Tokens) -> Result<Option<String>, PasteError> {
    // Whoever is about to come back would be signed in again.
    view.logins.cancel().await;
    let signed_out = tokens.sign_out()?;
    let live = (view.tokens)();
    let of_live = live.is_sign_in().then(|| live.sign_out()).transpose()?;
    let signed_out = match of_live {
        Some(of_live) => signed_out.and(of_live),
        None => signed_out,
    };
    Ok(signed_out.revoke().await)
}

/// The proxy with this name, or the only one that a person signs in to.
fn chosen<'a>(
    name: Option<&str>,
    views: &'a [ProxyView],
) -> Result<&'a ProxyView, Box<AdminResponse>> {
    let of_people = |view: &&ProxyView| (view.sign_in_tokens)().is_sign_in();
    let is_meant = |view: &&ProxyView| name.is_none_or(|name| name == view.name);
    let candidates: Vec<&ProxyView> = views.iter().filter(is_meant).filter(of_people).collect();
    match candidates[..] {
        [only] => Ok(only),
        [] if views.iter().any(|view| is_meant(&view)) => Err(Box::new(line(
            StatusCode::CONFLICT,
            NOBODY_SIGNS_IN.to_owned(),
        ))),
        [] => Err(Box::new(line(
            StatusCode::NOT_FOUND,
            "There is no proxy with this name.".to_owned(),
        ))),
        [..] => {
            let names: Vec<&str> = candidates.iter().map(|view| &*view.name).collect();
            Err(Box::new(bad_request(&format!(
                "Several proxies need a person: name one of {} as proxy.",
                names.join(", ")
            ))))
        }
    }
}

fn bad_request(text: &str) -> AdminResponse {
    line(StatusCode::BAD_REQUEST, text.to_owned())
}

fn failure(error: &PasteError) -> AdminResponse {
    let status = match error {
        PasteError::NotExpected => StatusCode::CONFLICT,
        PasteError::Defect(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    line(status, format!("{error}."))
}

/// Who is signed in now.
fn result(proxy: &str, tokens: &Tokens) -> SignInResult {
    let snapshot = tokens.snapshot();
    let sign_in = snapshot.sign_in.as_ref();
    let person = tokens.signed_in();
    SignInResult {
        proxy: proxy.to_owned(),
        state: snapshot.state.as_str().to_owned(),
        way: sign_in
            .map_or("", |sign_in| sign_in.place.way.as_str())
            .to_owned(),
        is_renewed: person.as_ref().is_some_and(|person| person.is_renewed),
        login_url: sign_in.and_then(|sign_in| sign_in.place.login_url.clone()),
        page: sign_in.and_then(|sign_in| sign_in.place.page.clone()),
        who: person.as_ref().and_then(|person| person.who.clone()),
        expires_at: person.as_ref().and_then(expiry),
        doubts: person.map(|person| person.doubts).unwrap_or_default(),
        ..SignInResult::default()
    }
}

fn response(result: &SignInResult) -> AdminResponse {
    // Cannot fail: these are strings.
    let text = serde_json::to_string_pretty(result).unwrap_or_default() + "\n";
    with_type(StatusCode::OK, "application/json", text)
}

fn expiry(person: &SignedIn) -> Option<String> {
    person.until.map(timestamp)
}
