//! What a request of a browser to the redirect listener leads to. Whatever is wrong with a request changes nothing.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body::Body;
use tokio::time::Instant;
use url::form_urlencoded;

use super::answer_form::{self, ConfirmationAnswer};
use super::completion::Completion;
use super::outcome::{LoginOutcome, answer, settle};
use super::pages::{self, LoginResponse, page};
use crate::credentials::Secret;
use crate::guard::{Peer, is_own_user};
use crate::text::{Unprintable, sanitize, shorten};
use crate::token::{AuthorizationResponse, LoginAttempt, is_same_word};

/// Browsers send the cookies of a host to each of its ports, so the port follows.
const COOKIE: &str = "cupbearer_login_";

/// Where a browser ends that has brought the response.
const DONE: &str = "/done";

/// Where a browser ends whose response is rejected. Its address contains no code.
const REJECTED: &str = "/rejected";

/// How much of an error's description is shown, in characters.
const MAX_DESCRIPTION: usize = 300;

/// One sign-in as browsers see it.
pub(super) struct LoginVisits {
    attempt: LoginAttempt,
    secrets: VisitSecrets,
    stage: Mutex<LoginStage>,
    completion: Completion,
}

/// What nobody can guess.
pub(super) struct VisitSecrets {
    /// The last part of the only address that begins the sign-in.
    pub(super) once: String,
    /// Marks the browser that has opened that address.
    pub(super) cookie: String,
    /// Marks the form in which that browser confirms that someone else is to be signed in.
    pub(super) confirmation: String,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginStage {
    /// No browser has opened the address yet.
    New,
    /// The person is at the authorization server.
    Away,
    /// The person has come back with a code.
    Back,
}

impl LoginVisits {
    pub(super) fn new(
        attempt: LoginAttempt,
        secrets: VisitSecrets,
        completion: Completion,
    ) -> Self {
        Self {
            attempt,
            secrets,
            stage: Mutex::new(LoginStage::New),
            completion,
        }
    }

    pub(super) fn proxy(&self) -> Option<&str> {
        self.completion.proxy.as_deref()
    }

    /// When the sign-in ends.
    pub(super) const fn deadline(&self) -> Instant {
        self.completion.deadline
    }

    /// The response to one request.
    pub(super) async fn respond<B: Body<Data = Bytes>>(
        self: &Arc<Self>,
        request: Request<B>,
        peer: &Peer,
    ) -> LoginResponse {
        let (request, body) = request.into_parts();
        if !is_own_user(peer) {
            return page(
                StatusCode::FORBIDDEN,
                "This sign-in belongs to another user",
                "Only the user that this cupbearer runs as, and root, may sign in here.",
            );
        }
        if !self.is_our_host(&request.headers) {
            return page(
                StatusCode::MISDIRECTED_REQUEST,
                "Wrong address",
                "This listener responds only at the address in token.redirect_url.",
            );
        }
        let path = request.uri.path();
        if request.method == Method::POST && path == self.question_path() {
            return self.confirm(&request.headers, body).await;
        }
        if request.method != Method::GET {
            return page(
                StatusCode::METHOD_NOT_ALLOWED,
                "Wrong method",
                "Only GET is allowed here.",
            );
        }
        if let Some(once) = path.strip_prefix("/start/") {
            return self.start(once, &request.headers);
        }
        match path {
            path if path == self.attempt.config().redirect_url.path() => {
                let query = request.uri.query().unwrap_or_default();
                self.come_back(query, &request.headers).await
            }
            path if path == self.question_path() => self.question(&request.headers),
            REJECTED => pages::rejected(),
            DONE => {
                let outcome = self.completion.outcome.borrow();
                if outcome.unconfirmed().is_some() {
                    let question = pages::redirect(&self.question_path(), None);
                    return question.unwrap_or_else(pages::gone);
                }
                pages::outcome(&outcome)
            }
            _ => page(
                StatusCode::NOT_FOUND,
                "Not found",
                "There is nothing at this address.",
            ),
        }
    }

    fn is_our_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let ours = self.attempt.config().redirect_authority();
        hosts
            .next()
            .is_some_and(|host| host.as_bytes() == ours.as_bytes())
            && hosts.next().is_none()
    }

