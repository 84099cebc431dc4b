//! Checks `guard.local_users`: which users of this machine may connect. `server` has looked up the user.

use std::sync::Arc;

use super::peer::{Peer, Transport};
use super::rejection::Rejection;
use crate::config::LocalUsers;
use crate::problem::Reason;

/// Always admitted by `"same"`: root can read our memory anyway, and port-forward and WSL relays run as root.
const ROOT: u32 = 0;

/// The users that may connect to a local listener.
#[derive(Debug, Clone)]
pub(super) struct AdmittedUsers {
    own: Option<u32>,
    /// `None` admits every user.
    admitted: Option<Arc<[u32]>>,
}

impl AdmittedUsers {
    /// The configured users, for a process that runs as user `own`.
    pub(super) fn new(config: &LocalUsers, own: Option<u32>) -> Self {
        let admitted = match config {
            LocalUsers::Same => Some(own.into_iter().chain([ROOT]).collect()),
            LocalUsers::Only(uids) => Some(uids.as_slice().into()),
            LocalUsers::Any => None,
        };
        Self { own, admitted }
    }

    /// Admits every user.
    pub(super) fn all(&self) -> Self {
        Self {
            admitted: None,
            ..self.clone()
        }
    }

    /// Admits every connection from the network, which has no local user.
    #[inline]
    pub(super) fn check(&self, peer: &Peer) -> Result<(), Rejection> {
        let Some(admitted) = &self.admitted else {
            return Ok(());
        };
        match (peer.transport, peer.uid) {
            (Transport::Network, _) => Ok(()),
            (Transport::Loopback | Transport::Unix, Some(uid)) if admitted.contains(&uid) => Ok(()),
            (Transport::Loopback | Transport::Unix, uid) => Err(self.rejected(admitted, uid)),
        }
    }

    #[cold]
    fn rejected(&self, admitted: &[u32], uid: Option<u32>) -> Rejection {
        let detail = match uid {
            Some(uid) => format!(
                "This connection comes from user id {uid}, but this proxy runs as {}. To let that user act as this \
                 client, set guard.local_users = {}.",
                self.own
                    .map_or_else(|| "another user".to_owned(), |own| format!("user id {own}")),
                with(admitted, uid)
            ),
            None => "The system cannot identify the user who opened this connection: a client must keep its side open \
                     until it has the response."
                .to_owned(),
        };
        Rejection::new(Reason::UserRefused, detail)
    }

    /// Admits only our own user and root, where the system tells users apart, whatever the configuration says: to hand
    /// over a token or to sign out.
    pub(super) fn check_owner(&self, peer: &Peer) -> Result<(), Rejection> {
        if is_owner(peer, self.own) {
            return Ok(());
        }
        let detail = "Only the user that this proxy runs as, and root, may sign in or out here, whatever \
                      guard.local_users says.";
        Err(Rejection::new(Reason::UserRefused, detail.to_owned()))
    }
}

/// Whether a peer is our own user or root, or the system does not tell users apart.
pub(crate) fn is_own_user(peer: &Peer) -> bool {
    is_owner(peer, own_uid())
}

fn is_owner(peer: &Peer, own: Option<u32>) -> bool {
    match (peer.transport, peer.uid) {
        (Transport::Network, _) => false,
        (_, Some(uid)) => uid == ROOT || own.is_none_or(|own| own == uid),
        (_, None) => !cfg!(target_os = "linux"),
    }
}

/// The TOML list that admits `uid` too.
fn with(admitted: &[u32], uid: u32) -> String {
    let mut uids = admitted.to_vec();
    uids.push(uid);
    uids.sort_unstable();
    uids.dedup();
    format!("{uids:?}")
}

/// The user that this process runs as.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
pub(super) fn own_uid() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// This system has no user ids.
#[cfg(not(unix))]
pub(super) fn own_uid() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests;
