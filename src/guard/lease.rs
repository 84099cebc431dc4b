//! The key of a request that outlives its response: a tunnel, which must end when the key is revoked.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::watch;

use super::callers::Callers;
use super::credential::{key_in_authorization, key_in_own_field};
use super::fields::{FieldLines, GuardFields};
use super::key::KeyDigest;
use super::peer::Peer;

/// The key that admitted a request. Has no `Debug`, so that nothing of the key is printed.
pub struct Lease {
    callers: Arc<Callers>,
    key: KeyDigest,
}

impl Lease {
    /// The lease of a request that has been admitted. `None` if its caller needed no key.
    pub(super) fn new(callers: &Arc<Callers>, headers: &HeaderMap, peer: &Peer) -> Option<Self> {
        let fields = GuardFields::read(headers);
        callers.identify(&fields, peer).ok()?.key.as_ref()?;
        let key = match (fields.key, fields.authorization) {
            (FieldLines::One(value), _) => key_in_own_field(value),
            (_, FieldLines::One(value)) => key_in_authorization(value)?,
            (_, _) => return None,
        };
        Some(Self {
            callers: Arc::clone(callers),
            key,
        })
    }

    /// Returns once the key is revoked: no caller has it any more, or another configuration, serving or pending, does
    /// not know it.
    pub async fn revoked(mut self) {
        loop {
            // Subscribe before looking, so that no change is missed.
            let mut changes = self.callers.changes();
            let pending = self.callers.pending();
            let mut pending_changes = pending.as_ref().map(|pending| pending.changes());
            match self.callers.successors() {
                Some(Some(next)) => {
                    self.callers = Arc::clone(next);
                    continue;
                }
                Some(None) => return,
                None => {}
            }
            let is_known = |callers: &Arc<Callers>| callers.knows(self.key);
            if !is_known(&self.callers) || !pending.as_ref().is_none_or(is_known) {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = changed(&mut pending_changes) => {}
            }
        }
    }
}

/// Never returns if nothing can change.
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
