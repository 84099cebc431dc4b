//! A caller's key in use by something that outlives its request: a tunnel, which must end with the key.

use std::sync::Arc;

use http::HeaderMap;

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

impl Lease {
    /// Returns once the key is nobody's any more, be it that another configuration does not know it.
    pub async fn revoked(mut self) {
        loop {
            let mut changes = self.callers.changes();
            // An error is impossible: the sender lives in `callers`.
            let _ = changes
                .wait_for(|()| self.callers.successors().is_some() || !self.callers.has(self.key))
                .await;
            drop(changes);
            self.callers = match self.callers.successors() {
                Some(Some(next)) => Arc::clone(next),
                Some(None) | None => return,
            };
        }
    }
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
    async fn a_lease_ends_where_the_next_configuration_does_not_know_its_key() {
        for next in [guard(b"another"), Guard::new(&config(""))] {
            let before = guard(b"the-key");
            let mut held = Box::pin(lease(&before, b"the-key").revoked());
            before.succeeded_by(&next);
            assert!(ends(&mut held).await);
        }
    }
}
