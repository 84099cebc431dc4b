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
mod credential;
mod fields;
mod framing;
mod host;
mod key;
mod key_file;
mod origin;
mod path;
mod peer;
mod rails;
mod target;

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use crate::answer::{Answer, Form, Reason, RequestId};
use crate::config;

use fields::Fields;
use rails::{Asked, Rails};

pub use callers::Callers;
pub use key::{KeyDigest, KeyError, NoRandomness, keys_in, new_key};
pub use key_file::{KeyProblem, KeyWatch, check_keys};
pub use peer::{CallerName, Peer, Way};

/// The head checks of one listener.
///
/// Whether that listener is a loopback one makes no difference to them: behind `-p 9000:6749` it is
/// not, and its callers still say `localhost`.
#[derive(Debug, Clone)]
pub struct Guard {
    /// `guard.hosts`.
    hosts: Vec<String>,
    /// `guard.origins`.
    origins: Vec<String>,
    /// `guard.read_only`, `.allow` and `.deny`.
    rails: Option<Arc<Rails>>,
    /// `guard.callers`; shared, since their keys are replaced for all workers at once.
    callers: Option<Arc<Callers>>,
}

/// The proof that a head has passed; only [`Guard::check`] makes one.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    allowed_origin: Option<HeaderValue>,
    caller: Option<CallerName>,
}

impl Admitted {
    /// Which of `guard.callers` it is, where any are configured.
    #[must_use]
    pub fn into_caller(self) -> Option<CallerName> {
        self.caller
    }

    /// The origin of `guard.origins` that the request came from, if it came from one: to be answered
    /// with CORS fields.
    #[must_use]
    pub const fn allowed_origin(&self) -> Option<&HeaderValue> {
        self.allowed_origin.as_ref()
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
    pub form: Form,
    /// Which of `guard.callers` broke it, where that is known.
    pub caller: Option<CallerName>,
}

impl Refusal {
    fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            form: Form::Problem,
            caller: None,
        }
    }

    /// The answer to send. Sets `Allow` where it belongs, and closes after a `bad_request`: where its
    /// end is in doubt, the next bytes are no request (RFC 9112 section 11.2).
    #[must_use]
    pub fn answer<'a>(&'a self, request_id: &'a RequestId) -> Answer<'a> {
        Answer {
            form: &self.form,
            allow: (self.reason == Reason::MethodRefused).then_some(target::FORWARDED_METHODS),
            close: self.reason == Reason::BadRequest,
            ..Answer::new(self.reason, &self.detail, request_id)
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

impl Guard {
    /// The guard in front of one plain-HTTP listener.
    #[must_use]
    pub fn new(config: &config::Guard) -> Self {
        Self {
            hosts: config.hosts.clone(),
            origins: config.origins.clone(),
            rails: Rails::new(&config.rails, "guard").map(Arc::new),
            callers: Callers::new(&config.callers),
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
    /// A [`Refusal`] of the first rule broken, in this order: `method_refused`, `bad_request` or
    /// `target_refused` for the target, `bad_request` for the framing, `host_refused`,
    /// `target_refused` for a target that contradicts `Host`, `origin_refused`, `caller_unknown`,
    /// `rule_refused`.
    pub fn check<B>(&self, request: &Request<B>, peer: &Peer) -> Result<Admitted, Refusal> {
        let head = Head {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        };
        self.decide(head, peer)
            .map_err(|refusal| refusal.in_form_for(head))
    }

    fn decide(&self, head: Head<'_>, peer: &Peer) -> Result<Admitted, Refusal> {
        target::check_method(head.method)?;
        let authority = target::authority(head.uri, &self.hosts)?;
        let fields = Fields::of(head.headers);
        framing::check(&fields, head.version)?;
        let host = host::check(fields.host, &self.hosts)?;
        target::check_agreement(authority, host)?;
        let came_from = origin::check_origin(fields.origin, host, &self.origins)?;
        origin::check_site(fields.site, came_from)?;
        Ok(Admitted {
            allowed_origin: came_from.allowed().cloned(),
            caller: self.check_caller(head, &fields, peer)?,
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

impl Refusal {
    /// A person who followed a link gets a page; only one who may go on by a click gets the link.
    fn in_form_for(self, head: Head<'_>) -> Self {
        let offers_link =
            self.reason == Reason::OriginRefused && origin::is_foreign_navigation(head);
        let form = match head.uri.path_and_query() {
            Some(target) if offers_link => Form::Link(target.as_str().to_owned()),
            _ => Form::wanted_by(head.method, head.headers),
        };
        Self { form, ..self }
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
