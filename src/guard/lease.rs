//! A caller's key in use by something that outlives its request: a tunnel, which must end with the key.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::watch;

use super::fields::{Fields, Lines};
use super::key::KeyDigest;
use super::{Callers, Guard, Peer, credential};

/// The key by which a request was admitted. Without `Debug`: nothing of it is to be printed.
pub struct Lease {
    callers: Arc<Callers>,
    key: KeyDigest,
}

impl Guard {
    /// What a request that was admitted holds on to; none where nobody needs a key, or where the user was enough.
    #[must_use]
    pub fn lease(&self, headers: &HeaderMap, peer: &Peer) -> Option<Lease> {
        let callers = self.callers.as_ref()?;
        let fields = Fields::of(headers);
        callers.identify(&fields, peer).ok()?.key.as_ref()?;
        let key = match (fields.key, fields.authorization) {
            (Lines::One(value), _) => credential::in_own_field(value),
            (_, Lines::One(value)) => credential::in_authorization(value)?,
            (_, _) => return None,
        };
        Some(Lease {
            callers: Arc::clone(callers),
            key,
        })
    }
}

impl Guard {
    /// Another configuration's guard is in the place of this one: what was admitted here is held to its keys.
    pub fn succeeded_by(&self, next: &Self) {
        let (before, after) = (&self.callers, &next.callers);
        if let Some(before) = before
            && !after
                .as_ref()
                .is_some_and(|after| Arc::ptr_eq(before, after))
        {
            before.succeeded_by(after.clone());
        }
    }
}

impl Guard {
    /// What was admitted here is held to the keys of `other` as well, until that is lifted with `None`.
    pub fn restrict_leases(&self, other: Option<&Self>) {
        if let Some(callers) = &self.callers {
            callers.restrict(other.and_then(Self::callers));
        }
    }
}

impl Lease {
    /// Returns once the key is nobody's any more, be it that another configuration does not know it: one that
    /// serves, or one that waits and restricts.
    pub async fn revoked(mut self) {
        loop {
            // Before anything is looked at: no change is missed.
            let mut changes = self.callers.changes();
            let also = self.callers.also();
            let mut changes_there = also.as_ref().map(|also| also.changes());
            match self.callers.successors() {
                Some(Some(next)) => {
                    self.callers = Arc::clone(next);
                    continue;
                }
                Some(None) => return,
                None => {}
            }
            let is_known = |callers: &Arc<Callers>| callers.has(self.key);
            if !is_known(&self.callers) || !also.as_ref().is_none_or(is_known) {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = changed(&mut changes_there) => {}
            }
        }
    }
}

/// Never, where there is nothing that could change.
async fn changed(changes: &mut Option<watch::Receiver<()>>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests;
