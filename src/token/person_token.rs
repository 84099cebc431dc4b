//! The token that a person has handed over: requests use it, and only that person can replace it.

use super::bearer::Bearer;
use super::person::{SignIn, SignInSnapshot};
use super::status::SharedStatus;
use crate::credentials::Secret;

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
        drop(status);
        let person = self.sign_in.as_ref().and_then(SignIn::signed_in);
        if is_current && person.is_some_and(|person| person.until.is_none() && !person.is_renewed) {
            tracing::warn!("the API rejected the token of the person; it is not used again");
            self.status.send_modify(|status| {
                // A newer one may have been pasted meanwhile.
                if status.generation() == generation
                    && let Some(token) = &mut status.token
                {
                    token.forget(now);
                }
            });
            self.wake.notify_one();
        }
        None
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
