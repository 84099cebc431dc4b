//! Named callers (`guard.callers`): identifies the caller of a request by its key, by the name in its certificate, by
//! the user that sends it, or by several of these.
//!
//! Keys can be replaced while the proxy serves (`key_file`); each request is checked against the current ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use subtle::ConditionallySelectable as _;
use tokio::sync::watch;

use super::credential::{key_in_authorization, key_in_own_field};
use super::fields::{FieldLines, GuardFields};
use super::forwarded_authorization::ForwardedAuthorization;
use super::key::KeyDigest;
use super::key_start::KeyStarts;
use super::peer::{CallerName, Peer, Transport};
use super::peer_certificate::PeerCertificate;
use super::rejection::Rejection;
use super::rules::RuleSet;
use crate::config::{self, CertificateName};
use crate::credentials::SecretSource;
use crate::problem::Reason;

/// All callers of one configuration, shared by all workers.
#[derive(Debug)]
pub struct Callers {
    list: Vec<Caller>,
    /// Whether a key may be in `Authorization`, which is not forwarded then.
    reads_authorization: bool,
    keys: ArcSwap<KeyOwners>,
    /// Notified after each change of the fields below and of `keys`.
    changed: watch::Sender<()>,
    /// The callers of the configuration that has replaced this one; `None` inside if it has no callers.
    successors: OnceLock<Option<Arc<Self>>>,
    /// The callers of a configuration that waits for its first token: a key must also belong to one of them.
    pending: ArcSwapOption<Self>,
}

/// Every valid key, with the index of its caller.
type KeyOwners = Vec<(KeyDigest, u32)>;

/// An index that no caller has.
const NO_OWNER: u32 = u32::MAX;

/// One named caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) name: CallerName,
    pub(super) rules: Option<RuleSet>,
    pub(super) key: Option<SecretSource>,
    pub(super) san: Option<CertificateName>,
    uid: Option<u32>,
    /// Whether its keys come from its own source, and not from the configuration before.
    is_read: AtomicBool,
    /// The keys that its source does not revoke, once it could be read.
    kept: ArcSwapOption<Vec<KeyDigest>>,
}

/// A key that already belongs to this other caller, so that it would not identify one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedKey(pub(super) CallerName);

impl Callers {
    /// The configured callers, without keys. `None` if there are no callers, which admits everyone.
    pub(super) fn new(config: &config::GuardConfig) -> Option<Arc<Self>> {
        let list: Vec<Caller> = config.callers.iter().map(Caller::new).collect();
        (!list.is_empty()).then(|| {
            Arc::new(Self {
                list,
                reads_authorization: !config.keeps_authorization,
                keys: ArcSwap::default(),
                changed: watch::Sender::new(()),
                successors: OnceLock::new(),
                pending: ArcSwapOption::empty(),
            })
        })
    }

    pub(super) fn list(&self) -> &[Caller] {
        &self.list
    }

    /// Gives each caller whose keys could not be read yet those of the caller in `live` that has the same name, unless
    /// its source is known to revoke them.
    pub(super) fn take_over_keys(&self, live: &Self) {
        for (index, caller) in self.list.iter().enumerate() {
            if caller.key.is_none() || caller.is_read.load(Ordering::Acquire) {
                continue;
            }
            let mut before = live.list.iter();
            let Some(same) = before.position(|old| old.name == caller.name) else {
                continue;
            };
            let kept = caller.kept.load();
            let is_kept = |key: &KeyDigest| kept.as_ref().is_none_or(|kept| kept.contains(key));
            let keys: Vec<KeyDigest> = live
                .keys
                .load()
                .iter()
                .filter(|(key, owner)| *owner as usize == same && is_kept(key))
                .map(|(key, _)| *key)
                .collect();
            // Cannot fail: in `live` each key has one owner, and a key that has been read since decides.
            let _ = self.put_keys(index, &keys);
        }
    }

    /// Replaces the keys of the caller at `index` by those of its source.
    pub(super) fn set_keys(&self, index: usize, keys: &[KeyDigest]) -> Result<(), SharedKey> {
        self.list[index].is_read.store(true, Ordering::Release);
        self.put_keys(index, keys)
    }

    fn put_keys(&self, index: usize, keys: &[KeyDigest]) -> Result<(), SharedKey> {
        let index = u32::try_from(index).expect("there are fewer than 2^32 callers");
        let is_read = |owner: u32| self.list[owner as usize].is_read.load(Ordering::Acquire);
        let of_others = |known: &KeyOwners| -> KeyOwners {
            // A key that has only been taken over belongs to whoever turns out to have it.
            let others = known
                .iter()
                .filter(|(key, owner)| *owner != index && (is_read(*owner) || !keys.contains(key)));
            others.copied().collect()
        };
        let others = of_others(&self.keys.load());
        if let Some((_, owner)) = others.iter().find(|(known, _)| keys.contains(known)) {
            return Err(SharedKey(self.list[*owner as usize].name.clone()));
        }
        self.keys.rcu(|known| {
            let own = keys.iter().map(|key| (*key, index));
            of_others(known)
                .into_iter()
                .chain(own)
                .collect::<KeyOwners>()
        });
        self.changed.send_replace(());
        Ok(())
    }

