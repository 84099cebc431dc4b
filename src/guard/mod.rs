//! Decides who may do what, before the body of a request is read and before an upgrade: by the head of the request, by
//! its caller (`callers`), and by what that caller may do (`rules`).
//!
//! Three checks keep web pages out, and none replaces another: only `Host` reveals DNS rebinding and 0.0.0.0, only
//! `Origin` reveals a cross-site WebSocket, and only `Sec-Fetch-Site` reveals a no-cors GET. The other checks reject
//! what hyper accepts although servers could interpret it differently.
//!
//! Admitting a request never waits. It allocates only to decode a percent-encoded path, and only if there are rules.

mod callers;
mod cors;
mod credential;
mod fields;
mod forwarded_authorization;
mod framing;
mod host;
mod key;
mod key_file;
mod key_start;
mod lease;
mod origin;
mod path;
mod peer;
mod peer_certificate;
mod rejection;
mod rules;
mod target;
mod users;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version, header};

use crate::config::GuardConfig;
use crate::problem::{ProblemFormat, Reason};

use fields::GuardFields;
use forwarded_authorization::{ForwardedAuthorization, check_scheme};
use host::AcceptedHosts;
use origin::AdmittedPages;
use rules::{RuleInput, RuleSet};
use users::AdmittedUsers;

pub use callers::Callers;
pub use cors::Cors;
pub use fields::is_upgrade_to_http;
pub use key::{CallerKeyError, KeyDigest, NoRandomness, new_key, parse_keys};
pub use key_file::{KeyProblem, KeyWatch, check_keys};
pub use lease::Lease;
pub use peer::{CallerName, OwnScheme, Peer, Transport};
pub use peer_certificate::PeerCertificate;
pub use rejection::Rejection;
pub(crate) use users::is_own_user;

/// The checks of one proxy.
///
/// They do not depend on whether the listener is a loopback one: with `-p 9000:6749` it is not, but its clients still
/// send `localhost`.
#[derive(Debug, Clone)]
pub struct Guard {
    /// `guard.hosts`.
    hosts: Vec<String>,
    /// `guard.origins`.
    pages: AdmittedPages,
    /// `guard.local_users`.
    users: AdmittedUsers,
    /// `guard.read_only`, `.allow` and `.deny`.
    rules: Option<Arc<RuleSet>>,
    /// `guard.callers`, shared because their keys are replaced for all workers at once.
    callers: Option<Arc<Callers>>,
    /// `token.keep_authorization`: `Authorization` is forwarded, so it must not contain a caller's key.
    keeps_authorization: bool,
    /// The guard of a changed configuration that waits for its first token. It must admit a request too.
    pending: Option<Arc<Guard>>,
}

/// The proof that a request has been admitted. Only [`Guard::check`] makes one.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    cors: Cors,
    is_preflight: bool,
    asks_upgrade: bool,
    caller: Option<CallerName>,
}

impl Admitted {
    /// Whether the request asks for an upgrade, after which it could write anything.
    #[must_use]
    pub const fn asks_upgrade(&self) -> bool {
        self.asks_upgrade
    }

    /// Which of `guard.callers` sent the request, if there are any.
    #[must_use]
    pub fn into_caller(self) -> Option<CallerName> {
        self.caller
    }

    /// What the response tells a browser about which pages may read it.
    #[must_use]
    pub const fn cors(&self) -> &Cors {
        &self.cors
    }

    /// The response, if the request is a preflight for a page of `guard.origins`. It is not forwarded.
    #[must_use]
    pub fn preflight(&self, headers: &HeaderMap) -> Option<Response<Bytes>> {
        self.is_preflight
            .then(|| cors::preflight(&self.cors, headers))
    }
}

/// The parts of a request that are checked.
#[derive(Clone, Copy)]
struct CheckedHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
}

/// A path in the decoded form that rules match. `None` if servers could interpret it differently, so that it never
/// passes where there are rules.
#[must_use]
pub fn readable_path(path: &str) -> Option<Cow<'_, str>> {
    path::decode_path(path).ok()
}