    /// Sends the browser that comes first to the authorization server. One that only fetches in advance gets nothing.
    fn start(&self, once: &str, headers: &HeaderMap) -> LoginResponse {
        let is_prefetch = headers.contains_key("sec-purpose") || headers.contains_key("purpose");
        if is_prefetch || !self.is_waiting() || !is_same_word(once, &self.secrets.once) {
            return pages::gone();
        }
        if !self.advance(LoginStage::New, LoginStage::Away) {
            return pages::gone();
        }
        let path = self.attempt.config().redirect_url.path();
        let cookie = format!(
            "{}={}; Path={path}; HttpOnly; SameSite=Lax",
            self.cookie_name(),
            self.secrets.cookie
        );
        let target = self.attempt.authorization_url().as_str();
        pages::redirect(target, Some(&cookie)).unwrap_or_else(pages::gone)
    }

    /// The person comes back from the authorization server. Afterwards neither the code nor the state is in the address
    /// bar.
    async fn come_back(self: &Arc<Self>, query: &str, headers: &HeaderMap) -> LoginResponse {
        if !self.is_waiting() {
            return self.show_outcome();
        }
        let fields = ResponseFields::read(query);
        if !self.has_cookie(headers) {
            return self.reject("this browser has not begun this sign-in");
        }
        if let Err(defect) = self.attempt.check(&fields.response) {
            return self.reject(&defect.to_string());
        }
        if fields.code.is_none() && fields.error.is_none() {
            return self.reject("it has neither a code nor an error");
        }
        if !self.advance(LoginStage::Away, LoginStage::Back) {
            // The same browser again, perhaps while the code is exchanged.
            self.wait_until(|outcome| *outcome != LoginOutcome::Waiting)
                .await;
            return self.show_outcome();
        }
        match (fields.error, fields.code) {
            (Some(error), _) => {
                let description = fields.description.as_deref();
                let refused = refusal(&error, description, self.proxy());
                settle(&self.completion.outcome, refused);
            }
            (None, Some(code)) => self.complete(code).await,
            (None, None) => return pages::gone(), // just above
        }
        self.show_outcome()
    }

    /// How it has ended, or the question that it waits for, at an address without a code.
    fn show_outcome(&self) -> LoginResponse {
        let (is_asked, is_open) = {
            let outcome = self.completion.outcome.borrow();
            (outcome.unconfirmed().is_some(), outcome.is_open())
        };
        let path = self.attempt.config().redirect_url.path();
        let name = self.cookie_name();
        let forgotten = format!("{name}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Lax");
        let shown = if is_asked {
            pages::redirect(&self.question_path(), None)
        } else {
            pages::redirect(DONE, (!is_open).then_some(&forgotten))
        };
        shown.unwrap_or_else(pages::gone)
    }

    /// Waits until the outcome is such.
    async fn wait_until(&self, is_such: impl FnMut(&LoginOutcome) -> bool) {
        let mut changes = self.completion.outcome.subscribe();
        // The sender is a part of this.
        let _ = changes.wait_for(is_such).await;
    }

    /// Where the browser is asked whether someone else is to be signed in. It sends the cookie there.
    fn question_path(&self) -> String {
        let path = self.attempt.config().redirect_url.path();
        format!("{}/confirm", path.trim_end_matches('/'))
    }

    /// Asks whether someone else is to be signed in.
    fn question(&self, headers: &HeaderMap) -> LoginResponse {
        if !self.has_cookie(headers) {
            return pages::rejected();
        }
        let outcome = self.completion.outcome.borrow();
        let Some(change) = outcome.unconfirmed() else {
            return pages::redirect(DONE, None).unwrap_or_else(pages::gone);
        };
        pages::question(change, &self.question_path(), &self.secrets.confirmation)
    }

    /// The browser brings the answer to the question. Only the form of the page has the confirmation, and only the
    /// browser that has begun this sign-in has the cookie.
    async fn confirm<B: Body<Data = Bytes>>(&self, headers: &HeaderMap, body: B) -> LoginResponse {
        let is_foreign =
            answer_form::is_foreign(headers, &self.attempt.config().redirect_authority());
        if is_foreign || !self.has_cookie(headers) {
            return self.reject("a confirmation that this sign-in's own page has not sent");
        }
        let Some(form) = answer_form::read(body).await else {
            return self.reject("a confirmation that cannot be read");
        };
        if !is_same_word(&form.confirmation, &self.secrets.confirmation) {
            return self.reject("a confirmation of another sign-in");
        }
        let is_confirmed = form.answer == ConfirmationAnswer::Replace;
        if answer(&self.completion.outcome, is_confirmed) {
            self.wait_until(|outcome| !outcome.is_open()).await;
        }
        self.show_outcome()
    }

