//! The state that determines how both servers respond, and the handle that changes it while they run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::errors;
use super::recorder::{ApiRequest, RecentEntries, TokenRequest};
use crate::credentials::Secret;

/// How long an expired token is remembered, so that an expired token can be told from a revoked one.
const REMEMBERED: Duration = Duration::from_mins(1);

/// A handle to the state of the running servers. Clones share that state; a change takes effect with the
/// next request.
#[derive(Debug, Clone)]
pub struct DemoState(Arc<Mutex<StateInner>>);

#[derive(Debug)]
struct StateInner {
    behaviour: Behaviour,
    /// The tokens that the API accepts: `jti` and the exact time of expiry.
    issued: HashMap<String, SystemTime>,
    token_requests: RecentEntries<TokenRequest>,
    api_requests: RecentEntries<ApiRequest>,
}

/// How the servers behave. [`DemoState::change`] changes it.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Registered applications by client id. Most errors of the token endpoint follow from the state of one of these.
    pub applications: BTreeMap<String, Application>,
    /// The lifetime of access tokens. `exp` is in whole seconds, rounded up; the API uses the exact value.
    pub lifetime: Duration,
    /// The `expires_in` of the token response.
    pub expires_in: ExpiresIn,
    /// The claim `groups`: the roles in the token.
    pub groups: Groups,
    /// `typ` in the token's header: `JWT` today, `at+jwt` from 2027-03-02 on.
    pub typ: String,
    /// How long the token endpoint delays its response. The lifetime of the token starts before the delay.
    pub latency: Duration,
    /// Replies to the next token requests, one each; after these, [`Behaviour::default_reply`].
    pub next_replies: VecDeque<TokenReply>,
    /// The reply to every other token request.
    pub default_reply: TokenReply,
    /// Whether the API trusts this authorization server. If not, it rejects every token. This is the precondition
    /// in the setup guide.
    pub connected: bool,
    /// `servers[0].url` of the `OpenAPI` document: `/`, or an absolute URL.
    pub openapi_server: String,
}

/// An application as the console shows it, with its client secret.
#[derive(Debug, Clone)]
pub struct Application {
    /// The current client secret.
    pub secret: Secret,
    /// The replaced secret, and until when it still works.
    pub previous_secret: Option<(Secret, Instant)>,
    /// Token Endpoint Auth Method. Every other method is rejected, even with the right secret.
    pub auth: AuthMethod,
    /// Whether the application is enabled (step 7). A disabled one gets the same error as wrong credentials.
    pub on: bool,
    /// Whether the grant type Client Credentials is selected (step 5).
    pub client_credentials: bool,
    /// Whether it is a Worker without role assignments instead of an OIDC Web App (step 4).
    pub worker: bool,
    /// The scopes granted on the Resources tab (step 6); empty if no scope was added.
    pub resources: Vec<Resource>,
}

/// How an application authenticates to the token endpoint (RFC 6749 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
}

/// A custom resource, with the scopes on it that an application was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The only member of the token's `aud`.
    pub audience: String,
    /// Scope names.
    pub scopes: Vec<String>,
}

/// The claim `groups` of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// A JSON array of strings, which is what the API expects.
    Array(Vec<String>),
    /// One string, entered as plain text. It grants nothing.
    Text(String),
    /// The resource has no such attribute.
    Missing,
}

/// The `expires_in` of a token response.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpiresIn {
    /// The lifetime in whole seconds.
    True,
    /// Omitted, as RFC 6749 5.1 allows.
    Missing,
    /// Any other value: `0`, `-1`, `"3600"`, `1e99`.
    Says(serde_json::Value),
}

/// How the token endpoint replies to a request.
#[derive(Debug, Clone)]
pub enum TokenReply {
    /// As the request and the state of the application require.
    Normal,
    /// With this response, whatever was requested.
    Fixed {
        /// The status.
        status: StatusCode,
        /// In addition to the framing and `Date`.
        headers: HeaderMap,
        /// The body.
        body: Vec<u8>,
    },
    /// Never; the connection stays open.
    Never,
}

impl DemoState {
    pub(super) fn new(client_id: &str, application: Application, lifetime: Duration) -> Self {
        Self(Arc::new(Mutex::new(StateInner {
            behaviour: Behaviour {
                applications: BTreeMap::from([(client_id.to_owned(), application)]),
                lifetime,
                expires_in: ExpiresIn::True,
                groups: Groups::Array(vec!["dev-tls-admin".to_owned()]),
                typ: "JWT".to_owned(),
                latency: Duration::ZERO,
                next_replies: VecDeque::new(),
                default_reply: TokenReply::Normal,
                connected: true,
                openapi_server: "/".to_owned(),
            },
            issued: HashMap::new(),
            token_requests: RecentEntries::default(),
            api_requests: RecentEntries::default(),
        })))
    }

