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

impl Lease {
    /// Returns once the key is nobody's any more.
    pub async fn revoked(self) {
        let mut changes = self.callers.changes();
        // An error is impossible: the sender lives in `callers`.
        let _ = changes.wait_for(|()| !self.callers.has(self.key)).await;
    }
}
