//! A person's session as a store keeps it: JSON, in a file beside the sessions of other clients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::person_subject::is_unknown_subject;
use crate::credentials::Secret;

const VERSION: u32 = 1;

/// More than the sessions of every proxy of one user take.
pub(super) const FILE_LIMIT: u64 = 256 << 10;

/// A person's session as it is kept.
#[derive(Clone)]
pub(super) struct StoredSession {
    pub(super) refresh_token: Secret,
    pub(super) person: StoredPerson,
}

/// Whose session it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredPerson {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) who: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    /// The same by the access token, where servers may write another name for the person than in the ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_access_token: Option<String>,
}

impl StoredPerson {
    /// Whether tokens that a renewal has brought are those of someone else, as far as they say whose they are (OpenID
    /// Connect Core 12.2).
    pub(super) fn is_other_than(&self, access: Option<&str>, identity: Option<&str>) -> bool {
        match (&self.in_access_token, access, &self.subject, identity) {
            (Some(before), Some(now), ..) => before != now,
            (.., Some(before), Some(now)) => !is_unknown_subject(before) && before != now,
            _ => false,
        }
    }
}

/// The form in which it is written.
#[derive(Serialize, Deserialize)]
struct WrittenSession {
    #[serde(with = "wiped_text")]
    refresh_token: Zeroizing<String>,
    person: StoredPerson,
}

/// Text that is wiped when it is dropped.
mod wiped_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        text: &Zeroizing<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

/// A file may hold the sessions of several clients, each by what it is bound to.
#[derive(Serialize, Deserialize)]
pub(super) struct WrittenFile {
    version: u32,
    sessions: BTreeMap<String, WrittenSession>,
}

impl WrittenFile {
    pub(super) const fn empty() -> Self {
        Self {
            version: VERSION,
            sessions: BTreeMap::new(),
        }
    }

    /// `None` if it is anything else. The error of the parser may quote a token, and is dropped.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let file: Self = serde_json::from_slice(bytes).ok()?;
        (file.version == VERSION).then_some(file)
    }

    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        written(self)
    }

    pub(super) fn insert(&mut self, id: &str, session: &StoredSession) {
        self.sessions.insert(id.to_owned(), session.to_written());
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<StoredSession> {
        self.sessions.remove(id).map(StoredSession::from_written)
    }
}

impl StoredSession {
    /// `None` if it is anything else. The error of the parser may quote a token, and is dropped.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self::from_written)
    }

    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        written(&self.to_written())
    }

    fn from_written(written: WrittenSession) -> Self {
        Self {
            refresh_token: Secret::new(written.refresh_token.as_bytes()),
            person: written.person,
        }
    }

    fn to_written(&self) -> WrittenSession {
        // Exposed to write it into the store.
        let token = String::from_utf8_lossy(self.refresh_token.expose());
        WrittenSession {
            refresh_token: Zeroizing::new(token.into_owned()),
            person: self.person.clone(),
        }
    }
}

/// As JSON, which is wiped.
fn written(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let capacity = usize::try_from(FILE_LIMIT).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    serde_json::to_writer(&mut *bytes, value).expect("strings and a number are always JSON");
    bytes
}