impl Guard {
    /// The guard of a configuration. Its callers have no keys until a [`KeyWatch`] has read them.
    #[must_use]
    pub fn new(config: &GuardConfig) -> Self {
        Self {
            hosts: config.hosts.clone(),
            pages: AdmittedPages::Of(config.origins.clone()),
            users: AdmittedUsers::new(&config.local_users, users::own_uid()),
            rules: RuleSet::new(&config.rails, "guard").map(Arc::new),
            callers: Callers::new(config),
            keeps_authorization: config.keeps_authorization,
            pending: None,
        }
    }

    /// The same guard for the admin listener, which serves no page of another origin.
    #[must_use]
    pub fn without_pages(self) -> Self {
        Self {
            pages: AdmittedPages::None,
            ..self
        }
    }

    /// A guard that admits only requests which `pending` admits too, and under the same caller name. If `pending` has
    /// no callers, this guard alone identifies the caller.
    #[must_use]
    pub fn and(&self, pending: &Self) -> Self {
        Self {
            pending: Some(Arc::new(pending.clone())),
            ..self.clone()
        }
    }

    /// Until the sources of the callers' keys have been read, those that are the same in `live` have the same keys.
    pub fn take_over_keys(&self, live: &Self) {
        if let (Some(own), Some(live)) = (&self.callers, &live.callers) {
            own.take_over_keys(live);
        }
    }

    /// The named callers, if there are any.
    #[must_use]
    pub fn callers(&self) -> Option<Arc<Callers>> {
        self.callers.clone()
    }

    /// The lease of an admitted request, by which its tunnel learns that its key is revoked, or that its certificate
    /// has ended. `None` if the request needed neither.
    #[must_use]
    pub fn lease(&self, headers: &HeaderMap, peer: &Peer) -> Option<Lease> {
        Lease::new(self.callers.as_ref()?, headers, peer)
    }

    /// Records that the guard of another configuration has replaced this one: from now on its keys decide about leases.
    pub fn succeeded_by(&self, next: &Self) {
        let (before, after) = (&self.callers, &next.callers);
        if let Some(before) = before
            && !after
                .as_ref()
                .is_some_and(|after| Arc::ptr_eq(before, after))
        {
            before.set_successors(after.clone());
        }
    }

    /// Revokes leases whose key `pending` does not know. `None` lifts that for the remaining ones.
    pub fn restrict_leases(&self, pending: Option<&Self>) {
        if let Some(callers) = &self.callers {
            callers.set_pending(pending.and_then(Self::callers));
        }
    }

    /// What the response tells a browser if a request with these fields was rejected before [`Self::check`].
    #[must_use]
    pub fn cors_of_rejection(&self, headers: &HeaderMap) -> Cors {
        origin::cors_of_rejection(headers, &self.pages)
    }

    /// Checks a request by its head and by its peer.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] for the first rule that the request breaks, in this order: `user_refused`, `method_refused`,
    /// `bad_request` or `target_refused` for the target, `bad_request` or `not_supported` for the framing,
    /// `bad_request` or `host_refused` for `Host`, `target_refused` for a target that contradicts it, `origin_refused`,
    /// `caller_unknown`, `rule_refused`.
    ///
    /// A preflight for a page of `guard.origins` passes without a caller and without rules, because a browser never
    /// sends a key with it. Its response is [`Admitted::preflight`].
    pub fn check<B>(&self, request: &Request<B>, peer: &Peer) -> Result<Admitted, Rejection> {
        let head = CheckedHead {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        };
        self.check_with_pending(head, peer)
            .map_err(|rejection| Rejection {
                cors: origin::cors_of_rejection(head.headers, &self.pages),
                format: format_for(head, rejection.reason),
                asks_for_own_field: self.keeps_authorization,
                caller: match rejection.reason {
                    // With `keep_authorization`, a request with a valid key may have another one where it must not be.
                    Reason::CallerUnknown if !self.keeps_authorization => rejection.caller,
                    _ => rejection.caller.or_else(|| self.caller_of(head, peer)),
                },
                ..rejection
            })
    }

