//! `guard.local_users`: which users of this machine may connect. Compares what `server` found out.

use std::sync::Arc;

use super::{Peer, Refusal, Way};
use crate::answer::Reason;
use crate::config::LocalUsers;

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
mod tests {
    use super::*;

    const OWN: u32 = 1000;
    const OTHER: u32 = 65534;

    fn peer(way: Way, uid: Option<u32>) -> Peer {
        Peer {
            way,
            address: None,
            uid,
        }
    }

    fn passes(config: &LocalUsers, way: Way, uid: Option<u32>) -> bool {
        Users::new(config, Some(OWN)).check(&peer(way, uid)).is_ok()
    }

    #[test]
    fn a_local_listener_admits_whom_the_key_names_and_nobody_unknown() {
        let listed = LocalUsers::Only(vec![OTHER]);
        for way in [Way::Loopback, Way::Unix] {
            for (config, uid, expected) in [
                (&LocalUsers::Same, Some(OWN), true),
                (&LocalUsers::Same, Some(ROOT), true),
                (&LocalUsers::Same, Some(OTHER), false),
                (&LocalUsers::Same, None, false),
                (&listed, Some(OTHER), true),
                (&listed, Some(OWN), false),
                (&listed, Some(ROOT), false),
                (&listed, None, false),
                (&LocalUsers::Any, Some(OTHER), true),
                (&LocalUsers::Any, None, true),
            ] {
                assert_eq!(passes(config, way, uid), expected, "{config:?} {uid:?}");
            }
        }
    }

    #[test]
    fn nothing_is_said_about_the_network() {
        for uid in [None, Some(OTHER)] {
            assert!(passes(&LocalUsers::Same, Way::Network, uid));
        }
    }

    #[test]
    fn a_refusal_names_both_users_and_the_line_to_write() {
        for (config, line) in [
            (LocalUsers::Same, "guard.local_users = [0, 1000, 65534]."),
            (LocalUsers::Only(vec![7]), "guard.local_users = [7, 65534]."),
        ] {
            let users = Users::new(&config, Some(OWN));
            let refusal = users.check(&peer(Way::Loopback, Some(OTHER))).unwrap_err();
            assert_eq!(refusal.reason, Reason::UserRefused);
            for part in ["user id 65534", "user id 1000", line] {
                assert!(refusal.detail.contains(part), "{}", refusal.detail);
            }
        }
        let unknown = Users::new(&LocalUsers::Same, Some(OWN)).check(&peer(Way::Loopback, None));
        assert!(unknown.unwrap_err().detail.contains("\"any\""));
    }
}
