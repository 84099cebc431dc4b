//! Named callers: who a request is of, by its key, by the user that sends it, or by both.
//!
//! Keys are replaced while requests come (`key_file`): each takes the keys that are current.

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use subtle::ConditionallySelectable as _;
use tokio::sync::watch;

use super::fields::{Fields, Lines};
use super::key::KeyDigest;
use super::rails::Rails;
use super::{CallerName, Peer, Refusal, Way, credential};
use crate::config;
use crate::credentials::SecretSource;
use crate::problem::Reason;

/// Everyone of `guard.callers`, shared by all workers.
#[derive(Debug)]
pub struct Callers {
    list: Vec<Caller>,
    keys: ArcSwap<Keys>,
    /// Told after each change of `keys`.
    changed: watch::Sender<()>,
    /// Those of the configuration that has replaced this one; none where it has no callers.
    successors: OnceLock<Option<Arc<Self>>>,
    /// Those of a configuration that waits: a key must be somebody's there, too.
    also: ArcSwapOption<Self>,
}

/// Every key that admits, with its caller's place in the list.
type Keys = Vec<(KeyDigest, u32)>;

/// No caller's place.
const NOBODY: u32 = u32::MAX;

/// One caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) name: CallerName,
    pub(super) rails: Option<Rails>,
    pub(super) key: Option<SecretSource>,
    uid: Option<u32>,
}

/// A key that another caller has already: whose would the request be?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyOfAnother(pub(super) CallerName);

impl Callers {
    /// Without keys yet; `None` where none are configured, which admits everyone.
    pub(super) fn new(config: &[config::CallerConfig]) -> Option<Arc<Self>> {
        let list: Vec<Caller> = config.iter().map(Caller::new).collect();
        (!list.is_empty()).then(|| {
            Arc::new(Self {
                list,
                keys: ArcSwap::default(),
                changed: watch::Sender::new(()),
                successors: OnceLock::new(),
                also: ArcSwapOption::empty(),
            })
        })
    }

    pub(super) fn list(&self) -> &[Caller] {
        &self.list
    }

    /// From here on these are the keys of the caller at `place`, and no others.
    pub(super) fn set_keys(&self, place: usize, keys: &[KeyDigest]) -> Result<(), KeyOfAnother> {
        let place = number(place);
        let of_others = |known: &Keys| -> Keys {
            let others = known.iter().filter(|(_, owner)| *owner != place);
            others.copied().collect()
        };
        let others = of_others(&self.keys.load());
        if let Some((_, owner)) = others.iter().find(|(known, _)| keys.contains(known)) {
            return Err(KeyOfAnother(self.list[*owner as usize].name.clone()));
        }
        self.keys.rcu(|known| {
            let own = keys.iter().map(|key| (*key, place));
            of_others(known).into_iter().chain(own).collect::<Keys>()
        });
        self.changed.send_replace(());
        Ok(())
    }

    /// These have been replaced by those of another configuration.
    pub(super) fn succeeded_by(&self, successors: Option<Arc<Self>>) {
        let _ = self.successors.set(successors); // once: a configuration is replaced by one other
        self.changed.send_replace(());
    }

    /// By whom, if they have been replaced.
    pub(super) fn successors(&self) -> Option<&Option<Arc<Self>>> {
        self.successors.get()
    }

    /// A key must be somebody's among these as well; `None` lifts that.
    pub(super) fn restrict(&self, also: Option<Arc<Self>>) {
        self.also.store(also);
        self.changed.send_replace(());
    }

    /// Among whom a key must be somebody's as well.
    pub(super) fn also(&self) -> Option<Arc<Self>> {
        self.also.load_full()
    }

    /// Tells of changed keys, of those who are asked as well, and of the end.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether somebody has this key.
    pub(super) fn has(&self, key: KeyDigest) -> bool {
        self.owner(key).is_some()
    }

    /// Who sends this. A key decides; without one, the user does, but never over a network.
    pub(super) fn identify(&self, fields: &Fields<'_>, peer: &Peer) -> Result<&Caller, Refusal> {
        match self.by_key(fields)? {
            Some(caller) => match caller.uid {
                Some(uid) if !is_of(peer, uid) => Err(of_another_user(caller)),
                Some(_) | None => Ok(caller),
            },
            None => self.by_user(peer).ok_or_else(|| unknown(fields)),
        }
    }

    /// `X-Cupbearer-Key` must be a key, since it can be nothing else; `Authorization` may be the client's own
    /// matter. Two callers in one request are none.
    fn by_key(&self, fields: &Fields<'_>) -> Result<Option<&Caller>, Refusal> {
        let own = match fields.key {
            Lines::Absent => None,
            Lines::One(value) => {
                let owner = self.owner(credential::in_own_field(value));
                Some(owner.ok_or_else(|| unknown(fields))?)
            }
            Lines::Several => return Err(ambiguous()),
        };
        let usual = match fields.authorization {
            Lines::Absent => None,
            Lines::One(value) => {
                credential::in_authorization(value).and_then(|digest| self.owner(digest))
            }
            Lines::Several => return Err(ambiguous()),
        };
        match (own, usual) {
            (Some(own), Some(usual)) if own.name != usual.name => Err(ambiguous()),
            (own, usual) => Ok(own.or(usual)),
        }
    }

    /// Looks at every key there is, and takes as long for each: nothing tells how near a guess came.
    fn owner(&self, digest: KeyDigest) -> Option<&Caller> {
        let mut owner = NOBODY;
        for (known, place) in self.keys.load().iter() {
            owner.conditional_assign(place, known.is(&digest));
        }
        self.list.get(owner as usize)
    }

    fn by_user(&self, peer: &Peer) -> Option<&Caller> {
        let mut without_key = self.list.iter().filter(|caller| caller.key.is_none());
        without_key.find(|caller| caller.uid.is_some_and(|uid| is_of(peer, uid)))
    }
}

impl Caller {
    fn new(config: &config::CallerConfig) -> Self {
        Self {
            name: CallerName::new(&config.name),
            rails: Rails::new(&config.rails, format!("guard.callers.{}", config.name)),
            key: config.key.clone(),
            uid: config.uid,
        }
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("there are fewer callers than numbers")
}

fn is_of(peer: &Peer, uid: u32) -> bool {
    match peer.way {
        Way::Loopback | Way::Unix => peer.uid == Some(uid),
        Way::Network => false,
    }
}

#[cold]
fn unknown(fields: &Fields<'_>) -> Refusal {
    let sent = !matches!(
        (fields.key, fields.authorization),
        (Lines::Absent, Lines::Absent)
    );
    let detail = if sent {
        "The key is none of guard.callers: it was mistyped, replaced or revoked."
    } else {
        "Only the callers of guard.callers are admitted: send a key as Authorization: Bearer, as the Basic password, or as X-Cupbearer-Key."
    };
    Refusal::new(Reason::CallerUnknown, detail)
}

#[cold]
fn ambiguous() -> Refusal {
    let detail = "The request has keys of several callers, or the same field several times.";
    Refusal::new(Reason::CallerUnknown, detail)
}

#[cold]
fn of_another_user(caller: &Caller) -> Refusal {
    let name = caller.name.as_str();
    let detail = format!(
        "The key is of guard.callers.{name}, and the user who sent it is not its uid, or not known."
    );
    Refusal {
        caller: Some(caller.name.clone()),
        ..Refusal::new(Reason::CallerUnknown, detail)
    }
}

#[cfg(test)]
pub(super) mod tests;
