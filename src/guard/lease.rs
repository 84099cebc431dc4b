//! What identified the caller of a request that outlives its response: a tunnel, which must end when the key is revoked
//! or the certificate ends.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::watch;

use super::callers::Callers;
use super::credential::{key_in_authorization, key_in_own_field};
use super::fields::{FieldLines, GuardFields};
use super::key::KeyDigest;
use super::peer::{CallerName, Peer};
use super::peer_certificate::PeerCertificate;

/// The key and the certificate that admitted a request. Has no `Debug`, so that nothing of the key is printed.
pub struct Lease {
    callers: Arc<Callers>,
    caller: CallerName,
    key: Option<KeyDigest>,
    certificate: Option<Arc<PeerCertificate>>,
}

impl Lease {
    /// The lease of a request that has been admitted. `None` if its caller needed neither a key nor a
    /// certificate.
    pub(super) fn new(callers: &Arc<Callers>, headers: &HeaderMap, peer: &Peer) -> Option<Self> {
        let fields = GuardFields::read(headers);
        let caller = callers.identify(&fields, peer).ok()?;
        if caller.key.is_none() && caller.san.is_none() {
            return None;
        }
        let sent = || match (fields.key, fields.authorization) {
            (FieldLines::One(value), _) => Some(key_in_own_field(value)),
            (_, FieldLines::One(value)) => key_in_authorization(value),
            (_, _) => None,
        };
        Some(Self {
            callers: Arc::clone(callers),
            caller: caller.name.clone(),
            key: caller.key.as_ref().and_then(|_| sent()),
            certificate: caller.san.as_ref().and_then(|_| peer.certificate.clone()),
        })
    }

    /// Returns once the certificate ends, or the key is revoked: its caller does not have it any more, or not in
    /// another configuration, serving or pending. A key that moves to another caller is revoked too, because that
    /// caller may have other rules.
    pub async fn revoked(mut self) {
        let certificate = self.certificate.clone();
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
            let is_valid = |callers: &Arc<Callers>| {
                callers.admits(&self.caller, self.key, certificate.as_deref())
            };
            if !is_valid(&self.callers) || !pending.as_ref().is_none_or(is_valid) {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = changed(&mut pending_changes) => {}
                () = ended(certificate.as_deref()) => return,
            }
        }
    }
}

/// Never returns if there is no certificate.
async fn ended(certificate: Option<&PeerCertificate>) {
    match certificate {
        Some(certificate) => certificate.ended().await,
        None => std::future::pending().await,
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
