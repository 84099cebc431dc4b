//! Who may do what, decided before a request's body is read and before an upgrade: by its head, by who sends
//! it (`callers`), and by what that caller may (`rails`).
//!
//! Three of them keep web pages out, and none replaces another: only `Host` shows DNS rebinding and
//! 0.0.0.0, only `Origin` shows a cross-site WebSocket, only `Sec-Fetch-Site` shows a no-cors GET. The
//! rest refuses what hyper lets through although it could be read in two ways.
//!
//! The passing path never waits, and allocates nothing but what a percent-encoded path decodes to where
//! there are rails. Reads `config`; answers with `answer`.

mod callers;
mod cors;
mod credential;
mod fields;
mod framing;
mod host;
mod key;
mod key_file;
mod lease;
mod origin;
mod path;
mod peer;
mod rails;
mod target;
mod users;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};

use crate::config;
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId};

use fields::Fields;
use host::Names;
use rails::{Asked, Rails};
use users::Users;

pub use callers::Callers;
pub use cors::Cors;
pub use key::{KeyDigest, KeyError, NoRandomness, keys_in, new_key};
pub use key_file::{KeyProblem, KeyWatch, check_keys};
pub use lease::Lease;
pub use peer::{CallerName, Peer, Way};

/// The checks of one listener.
///
/// Whether that listener is a loopback one makes no difference to what a head must look like: behind
/// `-p 9000:6749` it is not, and its callers still say `localhost`.
#[derive(Debug, Clone)]
pub struct Guard {
    /// `guard.hosts`.
    hosts: Vec<String>,
    /// `guard.origins`.
    origins: Vec<String>,
    /// `guard.local_users`.
    users: Users,
    /// `guard.read_only`, `.allow` and `.deny`.
    rails: Option<Arc<Rails>>,
    /// `guard.callers`; shared, since their keys are replaced for all workers at once.
    callers: Option<Arc<Callers>>,
    /// What must admit as well, while a changed configuration waits for its identity.
    also: Option<Arc<Guard>>,
}

/// The proof that a head has passed; only [`Guard::check`] makes one.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    cors: Cors,
    is_preflight: bool,
    caller: Option<CallerName>,
}

impl Admitted {
    /// Which of `guard.callers` it is, where any are configured.
    #[must_use]
    pub fn into_caller(self) -> Option<CallerName> {
        self.caller
    }

    /// What every answer to this request tells a browser about who may read it.
    #[must_use]
    pub const fn cors(&self) -> &Cors {
        &self.cors
    }

    /// The whole answer, where a browser only asks what a page of `guard.origins` may send: the upstream
    /// is not asked.
    #[must_use]
    pub fn preflight(&self, headers: &HeaderMap) -> Option<Response<Bytes>> {
        self.is_preflight
            .then(|| cors::preflight(&self.cors, headers))
    }
}

/// Why a request goes no further, and what to write so that the next one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the rule that was broken.
    pub reason: Reason,
    /// For the person who reads it; values of the request in it are shortened and cleaned.
    pub detail: Cow<'static, str>,
    /// The shape in which this client can read it.
    pub format: ProblemFormat,
    /// Which of `guard.callers` broke it, where that is known.
    pub caller: Option<CallerName>,
    /// Whether the page that asked may read why.
    pub cors: Cors,
}

impl Refusal {
    fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            format: ProblemFormat::Json,
            caller: None,
            cors: Cors::Off,
        }
    }

    /// The answer to send. Sets `Allow` where it belongs, and closes after a `bad_request`: where its
    /// end is in doubt, the next bytes are no request (RFC 9112 section 11.2).
    #[must_use]
    pub fn answer<'a>(&'a self, request_id: &'a RequestId) -> ProblemResponse<'a> {
        ProblemResponse {
            format: &self.format,
            allow: (self.reason == Reason::MethodRefused).then_some(target::FORWARDED_METHODS),
            close: self.reason == Reason::BadRequest,
            ..ProblemResponse::new(self.reason, &self.detail, request_id)
        }
    }
}

/// What is looked at: everything that was sent before the body.
#[derive(Clone, Copy)]
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
}

/// A path as rules see it: decoded; none where servers differ on what it means, so that it never passes where
/// there are rails.
#[must_use]
pub fn readable_path(path: &str) -> Option<Cow<'_, str>> {
    path::read(path).ok()
}

impl Guard {
    /// The guard in front of one plain-HTTP listener.
    #[must_use]
    pub fn new(config: &config::GuardConfig) -> Self {
        Self {
            hosts: config.hosts.clone(),
            origins: config.origins.clone(),
            users: Users::new(&config.local_users, users::own_uid()),
            rails: Rails::new(&config.rails, "guard").map(Arc::new),
            callers: Callers::new(&config.callers),
            also: None,
        }
    }