    /// Revokes the keys of the caller at `index` that are not among `kept`.
    pub(super) fn retain_keys(&self, index: usize, kept: &[KeyDigest]) {
        self.list[index].kept.store(Some(Arc::new(kept.to_vec())));
        let is_kept =
            |(key, owner): &(KeyDigest, u32)| *owner as usize != index || kept.contains(key);
        if !self.keys.load().iter().all(is_kept) {
            self.keys.rcu(|known| {
                let kept = known.iter().filter(|known| is_kept(known)).copied();
                kept.collect::<KeyOwners>()
            });
            self.changed.send_replace(());
        }
    }

    /// Records that another configuration has replaced this one.
    pub(super) fn set_successors(&self, successors: Option<Arc<Self>>) {
        let _ = self.successors.set(successors); // a configuration is replaced only once
        self.changed.send_replace(());
    }

    /// The callers of the configuration that has replaced this one, if any has.
    pub(super) fn successors(&self) -> Option<&Option<Arc<Self>>> {
        self.successors.get()
    }

    /// Requires a key to belong to one of these callers too; `None` lifts that.
    pub(super) fn set_pending(&self, pending: Option<Arc<Self>>) {
        self.pending.store(pending);
        self.changed.send_replace(());
    }

    /// The callers of a pending configuration; a key must belong to one of them too.
    pub(super) fn pending(&self) -> Option<Arc<Self>> {
        self.pending.load_full()
    }

    /// Notifies of every change: of the keys, of pending callers, and of successors.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether the caller with this name would still be identified by this key and this certificate.
    pub(super) fn admits(
        &self,
        name: &CallerName,
        key: Option<KeyDigest>,
        certificate: Option<&PeerCertificate>,
    ) -> bool {
        let Some(caller) = self.list.iter().find(|caller| caller.name == *name) else {
            return false;
        };
        let is_own_key = |key| self.owner(key).is_some_and(|owner| owner.name == *name);
        let fits = match (&caller.san, certificate) {
            (Some(san), Some(certificate)) => certificate.has(san),
            (Some(_), None) => false,
            // It is no longer required, but only a key can identify the caller then.
            (None, Some(_)) => key.is_some(),
            (None, None) => true,
        };
        fits && caller.key.is_some() == key.is_some() && key.is_none_or(is_own_key)
    }

    /// The caller that sent a request. A key and a certificate decide, and must not contradict each other; without
    /// either the user does, but never over a network.
    pub(super) fn identify(
        &self,
        fields: &GuardFields<'_>,
        peer: &Peer,
    ) -> Result<&Caller, Rejection> {
        let caller = match (self.by_key(fields)?, self.by_certificate(peer)?) {
            (Some(keyed), Some(named)) if keyed.name != named.name => return Err(contradiction()),
            (Some(caller), None) if caller.san.is_some() => return Err(wrong_certificate(caller)),
            (None, Some(caller)) if caller.key.is_some() => return Err(missing_key(caller)),
            (Some(caller), _) | (None, Some(caller)) => caller,
            (None, None) => {
                let by_user = self.by_user(peer);
                return by_user.ok_or_else(|| self.unknown_caller(fields, peer));
            }
        };
        match caller.uid {
            Some(uid) if !is_user(peer, uid) => Err(wrong_user(caller)),
            Some(_) | None => Ok(caller),
        }
    }

    /// The caller that the client's certificate names. One that names two callers is rejected.
    fn by_certificate(&self, peer: &Peer) -> Result<Option<&Caller>, Rejection> {
        let Some(certificate) = peer.certificate.as_deref() else {
            return Ok(None);
        };
        if !certificate.is_valid() {
            return Ok(None);
        }
        let is_named =
            |caller: &&Caller| caller.san.as_ref().is_some_and(|san| certificate.has(san));
        let mut named = self.list.iter().filter(is_named);
        match (named.next(), named.next()) {
            (Some(_), Some(_)) => Err(two_named()),
            (named, _) => Ok(named),
        }
    }

    /// The caller whose key the request has. `X-Cupbearer-Key` must be a valid key, because it has no other use, while
    /// `Authorization` may be meant for something else. Keys of two callers are rejected.
    fn by_key(&self, fields: &GuardFields<'_>) -> Result<Option<&Caller>, Rejection> {
        let own = match fields.key {
            FieldLines::Absent => None,
            FieldLines::One(value) => {
                let owner = self.owner(key_in_own_field(value));
                Some(owner.ok_or_else(unknown_key)?)
            }
            FieldLines::Several => return Err(ambiguous()),
        };
        let standard = match fields.authorization {
            _ if !self.reads_authorization => None,
            FieldLines::Absent => None,
            FieldLines::One(value) => {
                key_in_authorization(value).and_then(|digest| self.owner(digest))
            }
            FieldLines::Several => return Err(ambiguous()),
        };
        match (own, standard) {
            (Some(own), Some(standard)) if own.name != standard.name => Err(ambiguous()),
            (own, standard) => Ok(own.or(standard)),
        }
    }