    /// Changes the behaviour atomically. Both servers wait until `change` returns, which therefore must not use this
    /// handle.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.lock().behaviour);
    }

    /// How the servers behave at present.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.lock().behaviour.clone()
    }

    /// Changes one application. An unknown client id has no effect.
    pub fn change_application(&self, client_id: &str, change: impl FnOnce(&mut Application)) {
        if let Some(application) = self.lock().behaviour.applications.get_mut(client_id) {
            change(application);
        }
    }

    /// Replaces a client secret. The old one keeps working for `grace`, which the console sets to zero unless the
    /// administrator chooses otherwise.
    pub fn rotate_secret(&self, client_id: &str, secret: Secret, grace: Duration) {
        self.change_application(client_id, |application| {
            let old = std::mem::replace(&mut application.secret, secret);
            application.previous_secret = Some((old, Instant::now() + grace));
        });
    }

    /// Adds a reply for one token request, after those that are already queued.
    pub fn reply_next(&self, reply: TokenReply) {
        self.change(|behaviour| behaviour.next_replies.push_back(reply));
    }

    /// Sets the reply to every token request that has none queued.
    pub fn reply_always(&self, reply: TokenReply) {
        self.change(|behaviour| behaviour.default_reply = reply);
    }

    /// Makes the API reject every token that was issued so far.
    pub fn revoke_all_tokens(&self) {
        self.lock().issued.clear();
    }

    /// How many requests the token endpoint has received, rejected ones included.
    #[must_use]
    pub fn token_request_count(&self) -> u64 {
        self.lock().token_requests.total()
    }

    /// The latest requests to the token endpoint, oldest first.
    #[must_use]
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        self.lock().token_requests.entries()
    }

    /// How many requests the API has answered.
    #[must_use]
    pub fn api_request_count(&self) -> u64 {
        self.lock().api_requests.total()
    }

    /// The latest requests that the API has answered, in the order of its responses.
    #[must_use]
    pub fn api_requests(&self) -> Vec<ApiRequest> {
        self.lock().api_requests.entries()
    }

    pub(super) fn auth_method(&self, client_id: &str) -> AuthMethod {
        let state = self.lock();
        state
            .behaviour
            .applications
            .get(client_id)
            .map_or(AuthMethod::Basic, |application| application.auth)
    }

    /// The reply to one token request: the next one in the queue, or the default.
    pub(super) fn next_reply(&self) -> TokenReply {
        let behaviour = &mut self.lock().behaviour;
        behaviour
            .next_replies
            .pop_front()
            .unwrap_or_else(|| behaviour.default_reply.clone())
    }

    pub(super) fn record_issue(&self, jti: String, expires_at: SystemTime) {
        let now = SystemTime::now();
        let issued = &mut self.lock().issued;
        issued.retain(|_, end| *end + REMEMBERED > now);
        issued.insert(jti, expires_at);
    }

    /// When a token expires, exactly; `None` if it was revoked.
    pub(super) fn expiry_of(&self, jti: &str) -> Option<SystemTime> {
        self.lock().issued.get(jti).copied()
    }

    /// Returns the number to pass to [`DemoState::record_token_status`].
    pub(super) fn record_token_request(&self, request: TokenRequest) -> u64 {
        self.lock().token_requests.push(request)
    }

    pub(super) fn record_token_status(&self, number: u64, status: StatusCode) {
        if let Some(request) = self.lock().token_requests.entry(number) {
            request.status = Some(status);
        }
    }

    pub(super) fn record_api_request(&self, request: ApiRequest) {
        self.lock().api_requests.push(request);
    }

    /// Ignores poisoning: a test that panicked inside [`DemoState::change`] must not cause a second panic that hides
    /// the first.
    fn lock(&self) -> MutexGuard<'_, StateInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Application {
    /// An application set up as the guide describes, with the only scope of the only resource.
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

impl TokenReply {
    /// A response with this status, content type and body.
    #[must_use]
    pub fn text(status: StatusCode, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::Fixed {
            status,
            headers: HeaderMap::from_iter([content_type]),
            body: body.into(),
        }
    }

    /// An HTML page such as a corporate proxy or a firewall sends in place of the server's response.
    #[must_use]
    pub fn html(status: StatusCode) -> Self {
        let page = "<!DOCTYPE html><html><head><title>Notice</title></head><body>Your request was intercepted.</body></html>";
        Self::text(status, "text/html; charset=utf-8", page)
    }

    /// A server error (500, 502, 503, 504) in the second of the authorization server's two JSON formats.
    #[must_use]
    pub fn trouble(status: StatusCode) -> Self {
        let code = if status == StatusCode::SERVICE_UNAVAILABLE {
            "SERVICE_UNAVAILABLE"
        } else {
            "UNEXPECTED_ERROR"
        };
        let body = errors::platform_error(code, "The request could not be completed.");
        Self::text(status, "application/json", body.to_string())
    }

    /// 429 `REQUEST_LIMITED`, with `retry_after` in seconds or as an HTTP date.
    #[must_use]
    pub fn limited(retry_after: Option<HeaderValue>) -> Self {
        let body = errors::platform_error(
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

    /// Adds a field line to a fixed reply. `None` adds nothing.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        match (&mut self, value) {
            (Self::Fixed { headers, .. }, Some(value)) => {
                headers.append(name, value);
            }
            (Self::Fixed { .. }, None) | (Self::Normal | Self::Never, _) => {}
        }
        self
    }
}