    /// Returns once the code has been exchanged, even if the person has yet to be asked. In a task, since the browser
    /// may go away, and the code can be used only once.
    async fn complete(self: &Arc<Self>, code: Secret) {
        let this = Arc::clone(self);
        let completing = tokio::spawn(async move {
            let proxy = this.proxy();
            match this.attempt.complete(&code, &this.completion).await {
                Ok(signed_in) => {
                    let who = signed_in.who.as_deref();
                    tracing::info!(proxy, who, renewed = signed_in.is_renewed, "signed in");
                }
                Err(error) => {
                    let error = error.chain();
                    tracing::warn!(proxy, error, "the sign-in has failed");
                    settle(&this.completion.outcome, LoginOutcome::Failed(error));
                }
            }
        });
        let outcome = self.completion.outcome.clone();
        tokio::spawn(async move {
            if completing.await.is_err() {
                let failed = LoginOutcome::Failed("a bug in cupbearer".to_owned());
                settle(&outcome, failed);
            }
        });
        self.wait_until(|outcome| *outcome != LoginOutcome::Waiting)
            .await;
    }

    /// Whether the person has yet to come back.
    fn is_waiting(&self) -> bool {
        *self.completion.outcome.borrow() == LoginOutcome::Waiting
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(header::COOKIE).into_iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';'));
        cookies.any(|cookie| {
            let named = cookie.trim().split_once('=');
            named.is_some_and(|(name, value)| {
                name == self.cookie_name() && is_same_word(value, &self.secrets.cookie)
            })
        })
    }

    /// Another cupbearer may wait for its person at another port.
    fn cookie_name(&self) -> String {
        let port = self.attempt.config().redirect_url.port();
        format!("{COOKIE}{}", port.unwrap_or_default())
    }

    /// A response that does not belong to this sign-in, which goes on. It may have a code, which must not stay in the
    /// address bar.
    fn reject(&self, why: &str) -> LoginResponse {
        tracing::warn!(
            proxy = self.proxy(),
            why,
            "rejected a response to the sign-in; the sign-in goes on"
        );
        pages::redirect(REJECTED, None).unwrap_or_else(pages::gone)
    }

    fn advance(&self, from: LoginStage, to: LoginStage) -> bool {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let may = *stage == from;
        if may {
            *stage = to;
        }
        may
    }
}

/// What the browser brings (RFC 6749 4.1.2).
#[derive(Default)]
struct ResponseFields {
    response: AuthorizationResponse,
    code: Option<Secret>,
    error: Option<String>,
    description: Option<String>,
}

impl ResponseFields {
    /// A field that is repeated counts as wrong (RFC 6749 3.1).
    fn read(query: &str) -> Self {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut fields.response.state,
                "iss" => &mut fields.response.issuer,
                "error" => &mut fields.error,
                "error_description" => &mut fields.description,
                "code" if fields.code.is_none() => {
                    fields.code = Some(Secret::new(value.into_owned()));
                    continue;
                }
                "code" => return Self::default(),
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Self::default();
            }
        }
        fields
    }
}

/// The authorization server sends the browser back without a code (RFC 6749 4.1.2.1).
fn refusal(error: &str, description: Option<&str>, proxy: Option<&str>) -> LoginOutcome {
    let words = [Some(error), description].into_iter().flatten();
    let text = words.collect::<Vec<_>>().join(": ");
    let text = shorten(&sanitize(&text, Unprintable::Remove), MAX_DESCRIPTION);
    let text = format!("the authorization server says: {text}");
    tracing::warn!(proxy, error = text, "the sign-in was denied");
    // The last four are of OpenID Connect Core 3.1.2.6. Any other is about the client, the request or the server.
    match error {
        "access_denied"
        | "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => LoginOutcome::Denied(text),
        _ => LoginOutcome::Failed(text),
    }
}

#[cfg(test)]
mod tests;
