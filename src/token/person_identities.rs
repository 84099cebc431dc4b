//! The identities that use the token of one person: the one that serves, those that it has replaced and whose requests
//! are still in flight, and one that is being prepared. What ends the token for one of them ends it for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The others, and the identity itself once there is another one.
pub(super) struct PersonIdentities<T>(Mutex<Arc<Mutex<Vec<Weak<T>>>>>);

impl<T> Default for PersonIdentities<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> PersonIdentities<T> {
    /// From now on `own`, whose identities these are, is one of those of `other`.
    pub(super) fn join(&self, own: &Arc<T>, other: &Arc<T>, others: &Self) {
        let joined = Arc::clone(&lock(&others.0));
        {
            let mut members = lock(&joined);
            members.retain(|member| member.strong_count() > 0);
            for one in [other, own] {
                let one = Arc::downgrade(one);
                if !members.iter().any(|member| member.ptr_eq(&one)) {
                    members.push(one);
                }
            }
        }
        *lock(&self.0) = joined;
    }

    /// All that still exist.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        let joined = Arc::clone(&lock(&self.0));
        let members = lock(&joined);
        members.iter().filter_map(Weak::upgrade).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
