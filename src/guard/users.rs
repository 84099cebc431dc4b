//! `guard.local_users`: which users of this machine may connect. Compares what `server` found out.

use std::sync::Arc;

use super::{Peer, Refusal, Way};
use crate::config::LocalUsers;
use crate::problem::Reason;

/// Can read our memory anyway; port-forward and WSL relays run as root.
const ROOT: u32 = 0;

/// Who may connect over a local listener.
#[derive(Debug, Clone)]
pub(super) struct Users {
    own: Option<u32>,
    /// `None` admits every user.
    admitted: Option<Arc<[u32]>>,
}

impl Users {
    /// As configured for a process of user `own`.
    pub(super) fn new(config: &LocalUsers, own: Option<u32>) -> Self {
        let admitted = match config {
            LocalUsers::Same => Some(own.into_iter().chain([ROOT]).collect()),
            LocalUsers::Only(uids) => Some(uids.as_slice().into()),
            LocalUsers::Any => None,
        };
        Self { own, admitted }
    }

    /// Says nothing about the network: whoever comes from there has no user here.
    #[inline]
    pub(super) fn check(&self, peer: &Peer) -> Result<(), Refusal> {
        let Some(admitted) = &self.admitted else {
            return Ok(());
        };
        match (peer.way, peer.uid) {
            (Way::Network, _) => Ok(()),
            (Way::Loopback | Way::Unix, Some(uid)) if admitted.contains(&uid) => Ok(()),
            (Way::Loopback | Way::Unix, uid) => Err(self.refused(admitted, uid)),
        }
    }

    #[cold]
    fn refused(&self, admitted: &[u32], uid: Option<u32>) -> Refusal {
        let detail = match uid {
            Some(uid) => format!(
                "This connection comes from user id {uid}, and this proxy runs as {}: if that user may act as \
                 this client, write guard.local_users = {}.",
                self.own
                    .map_or_else(|| "another".to_owned(), |own| format!("user id {own}")),
                with(admitted, uid)
            ),
            None => "The system does not say which user this connection comes from: a caller must keep its side \
                     open until it has the answer. guard.local_users = \"any\" would admit every user."
                .to_owned(),
        };
        Refusal::new(Reason::UserRefused, detail)
    }
}

/// The list to write so that `uid` passes too, as TOML.
fn with(admitted: &[u32], uid: u32) -> String {
    let mut uids = admitted.to_vec();
    uids.push(uid);
    uids.sort_unstable();
    uids.dedup();
    format!("{uids:?}")
}

/// The user that this process acts as.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
pub(super) fn own_uid() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// There are no such numbers here.
#[cfg(not(unix))]
pub(super) fn own_uid() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests;
