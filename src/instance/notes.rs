//! What an operator should know about the configuration of a proxy. `/status` shows each note for as long as it is
//! true.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::admin::{ExpiringCertificate, PendingReasons};
use crate::metrics::PendingChange;
use crate::token::Tokens;

/// The notes about one proxy.
#[derive(Default)]
pub struct ConfigNotes(Mutex<NoteContents>);

/// A new identity that has no token yet.
#[derive(Clone)]
pub struct PendingIdentity {
    /// Its tokens.
    pub tokens: Tokens,
    /// The API that they will be sent to: scheme, host and port.
    pub api: String,
}

#[derive(Default)]
struct NoteContents {
    started_without: Vec<String>,
    rejected: Option<String>,
    pending: Option<PendingIdentity>,
    needs_restart: Vec<String>,
    is_reloading: bool,
    expiring: Vec<ExpiringCertificate>,
    newest: Option<String>,
    /// When the first of the changes that are not in use was noticed.
    pending_since: Option<SystemTime>,
}

impl ConfigNotes {
    /// Adds that another proxy of this process could not start.
    pub fn started_without(&self, note: String) {
        self.lock().started_without.push(note);
    }

    /// Sets why the newest configuration cannot be used; `None` once it can be.
    pub fn set_rejected(&self, reason: Option<String>) {
        let mut contents = self.lock();
        contents.rejected = reason;
        contents.note_time();
    }

    /// Sets a new identity that has no token yet; `None` once it has one.
    pub fn set_pending(&self, identity: Option<PendingIdentity>) {
        let mut contents = self.lock();
        contents.pending = identity;
        contents.note_time();
    }

    /// The new identity that has no token yet.
    pub(super) fn pending(&self) -> Option<PendingIdentity> {
        self.lock().pending.clone()
    }

    /// Sets the keys whose new value takes effect only after a restart.
    pub fn set_needs_restart(&self, keys: Vec<String>) {
        let mut contents = self.lock();
        contents.needs_restart = keys;
        contents.note_time();
    }

    /// Sets the certificates that expire soon.
    pub fn set_expiring(&self, certificates: Vec<ExpiringCertificate>) {
        self.lock().expiring = certificates;
    }

    /// The certificates that expire soon.
    #[must_use]
    pub fn expiring(&self) -> Vec<ExpiringCertificate> {
        self.lock().expiring.clone()
    }

    /// Sets whether the configuration is being read and examined.
    pub fn set_reloading(&self, is_reloading: bool) {
        self.lock().is_reloading = is_reloading;
    }

    /// Sets the digest of what identifies the proxy in the newest configuration, whether that is valid or not; `None`
    /// if it cannot be read.
    pub fn set_newest(&self, fingerprint: Option<String>) {
        self.lock().newest = fingerprint;
    }

    /// That digest, if the newest configuration is not in use; otherwise empty.
    #[must_use]
    pub fn pending_fingerprint(&self) -> String {
        let is_pending = self.has_pending_change();
        let newest = self.lock().newest.clone();
        newest.filter(|_| is_pending).unwrap_or_default()
    }

    /// Whether the configuration has changed, or may have, and the change is not applied yet.
    #[must_use]
    pub fn has_pending_change(&self) -> bool {
        let is_reloading = self.lock().is_reloading;
        is_reloading || self.pending_change() != PendingChange::default()
    }

    /// Why a changed configuration is not in use.
    #[must_use]
    pub fn pending_change(&self) -> PendingChange {
        self.lock().pending_change()
    }

    /// The details of each of these reasons.
    #[must_use]
    pub fn pending_reasons(&self) -> PendingReasons {
        let contents = self.lock();
        PendingReasons {
            refused: contents.rejected.clone().unwrap_or_default(),
            waiting: contents.waits_for().unwrap_or_default(),
            restart: contents.needs_restart.join(", "),
        }
    }

    /// When the first change that is not in use was noticed.
    #[must_use]
    pub fn pending_since(&self) -> Option<SystemTime> {
        self.lock().pending_since
    }

    /// All notes, one per line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let contents = self.lock();
        let mut lines = contents.started_without.clone();
        lines.extend(contents.expiring.iter().map(|one| one.warning.clone()));
        if let Some(reason) = &contents.rejected {
            lines.push(format!(
                "the changed configuration cannot be used; the last valid one stays in use: {reason}"
            ));
        }
        if let Some(why) = contents.waits_for() {
            lines.push(format!(
                "the changed configuration waits for its first token; the previous one stays in use: {why}"
            ));
        }
        if !contents.needs_restart.is_empty() {
            lines.push(format!(
                "changed in the configuration, and needs a restart: {}",
                contents.needs_restart.join(", ")
            ));
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, NoteContents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NoteContents {
    fn pending_change(&self) -> PendingChange {
        PendingChange {
            refused: self.rejected.is_some(),
            waiting: self.pending.is_some(),
            restart: !self.needs_restart.is_empty(),
        }
    }

    /// Why the new identity has no token yet, if there is one without.
    fn waits_for(&self) -> Option<String> {
        let snapshot = self.pending.as_ref()?.tokens.snapshot();
        let person = snapshot.sign_in.filter(|sign_in| sign_in.needs_person);
        let advice = person.map(|sign_in| sign_in.place.advice());
        let why = advice.or(snapshot.last_error);
        Some(why.unwrap_or_else(|| "the token request is in progress".to_owned()))
    }

    fn note_time(&mut self) {
        if self.pending_change() == PendingChange::default() {
            self.pending_since = None;
        } else {
            self.pending_since.get_or_insert_with(SystemTime::now);
        }
    }
}

#[cfg(test)]
mod tests;
