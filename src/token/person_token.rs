//! The token that a person has handed over: requests use it, and only that person can replace it.

use http::HeaderValue;
use serde_json::{Map, Value};

use super::bearer::Bearer;
use super::handle::Tokens;
use super::jwt::decode;
use super::person::{SignIn, SignInSnapshot, SignedIn};
use super::person_login::PersonLogin;
use super::status::SharedStatus;
use crate::credentials::Secret;

/// The claims that say what a token is valid for.
const CLAIMS_OF_USE: [&str; 7] = ["iss", "iat", "exp", "scope", "scp", "groups", "roles"];

impl Tokens {
    /// What the person's current token permits. `None` while there is no token, or if only the API can read it.
    #[must_use]
    pub fn person_claims(&self) -> Option<Map<String, Value>> {
        let shared = &self.shared;
        shared.sign_in.as_ref()?;
        let token = shared.usable_token()?;
        // Exposed to read its claims.
        let mut claims = decode(std::str::from_utf8(token.expose()).ok()?)?.claims;
        claims.retain(|name, _| CLAIMS_OF_USE.contains(&name.as_str()));
        Some(claims)
    }
}

impl SharedStatus {
    /// The token that a person has handed over since the one with this number, which the API has rejected. If that does
    /// not say when it ends, it has ended.
    pub(super) fn newer_from_person(&self, generation: u64) -> Option<Bearer> {
        let now = self.clock.now();
        let status = self.status.borrow();
        if let Some(bearer) = status.newer_than(generation, now) {
            return Some(bearer);
        }
        let is_current = status.generation() == generation && status.is_usable(now);
        let rejected = status.token.as_ref().filter(|_| is_current);
        let rejected = rejected.map(|token| token.header.clone());
        drop(status);
        let person = self.sign_in.as_ref().and_then(SignIn::signed_in);
        let is_endless = person.is_some_and(|person| person.until.is_none() && !person.is_renewed);
        if let Some(rejected) = rejected.filter(|_| is_endless) {
            tracing::warn!("the API rejected the token of the person; it is not used again");
            self.forget_rejected(&rejected);
            for other in self.of_person.all() {
                other.forget_rejected(&rejected);
            }
        }
        None
    }

    /// Forgets this token, unless a newer one has been pasted meanwhile.
    fn forget_rejected(&self, rejected: &HeaderValue) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            let current = status.token.as_mut();
            if let Some(token) = current.filter(|token| token.header == rejected) {
                token.forget(now);
            }
        });
        self.wake.notify_one();
    }

    /// Makes the other identities of the person use the same token, or none, so that requests from before a reload are
    /// sent neither for a person who has signed out nor for one who has been replaced.
    pub(super) fn share_person(&self) {
        let Some(sign_in) = &self.sign_in else {
            return;
        };
        let now = self.clock.now();
        let token = self.status.borrow().token.clone();
        let token = token.filter(|token| !token.usable_in(now).is_zero());
        for other in self.of_person.all() {
            let Some(theirs) = &other.sign_in else {
                continue;
            };
            if std::ptr::eq(theirs, sign_in) {
                continue;
            }
            theirs.share_person_of(sign_in);
            match &token {
                Some(token) if sign_in.has_field_of(theirs) => {
                    other.status.send_modify(|status| status.share(token));
                    other.wake.notify_one();
                }
                Some(_) | None => other.forget_token(),
            }
        }
    }

    /// Lets the identities that this one has replaced use the token that it has renewed, since they renew none. To be
    /// called before anybody can sign in or out.
    pub(super) fn share_renewed(&self) {
        let Some(sign_in) = self.sign_in.as_ref().filter(|own| own.login.is_some()) else {
            return;
        };
        let Some(token) = self.status.borrow().token.clone() else {
            return;
        };
        for other in self.of_person.all() {
            let theirs = other.sign_in.as_ref();
            let can_send = theirs.is_some_and(|theirs| sign_in.has_field_of(theirs));
            if other.is_superseded() && can_send {
                other.status.send_modify(|status| status.share(&token));
            }
        }
    }

    /// The token, if it can still be sent.
    pub(super) fn usable_token(&self) -> Option<Secret> {
        let bearer = self.status.borrow().usable(self.clock.now())?;
        let token = bearer.header.to_str().ok()?.rsplit(' ').next()?;
        Some(Secret::new(token))
    }

    /// Forgets the token itself, not its number.
    pub(super) fn forget_token(&self) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            if let Some(token) = &mut status.token {
                token.forget(now);
            }
        });
        self.wake.notify_one();
    }

    /// Wakes everything that waits for a token, since only a person may be able to provide one now.
    pub(super) fn note_session(&self) {
        self.status.send_modify(|_| ());
        self.wake.notify_one();
    }

    /// Shows the person whose session the store has brought. If someone else was signed in, nothing of that person's
    /// stays in use.
    pub(super) fn follow_person(&self, login: &PersonLogin) {
        let Some(sign_in) = &self.sign_in else {
            return;
        };
        let Some((_, session)) = login.session.current() else {
            return;
        };
        let before = sign_in.signed_in();
        let is_known = before
            .as_ref()
            .is_some_and(|before| before.is_renewed && before.subject == session.person.subject);
        if is_known {
            return;
        }
        if before.is_some_and(|before| before.subject != session.person.subject) {
            self.forget_token();
        }
        let who = session.person.who.clone();
        tracing::info!(
            who,
            "the sign-in goes on with the refresh token from the store"
        );
        let person = SignedIn {
            who,
            until: None,
            doubts: Vec::new(),
            subject: session.person.subject,
            is_renewed: true,
        };
        sign_in.replace(Some(person), |_| ());
        self.share_person();
        // What the server has said of the session before does not count for this one.
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.failure = None;
            status.attempt_now(now);
        });
        self.wake.notify_one();
    }

    /// Another process has signed the person out.
    pub(super) fn sign_out_elsewhere(&self) {
        if let Some(sign_in) = &self.sign_in
            && sign_in.replace(None, |_| self.forget_token()).is_some()
        {
            tracing::warn!("the session is no longer in the store: signed out by another process");
        }
        self.forget_token();
        self.share_person();
    }

    /// Nothing of the person stays in use.
    pub(super) fn sign_out_here(&self) {
        if let Some(sign_in) = &self.sign_in {
            sign_in.replace(None, |_| self.forget_token());
        }
        self.share_person();
    }

    /// The server has ended the session: the access token is the last one.
    pub(super) fn end_renewal(&self) {
        let Some(sign_in) = &self.sign_in else {
            return;
        };
        let now = self.clock.now();
        let until = {
            let status = self.status.borrow();
            status
                .token
                .as_ref()
                .and_then(|token| token.expires_at(now))
        };
        sign_in.end_renewal(until);
    }

    /// The sign-in, if a person hands over the tokens.
    pub(super) fn sign_in_snapshot(&self) -> Option<SignInSnapshot> {
        let sign_in = self.sign_in.as_ref()?;
        let is_usable = self.status.borrow().is_usable(self.clock.now());
        Some(SignInSnapshot {
            place: sign_in.place(),
            needs_person: !sign_in.can_renew(),
            signed_in: sign_in
                .signed_in()
                .filter(|_| is_usable || sign_in.can_renew()),
        })
    }
}
