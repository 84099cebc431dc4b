//! The state that both servers answer from, and the handle that changes it while they run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::ledger::Ledger;
use super::{Seen, TokenPost, refusals};
use crate::credentials::Secret;

/// How long a token stays on record once it has expired, so that "expired" and "revoked" differ.
const REMEMBERED: Duration = Duration::from_mins(1);

/// A handle on the running servers. Clones turn the same knobs; every change counts from the next
/// request on.
#[derive(Debug, Clone)]
pub struct Knobs(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    /// Tokens that the API accepts: `jti` and the exact end of life.
    issued: HashMap<String, SystemTime>,
    token_posts: Ledger<TokenPost>,
    seen: Ledger<Seen>,
}

/// How the servers behave. Change it through [`Knobs::change`].
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Registered applications by client id. Most rows of the error table are a state of these.
    pub applications: BTreeMap<String, Application>,
    /// How long access tokens live. `exp` is whole seconds, rounded up; the API goes by this value.
    pub lifetime: Duration,
    /// What the token answer says about it.
    pub expires_in: ExpiresIn,
    /// The roles in the token.
    pub groups: Groups,
    /// The token header's `typ`: `JWT` today, `at+jwt` from 2027-03-02 on.
    pub typ: String,
    /// How long the token endpoint keeps an answer back. A token's life runs meanwhile.
    pub latency: Duration,
    /// Replies for the next POSTs to the token endpoint, one each, before [`Behaviour::standing`].
    pub script: VecDeque<Reply>,
    /// The reply to every other POST to the token endpoint.
    pub standing: Reply,
    /// Whether the API knows this authorization server. If not, it refuses good tokens too: the
    /// precondition of the set-up guide.
    pub connected: bool,
    /// `servers[0].url` of the `OpenAPI` document: `/`, or an absolute URL.
    pub openapi_server: String,
}

/// An application as the console shows it, with its client secret.
#[derive(Debug, Clone)]
pub struct Application {
    /// The current client secret.
    pub secret: Secret,
    /// A replaced secret that still works, and until when.
    pub previous_secret: Option<(Secret, Instant)>,
    /// Token Endpoint Auth Method. Every other method is refused, whatever the secret.
    pub auth: AuthMethod,
    /// Switched on (step 7). Off reads like bad credentials.
    pub on: bool,
    /// Grant type Client Credentials ticked (step 5).
    pub client_credentials: bool,
    /// A Worker instead of an OIDC Web App (step 4), without role assignments.
    pub worker: bool,
    /// What the Resources tab grants (step 6); empty means that no scope was added.
    pub resources: Vec<Resource>,
}

/// How an application proves itself to the token endpoint (RFC 6749 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
}

/// A custom resource with the scopes that an application was granted on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The one member of the token's `aud`.
    pub audience: String,
    /// Scope names.
    pub scopes: Vec<String>,
}

/// The token's claim `groups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// A JSON array of strings, as the API wants it.
    Array(Vec<String>),
    /// Typed as plain text: one string, which grants nothing.
    Text(String),
    /// No such attribute on the resource.
    Missing,
}

/// The answer's `expires_in`.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpiresIn {
    /// The lifetime in whole seconds.
    True,
    /// Left out, as RFC 6749 5.1 allows.
    Missing,
    /// Anything else: `0`, `-1`, `"3600"`, `1e99`.
    Says(serde_json::Value),
}

/// What a POST to the token endpoint gets.
#[derive(Debug, Clone)]
pub enum Reply {
    /// What the request and the application deserve.
    Honest,
    /// This, whatever was asked.
    Fixed {
        /// The status.
        status: StatusCode,
        /// Beside the framing and `Date`.
        headers: HeaderMap,
        /// The body.
        body: Vec<u8>,
    },
    /// Nothing, for ever, on an open connection.
    Silence,
}

impl Knobs {
    pub(super) fn new(client_id: &str, application: Application, lifetime: Duration) -> Self {
        Self(Arc::new(Mutex::new(State {
            behaviour: Behaviour {
                applications: BTreeMap::from([(client_id.to_owned(), application)]),
                lifetime,
                expires_in: ExpiresIn::True,
                groups: Groups::Array(vec!["dev-tls-admin".to_owned()]),
                typ: "JWT".to_owned(),
                latency: Duration::ZERO,
                script: VecDeque::new(),
                standing: Reply::Honest,
                connected: true,
                openapi_server: "/".to_owned(),
            },
            issued: HashMap::new(),
            token_posts: Ledger::default(),
            seen: Ledger::default(),
        })))
    }