    /// Who sent a rejected request, for the log. `None` if a pending configuration has another name for the caller.
    #[cold]
    fn caller_of(&self, head: CheckedHead<'_>, peer: &Peer) -> Option<CallerName> {
        let fields = GuardFields::read(head.headers);
        let name = &self.callers.as_ref()?.identify(&fields, peer).ok()?.name;
        let pending = self.pending.as_ref();
        let is_same = pending
            .and_then(|pending| pending.caller_of(head, peer))
            .is_none_or(|other| other == *name);
        is_same.then(|| name.clone())
    }

    /// [`Self::check`] for a page that reveals nothing by itself: a person may follow a link to it from another page of
    /// this machine. Whatever else that page sends is rejected, since only the person's browser says that this is a
    /// navigation.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub fn check_navigation<B>(&self, request: &Request<B>, peer: &Peer) -> Result<(), Rejection> {
        let mut head = Request::new(());
        head.method_mut().clone_from(request.method());
        head.uri_mut().clone_from(request.uri());
        *head.version_mut() = request.version();
        head.headers_mut().clone_from(request.headers());
        if origin::is_same_site_navigation(request.method(), request.headers()) {
            head.headers_mut().remove(origin::SEC_FETCH_SITE);
        }
        self.check(&head, peer).map(drop)
    }

    /// [`Self::check`] for an order that only the user may give that this process runs as: that user and root are
    /// admitted whatever `guard.local_users` says, and no one else.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub fn check_owner<B>(&self, request: &Request<B>, peer: &Peer) -> Result<(), Rejection> {
        let format = ProblemFormat::preferred_by(request.method(), request.headers());
        self.users
            .check_owner(peer)
            .map_err(|rejection| Rejection {
                format,
                ..rejection
            })?;
        self.for_all_users().check(request, peer).map(drop)
    }

    fn for_all_users(&self) -> Self {
        let pending = self.pending.as_ref();
        Self {
            users: self.users.all(),
            pending: pending.map(|pending| Arc::new(pending.for_all_users())),
            ..self.clone()
        }
    }

    /// Checks only `Host`, and only on a connection to a loopback address: for what everyone may read, except for a web
    /// page whose name has been made to resolve to this machine. Requests from elsewhere have any `Host`.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] with `host_refused` or `bad_request`.
    pub fn check_host<B>(&self, request: &Request<B>, peer: &Peer) -> Result<(), Rejection> {
        if !peer.is_on_loopback() {
            return Ok(());
        }
        let fields = GuardFields::read(request.headers());
        let hosts = AcceptedHosts::Ours(&self.hosts);
        match host::check(fields.host, request.version(), hosts) {
            Ok(_) => self
                .pending
                .as_ref()
                .map_or(Ok(()), |pending| pending.check_host(request, peer)),
            Err(rejection) => Err(Rejection {
                format: ProblemFormat::preferred_by(request.method(), request.headers()),
                ..rejection
            }),
        }
    }

    /// Checks only who a peer is, before it has sent a request.
    ///
    /// # Errors
    ///
    /// `user_refused`, which every request of this peer would get.
    pub fn check_peer(&self, peer: &Peer) -> Result<(), Rejection> {
        if let Some(pending) = &self.pending {
            pending.check_peer(peer)?;
        }
        self.users.check(peer)
    }

    fn check_with_pending(
        &self,
        head: CheckedHead<'_>,
        peer: &Peer,
    ) -> Result<Admitted, Rejection> {
        let Some(pending) = &self.pending else {
            return self.check_head(head, peer);
        };
        let pending = pending.check_with_pending(head, peer)?;
        let admitted = self.check_head(head, peer)?;
        match (&admitted.caller, &pending.caller) {
            (Some(caller), Some(other)) if caller != other => Err(other_caller_pending()),
            (_, _) => Ok(admitted),
        }
    }

    fn check_head(&self, head: CheckedHead<'_>, peer: &Peer) -> Result<Admitted, Rejection> {
        self.users.check(peer)?;
        target::check_method(head.method)?;
        let hosts = AcceptedHosts::new(peer.transport, &self.hosts);
        let authority = target::authority(head.uri, peer.scheme, hosts)?;
        let fields = GuardFields::read(head.headers);
        framing::check(&fields, head.version)?;
        let host = host::check(fields.host, head.version, hosts)?;
        target::check_agreement(authority, host)?;
        let origin = origin::check_origin(fields.origin, (peer.scheme, host), &self.pages)?;
        origin::check_site(fields.site, origin, &self.pages)?;
        let cors = origin.cors(&self.pages);
        let is_preflight =
            matches!(cors, Cors::For(_)) && cors::is_preflight(head.method, head.headers);
        Ok(Admitted {
            cors,
            is_preflight,
            asks_upgrade: fields.asks_upgrade(),
            // A preflight has no key, and is not forwarded.
            caller: if is_preflight {
                None
            } else {
                self.check_caller(head, &fields, peer)?
            },
        })
    }

    /// `Authorization` is forwarded, and must contain neither a key that we made, whoever admits it, nor any other key
    /// of a caller; nor may it log in the connection.
    fn check_forwarded_authorization(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        for value in headers.get_all(header::AUTHORIZATION) {
            check_scheme(value)?;
            let forwarded = ForwardedAuthorization::of(value)?;
            let callers = self.callers.as_ref();
            let is_of_caller = || callers.is_some_and(|callers| callers.has_key_in(&forwarded));
            if forwarded.has_made_key() || is_of_caller() {
                return Err(key_would_be_forwarded());
            }
        }
        Ok(())
    }

    /// Identifies the caller, and checks the rules for everyone and for that caller.
    fn check_caller(
        &self,
        head: CheckedHead<'_>,
        fields: &GuardFields<'_>,
        peer: &Peer,
    ) -> Result<Option<CallerName>, Rejection> {
        let caller = match &self.callers {
            Some(callers) => Some(callers.identify(fields, peer)?),
            None => None,
        };
        // Only now, because the search takes time.
        if self.keeps_authorization {
            self.check_forwarded_authorization(head.headers)?;
        }
        let name = caller.map(|caller| caller.name.clone());
        let of_caller = caller.and_then(|caller| caller.rules.as_ref());
        let input = RuleInput {
            method: head.method,
            path: head.uri.path(),
            fields,
        };
        rules::check(self.rules.as_deref().into_iter().chain(of_caller), input)?;
        Ok(name)
    }
}

/// A caller's key must never reach the API.
#[cold]
fn key_would_be_forwarded() -> Rejection {
    let detail = "Authorization contains the key of a caller, and would be forwarded to the API (token.keep_authorization): send the key as X-Cupbearer-Key.";
    Rejection::new(Reason::CallerUnknown, detail)
}

/// The caller has another name in the pending configuration. Its requests must not be attributed to either.
#[cold]
fn other_caller_pending() -> Rejection {
    let detail = "In the changed configuration, which waits for its first token, this key or user belongs to another caller. Try again once that configuration is in use.";
    Rejection::new(Reason::CallerUnknown, detail)
}

/// A person who followed a link gets a page. It links to the same path only if a click there would be admitted.
fn format_for(head: CheckedHead<'_>, reason: Reason) -> ProblemFormat {
    let offers_link = reason == Reason::OriginRefused
        && origin::is_cross_origin_navigation(head.method, head.headers);
    match head.uri.path_and_query() {
        Some(target) if offers_link => ProblemFormat::PageWithLink(target.as_str().to_owned()),
        _ => ProblemFormat::preferred_by(head.method, head.headers),
    }
}

#[cfg(test)]
mod tests;
