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
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::callers::tests::config;
    use super::*;

    /// One caller with this key.
    fn guard(key: &[u8]) -> Guard {
        let guard = Guard::new(&config("guard.callers.ci.key = { file = \"k\" }\n"));
        set(&guard, &[key]);
        guard
    }

    fn set(guard: &Guard, keys: &[&[u8]]) {
        let keys: Vec<KeyDigest> = keys.iter().map(|key| KeyDigest::of(key)).collect();
        guard.callers.as_ref().unwrap().set_keys(0, &keys).unwrap();
    }

    fn lease(guard: &Guard, key: &[u8]) -> Lease {
        Lease {
            callers: guard.callers().unwrap(),
            key: KeyDigest::of(key),
        }
    }

    async fn ends(lease: &mut std::pin::Pin<Box<impl Future<Output = ()>>>) -> bool {
        timeout(Duration::from_mins(1), lease.as_mut())
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_with_its_key_in_this_configuration_or_in_one_that_follows() {
        let first = guard(b"the-key");
        let mut held = Box::pin(lease(&first, b"the-key").revoked());
        assert!(!ends(&mut held).await);
        let second = guard(b"the-key");
        first.succeeded_by(&second);
        assert!(!ends(&mut held).await, "the next configuration knows it");
        set(&second, &[b"another"]);
        assert!(ends(&mut held).await);

        let mut held = Box::pin(lease(&second, b"another").revoked());
        second.succeeded_by(&second.clone());
        assert!(!ends(&mut held).await, "nothing has changed");
        set(&second, &[]);
        assert!(ends(&mut held).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_where_a_configuration_that_waits_does_not_know_its_key() {
        let serves = guard(b"the-key");
        let (knows, open) = (guard(b"the-key"), Guard::new(&config("")));
        let mut held = Box::pin(lease(&serves, b"the-key").revoked());
        for waits in [Some(&knows), Some(&open), None] {
            serves.restrict_leases(waits);
            assert!(!ends(&mut held).await);
        }
        set(&knows, &[b"another"]);
        assert!(!ends(&mut held).await, "it was taken back");
        serves.restrict_leases(Some(&knows));
        assert!(ends(&mut held).await);

        set(&knows, &[b"the-key"]);
        let mut held = Box::pin(lease(&serves, b"the-key").revoked());
        assert!(!ends(&mut held).await);
        set(&knows, &[]);
        assert!(ends(&mut held).await, "revoked there while it waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_where_the_next_configuration_does_not_know_its_key() {
        for next in [guard(b"another"), Guard::new(&config(""))] {
            let before = guard(b"the-key");
            let mut held = Box::pin(lease(&before, b"the-key").revoked());
            before.succeeded_by(&next);
            assert!(ends(&mut held).await);
        }
    }
}