    /// Changes any of it at once. Both servers wait meanwhile: do not use the handle in `change`.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// How the servers behave now.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.state().behaviour.clone()
    }

    /// Changes one application; an unknown client id changes nothing.
    pub fn change_application(&self, client_id: &str, change: impl FnOnce(&mut Application)) {
        if let Some(application) = self.state().behaviour.applications.get_mut(client_id) {
            change(application);
        }
    }

    /// Replaces a client secret; the old one works for `grace` more. Zero is what the console does
    /// unless the administrator chooses otherwise.
    pub fn rotate_secret(&self, client_id: &str, secret: Secret, grace: Duration) {
        self.change_application(client_id, |application| {
            let old = std::mem::replace(&mut application.secret, secret);
            application.previous_secret = Some((old, Instant::now() + grace));
        });
    }

    /// Has the next POST to the token endpoint that nothing is scripted for answered with `reply`.
    pub fn then_reply(&self, reply: Reply) {
        self.change(|behaviour| behaviour.script.push_back(reply));
    }

    /// Has every POST to the token endpoint answered with `reply`, until told otherwise.
    pub fn always_reply(&self, reply: Reply) {
        self.change(|behaviour| behaviour.standing = reply);
    }

    /// The API refuses every token issued so far.
    pub fn revoke_all_tokens(&self) {
        self.state().issued.clear();
    }

    /// How many POSTs the token endpoint has had, refused ones included.
    #[must_use]
    pub fn token_post_count(&self) -> u64 {
        self.state().token_posts.total()
    }

    /// The latest POSTs to the token endpoint, oldest first.
    #[must_use]
    pub fn token_posts(&self) -> Vec<TokenPost> {
        self.state().token_posts.entries()
    }

    /// How many requests the API has answered.
    #[must_use]
    pub fn seen_count(&self) -> u64 {
        self.state().seen.total()
    }

    /// The latest requests that the API answered, in the order of the answers.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.entries()
    }

    pub(super) fn auth_method(&self, client_id: &str) -> AuthMethod {
        let state = self.state();
        state
            .behaviour
            .applications
            .get(client_id)
            .map_or(AuthMethod::Basic, |found| found.auth)
    }

    /// The reply to this POST: the script's next, else the standing one.
    pub(super) fn next_reply(&self) -> Reply {
        let behaviour = &mut self.state().behaviour;
        behaviour
            .script
            .pop_front()
            .unwrap_or_else(|| behaviour.standing.clone())
    }

    pub(super) fn record_issue(&self, jti: String, expires_at: SystemTime) {
        let now = SystemTime::now();
        let issued = &mut self.state().issued;
        issued.retain(|_, end| *end + REMEMBERED > now);
        issued.insert(jti, expires_at);
    }

    /// The exact end of a token's life; absent once it was revoked.
    pub(super) fn expiry_of(&self, jti: &str) -> Option<SystemTime> {
        self.state().issued.get(jti).copied()
    }

    /// Returns the entry's number for [`Knobs::record_reply`].
    pub(super) fn record_post(&self, post: TokenPost) -> u64 {
        self.state().token_posts.push(post)
    }

    pub(super) fn record_reply(&self, post: u64, status: StatusCode) {
        if let Some(post) = self.state().token_posts.entry(post) {
            post.status = Some(status);
        }
    }

    pub(super) fn record_seen(&self, seen: Seen) {
        self.state().seen.push(seen);
    }

    /// A test that failed inside [`Knobs::change`] must not hide its message behind a second panic.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Application {
    /// An application set up as the guide says, granting the one scope of the one resource.
    #[must_use]
    pub fn with_secret(secret: Secret, auth: AuthMethod) -> Self {
        Self {
            secret,
            previous_secret: None,
            auth,
            on: true,
            client_credentials: true,
            worker: false,
            resources: vec![Resource {
                audience: "self-service-api".to_owned(),
                scopes: vec!["self-service".to_owned()],
            }],
        }
    }
}

impl AuthMethod {
    /// The registered name (RFC 7591 2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

impl Reply {
    /// A status with a body of this content type.
    #[must_use]
    pub fn text(status: StatusCode, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::Fixed {
            status,
            headers: HeaderMap::from_iter([content_type]),
            body: body.into(),
        }
    }

    /// An HTML page, as a corporate proxy or a firewall puts in the server's place.
    #[must_use]
    pub fn html(status: StatusCode) -> Self {
        let page = "<!DOCTYPE html><html><head><title>Notice</title></head><body>Your request was intercepted.</body></html>";
        Self::text(status, "text/html; charset=utf-8", page)
    }

    /// A status in the second of the authorization server's two JSON shapes: 500, 502, 503, 504.
    #[must_use]
    pub fn trouble(status: StatusCode) -> Self {
        let code = if status == StatusCode::SERVICE_UNAVAILABLE {
            "SERVICE_UNAVAILABLE"
        } else {
            "UNEXPECTED_ERROR"
        };
        let body = refusals::platform_error(code, "The request could not be completed.");
        Self::text(status, "application/json", body.to_string())
    }

    /// 429 `REQUEST_LIMITED`; `retry_after` in seconds or as an HTTP date.
    #[must_use]
    pub fn limited(retry_after: Option<HeaderValue>) -> Self {
        let body = refusals::platform_error(
            "REQUEST_LIMITED",
            "The request was not completed because the allowed request rate was exceeded.",
        );
        Self::text(
            StatusCode::TOO_MANY_REQUESTS,
            "application/json",
            body.to_string(),
        )
        .with_header(header::RETRY_AFTER, retry_after)
    }

    /// Adds a header line to a fixed reply; `None` adds nothing.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        match (&mut self, value) {
            (Self::Fixed { headers, .. }, Some(value)) => {
                headers.append(name, value);
            }
            (Self::Fixed { .. }, None) | (Self::Honest | Self::Silence, _) => {}
        }
        self
    }
}
