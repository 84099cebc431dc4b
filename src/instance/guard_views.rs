//! Which guard decides about requests that no service gets to see: that of the live configuration for a proxy, none for
//! the admin listener.

use std::sync::Weak;

use http::HeaderMap;

use super::live_config::LiveConfig;
use crate::guard::{Cors, Peer, Rejection};
use crate::proxy::GuardView;

/// The guard of one proxy's live configuration. It does not keep that configuration, which in turn keeps the server.
pub(super) struct LiveGuard(pub(super) Weak<LiveConfig>);

impl GuardView for LiveGuard {
    fn check_peer(&self, peer: &Peer) -> Result<(), Rejection> {
        let live = self.0.upgrade();
        live.map_or(Ok(()), |live| {
            live.with_guard(|guard| guard.check_peer(peer))
        })
    }

    fn cors(&self, headers: &HeaderMap) -> Cors {
        let live = self.0.upgrade();
        live.map_or(Cors::Off, |live| {
            live.with_guard(|guard| guard.cors_of_rejection(headers))
        })
    }

    fn connections(&self) -> usize {
        self.0.upgrade().map_or(0, |live| live.connections())
    }
}

/// The admin listener serves probes to everyone, and no web page of another origin.
pub(super) struct NoGuard {
    pub(super) connections: usize,
}

impl GuardView for NoGuard {
    fn check_peer(&self, _: &Peer) -> Result<(), Rejection> {
        Ok(())
    }

    fn cors(&self, _: &HeaderMap) -> Cors {
        Cors::Off
    }

    fn connections(&self) -> usize {
        self.connections
    }
}