    /// The caller that has a key. Compares every key in constant time, so that the time says nothing about a guess.
    fn owner(&self, digest: KeyDigest) -> Option<&Caller> {
        let mut owner = NO_OWNER;
        for (known, index) in self.keys.load().iter() {
            owner.conditional_assign(index, known.matches(&digest));
        }
        self.list.get(owner as usize)
    }

    /// Whether a forwarded `Authorization` contains the key of any caller.
    pub(super) fn has_key_in(&self, forwarded: &ForwardedAuthorization) -> bool {
        let starts = {
            let keys = self.keys.load();
            KeyStarts::of(keys.iter().map(|(key, _)| key.start_and_length()))
        };
        let mut possible = forwarded.possible_keys(&starts);
        possible.any(|digest| self.owner(digest).is_some())
    }

    #[cold]
    fn unknown_caller(&self, fields: &GuardFields<'_>, peer: &Peer) -> Rejection {
        let is_sent = |lines: FieldLines<'_>| !matches!(lines, FieldLines::Absent);
        let has_sent =
            is_sent(fields.key) || self.reads_authorization && is_sent(fields.authorization);
        let detail = match &peer.certificate {
            _ if has_sent => return unknown_key(),
            Some(certificate) if certificate.is_valid() => {
                "The certificate has no name of guard.callers.NAME.san: only its subject alternative names count."
            }
            Some(_) => {
                "The certificate has expired, or tls.client_ca_file has changed: connect again with a valid one."
            }
            None if self.reads_authorization => {
                "Only the callers in guard.callers are admitted: send a key as Authorization: Bearer, as the Basic password, or as X-Cupbearer-Key."
            }
            None => {
                "Only the callers in guard.callers are admitted: send a key as X-Cupbearer-Key."
            }
        };
        Rejection::new(Reason::CallerUnknown, detail)
    }

    fn by_user(&self, peer: &Peer) -> Option<&Caller> {
        let has_only_uid = |caller: &&Caller| caller.key.is_none() && caller.san.is_none();
        let mut by_uid_alone = self.list.iter().filter(has_only_uid);
        by_uid_alone.find(|caller| caller.uid.is_some_and(|uid| is_user(peer, uid)))
    }
}

impl Caller {
    fn new(config: &config::CallerConfig) -> Self {
        Self {
            name: CallerName::new(&config.name),
            rules: RuleSet::new(&config.rails, format!("guard.callers.{}", config.name)),
            key: config.key.clone(),
            san: config.san.clone(),
            uid: config.uid,
            is_read: AtomicBool::new(false),
            kept: ArcSwapOption::empty(),
        }
    }
}

fn is_user(peer: &Peer, uid: u32) -> bool {
    match peer.transport {
        Transport::Loopback | Transport::Unix => peer.uid == Some(uid),
        Transport::Network => false,
    }
}

#[cold]
fn unknown_key() -> Rejection {
    let detail = "The key does not belong to any of guard.callers: it is mistyped, or was replaced or revoked.";
    Rejection::new(Reason::CallerUnknown, detail)
}

#[cold]
fn contradiction() -> Rejection {
    let detail = "The key and the certificate belong to different callers.";
    Rejection::new(Reason::CallerUnknown, detail)
}

#[cold]
fn two_named() -> Rejection {
    let detail = "The certificate has the names of several callers.";
    Rejection::new(Reason::CallerUnknown, detail)
}

#[cold]
fn wrong_certificate(caller: &Caller) -> Rejection {
    let name = caller.name.as_str();
    let detail = format!(
        "The key belongs to guard.callers.{name}, which must also present a certificate with its san."
    );
    incomplete(caller, detail)
}

#[cold]
fn missing_key(caller: &Caller) -> Rejection {
    let name = caller.name.as_str();
    let detail =
        format!("The certificate names guard.callers.{name}, which must also send its key.");
    incomplete(caller, detail)
}

fn incomplete(caller: &Caller, detail: String) -> Rejection {
    Rejection {
        caller: Some(caller.name.clone()),
        ..Rejection::new(Reason::CallerUnknown, detail)
    }
}

#[cold]
fn ambiguous() -> Rejection {
    let detail = "The request has keys of several callers, or sends the same field several times.";
    Rejection::new(Reason::CallerUnknown, detail)
}

#[cold]
fn wrong_user(caller: &Caller) -> Rejection {
    let name = caller.name.as_str();
    let detail = format!(
        "The key belongs to guard.callers.{name}, but the user who sent it is not known, or does not have that caller's uid."
    );
    incomplete(caller, detail)
}

#[cfg(test)]
pub(super) mod tests;