    /// Admits only what `other` admits too, and nobody whom `other` knows by another name. Where it knows
    /// nobody, who it is, is for this one to say.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            also: Some(Arc::new(other.clone())),
            ..self.clone()
        }
    }

    /// The named callers, where there are any: nobody has a key until a [`KeyWatch`] has read it.
    #[must_use]
    pub fn callers(&self) -> Option<Arc<Callers>> {
        self.callers.clone()
    }

    /// Decides on a request by its head and by who sends it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] of the first rule broken, in this order: `user_refused`, `method_refused`, `bad_request` or
    /// `target_refused` for the target, `bad_request` for the framing, `host_refused`,
    /// `target_refused` for a target that contradicts `Host`, `origin_refused`, `caller_unknown`,
    /// `rule_refused`.
    ///
    /// The question that a browser asks before a page of `guard.origins` may send (a preflight) passes
    /// here without more, since it never carries a key; its answer is [`Admitted::preflight`].
    pub fn check<B>(&self, request: &Request<B>, peer: &Peer) -> Result<Admitted, Refusal> {
        let head = Head {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        };
        self.decide_with_others(head, peer)
            .map_err(|refusal| Refusal {
                cors: origin::cors_of_refusal(head, &self.origins),
                ..refusal.in_form_for(head)
            })
    }

    fn decide_with_others(&self, head: Head<'_>, peer: &Peer) -> Result<Admitted, Refusal> {
        let Some(also) = &self.also else {
            return self.decide(head, peer);
        };
        let other = also.decide_with_others(head, peer)?;
        let admitted = self.decide(head, peer)?;
        match (&admitted.caller, &other.caller) {
            (Some(one), Some(another)) if one != another => Err(of_two_callers()),
            (_, _) => Ok(admitted),
        }
    }

    fn decide(&self, head: Head<'_>, peer: &Peer) -> Result<Admitted, Refusal> {
        self.users.check(peer)?;
        target::check_method(head.method)?;
        let names = Names::at(peer.way, &self.hosts);
        let authority = target::authority(head.uri, names)?;
        let fields = Fields::of(head.headers);
        framing::check(&fields, head.version)?;
        let host = host::check(fields.host, names)?;
        target::check_agreement(authority, host)?;
        let came_from = origin::check_origin(fields.origin, host, &self.origins)?;
        origin::check_site(fields.site, came_from)?;
        let cors = Cors::of(came_from, &self.origins);
        let is_preflight =
            matches!(cors, Cors::For(_)) && cors::is_preflight(head.method, head.headers);
        Ok(Admitted {
            cors,
            is_preflight,
            // A browser asks without a key, and nothing is forwarded for it.
            caller: if is_preflight {
                None
            } else {
                self.check_caller(head, &fields, peer)?
            },
        })
    }

    /// Who it is, and that they may: their own rails, and those of everyone.
    fn check_caller(
        &self,
        head: Head<'_>,
        fields: &Fields<'_>,
        peer: &Peer,
    ) -> Result<Option<CallerName>, Refusal> {
        let caller = match &self.callers {
            Some(callers) => Some(callers.identify(fields, peer)?),
            None => None,
        };
        let name = caller.map(|caller| caller.name.clone());
        let own = caller.and_then(|caller| caller.rails.as_ref());
        let asked = Asked {
            method: head.method,
            path: head.uri.path(),
            fields,
        };
        match rails::check(self.rails.as_deref().into_iter().chain(own), asked) {
            Ok(()) => Ok(name),
            Err(refusal) => Err(Refusal {
                caller: name,
                ..refusal
            }),
        }
    }
}

/// What one does must not be accounted to the other.
#[cold]
fn of_two_callers() -> Refusal {
    let detail = "The key, or the user, is of another caller in the changed configuration, which waits for its first token: try again once it serves.";
    Refusal::new(Reason::CallerUnknown, detail)
}

impl Refusal {
    /// A person who followed a link gets a page; only one who may go on by a click gets the link.
    fn in_form_for(self, head: Head<'_>) -> Self {
        let offers_link =
            self.reason == Reason::OriginRefused && origin::is_foreign_navigation(head);
        let format = match head.uri.path_and_query() {
            Some(target) if offers_link => ProblemFormat::PageWithLink(target.as_str().to_owned()),
            _ => ProblemFormat::preferred_by(head.method, head.headers),
        };
        Self { format, ..self }
    }
}

#[cfg(test)]
mod tests;
