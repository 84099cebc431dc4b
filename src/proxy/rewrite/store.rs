//! The `OpenAPI` documents in memory: one budget for all that are collected, rewritten and sent
//! (`upstream.openapi_memory`), one copy of each for all its readers, and one transformation at a time.
//!
//! The upstream is asked for every request. What is spared is the second copy: a document is recognized by the SHA-256
//! digest of its source.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::changes::DocumentChanges;
use super::document;
use crate::config;
use crate::proxy::origin_ref::{ClientAddress, OriginRef};

/// How long a document waits for memory. Others release theirs as soon as they are rewritten, unless they are new.
const MEMORY_WAIT: Duration = Duration::from_secs(2);

/// How many documents are kept that nobody reads.
const KEPT: usize = 16;

/// The least time between two log lines about a document for which there was no memory.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// All documents of one proxy, shared by its workers and generations.
pub struct DocumentStore {
    /// The name to log, if there are several proxies.
    proxy: Option<String>,
    memory: Arc<DocumentMemory>,
    /// The one that was used last comes last.
    documents: Mutex<Vec<(DocumentKey, Arc<StoredDocument>)>>,
    /// Held while a document is rewritten.
    turn: Arc<tokio::sync::Mutex<()>>,
    last_warning: Mutex<Option<Instant>>,
}

/// What a rewritten document depends on.
#[derive(PartialEq, Eq)]
struct DocumentKey {
    /// SHA-256 of the source.
    source: Vec<u8>,
    client: ClientAddress,
    upstream: String,
    changes: DocumentChanges,
}

impl DocumentKey {
    fn new(
        source: &Digest,
        client: &ClientAddress,
        upstream: &config::Origin,
        changes: &DocumentChanges,
    ) -> Self {
        Self {
            source: source.as_ref().to_vec(),
            client: client.clone(),
            upstream: format!("{}://{}", upstream.scheme, upstream.authority),
            changes: changes.clone(),
        }
    }
}

/// A document as its readers get it. Its memory is released when the last of them is gone.
pub(super) struct StoredDocument {
    bytes: Bytes,
    /// Whether it differs from its source.
    pub(super) is_rewritten: bool,
    _reservation: MemoryReservation,
}

impl StoredDocument {
    /// A document as the upstream sent it, or a part of one.
    pub(super) fn source(bytes: Vec<u8>, mut reservation: MemoryReservation) -> Self {
        reservation.resize(bytes.len());
        Self {
            bytes: bytes.into(),
            is_rewritten: false,
            _reservation: reservation,
        }
    }

    /// Its content, which keeps it in memory.
    pub(super) fn content(self: Arc<Self>) -> Bytes {
        Bytes::from_owner(DocumentContent(self))
    }
}

/// Lets a buffer own its document.
struct DocumentContent(Arc<StoredDocument>);

impl AsRef<[u8]> for DocumentContent {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl DocumentStore {
    /// `proxy` is the name to log, if there are several proxies.
    #[must_use]
    pub fn new(proxy: Option<&str>) -> Arc<Self> {
        Arc::new(Self {
            proxy: proxy.map(str::to_owned),
            memory: Arc::default(),
            documents: Mutex::default(),
            turn: Arc::default(),
            last_warning: Mutex::default(),
        })
    }

    /// Reserves memory for a document as soon as no more than `limit` is in use. `None` if that takes too long.
    pub(super) async fn reserve(&self, bytes: usize, limit: usize) -> Option<MemoryReservation> {
        let reserved = if bytes > limit {
            None
        } else {
            timeout(MEMORY_WAIT, self.wait_for_memory(bytes, limit))
                .await
                .ok()
        };
        if reserved.is_none() {
            self.warn_of_unchanged();
        }
        reserved
    }

    async fn wait_for_memory(&self, bytes: usize, limit: usize) -> MemoryReservation {
        loop {
            let mut released = pin!(self.memory.released.notified());
            released.as_mut().enable();
            if let Some(reservation) = self.memory.try_reserve(bytes, limit) {
                return reservation;
            }
            if !self.forget_one(0) {
                released.await;
            }
        }
    }

    /// Warns that a document passes unchanged, but not for each in a flood of them.
    #[cold]
    pub(super) fn warn_of_unchanged(&self) {
        let now = Instant::now();
        let mut last = self
            .last_warning
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| now.duration_since(last) >= WARNING_INTERVAL) {
            *last = Some(now);
            tracing::warn!(
                proxy = self.proxy.as_deref(),
                "an OpenAPI document is forwarded unchanged, because upstream.openapi_memory is too small"
            );
        }
    }

    /// The document for a client that used the address `client`: a copy that others read, or a new one.
    pub(super) async fn document(
        self: &Arc<Self>,
        source: Arc<StoredDocument>,
        client: ClientAddress,
        upstream: &config::Origin,
        changes: &DocumentChanges,
    ) -> Arc<StoredDocument> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (store, own_source) = (Arc::clone(self), Arc::clone(&source));
        let (upstream, changes) = (upstream.clone(), changes.clone());
        // Parsing takes 20 ms for each MiB in the worst case, which other requests of this thread must not wait for. If
        // this request is cancelled, the next transformation still waits for the end of this one.
        let rewriting = tokio::task::spawn_blocking(move || {
            let document = store.find_or_rewrite(own_source, &client, &upstream, &changes);
            drop(turn);
            document
        });
        rewriting.await.unwrap_or(source) // fails only after a panic, or while the process ends
    }

    fn find_or_rewrite(
        &self,
        source: Arc<StoredDocument>,
        client: &ClientAddress,
        upstream: &config::Origin,
        changes: &DocumentChanges,
    ) -> Arc<StoredDocument> {
        let key = DocumentKey::new(&digest(&SHA256, &source.bytes), client, upstream, changes);
        if let Some(found) = self.find(&key) {
            return found;
        }
        let rewritten = document::rewritten(
            &source.bytes,
            OriginRef::of_upstream(upstream),
            client,
            changes,
        );
        let document = match rewritten {
            Some(bytes) => Arc::new(StoredDocument {
                _reservation: self.memory.reserve_anyway(bytes.len()),
                bytes: bytes.into(),
                is_rewritten: true,
            }),
            None => source,
        };
        while self.forget_one(KEPT - 1) {}
        self.documents().push((key, Arc::clone(&document)));
        document
    }

    fn find(&self, key: &DocumentKey) -> Option<Arc<StoredDocument>> {
        let mut documents = self.documents();
        let index = documents.iter().position(|(other, _)| other == key)?;
        let entry = documents.remove(index);
        let found = Arc::clone(&entry.1);
        documents.push(entry);
        Some(found)
    }

    /// Forgets the document that has not been used for longest, if more than `kept` are there that nobody reads.
    fn forget_one(&self, kept: usize) -> bool {
        let mut documents = self.documents();
        let unread = |(_, document): &(_, Arc<StoredDocument>)| Arc::strong_count(document) == 1;
        if documents.iter().filter(|entry| unread(entry)).count() <= kept {
            return false;
        }
        let oldest = documents.iter().position(unread);
        oldest.map(|index| documents.remove(index)).is_some()
    }

    fn documents(&self) -> MutexGuard<'_, Vec<(DocumentKey, Arc<StoredDocument>)>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much memory the documents take.
#[derive(Default)]
struct DocumentMemory {
    used: AtomicUsize,
    /// Notified when some of it has been released.
    released: Notify,
}

impl DocumentMemory {
    fn try_reserve(self: &Arc<Self>, bytes: usize, limit: usize) -> Option<MemoryReservation> {
        let update = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update)
            .ok()?;
        Some(MemoryReservation {
            memory: Arc::clone(self),
            bytes,
        })
    }

    /// For a document that is in memory already.
    fn reserve_anyway(self: &Arc<Self>, bytes: usize) -> MemoryReservation {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        MemoryReservation {
            memory: Arc::clone(self),
            bytes,
        }
    }
}

/// A part of the budget, which is released on drop.
pub(super) struct MemoryReservation {
    memory: Arc<DocumentMemory>,
    bytes: usize,
}

impl MemoryReservation {
    /// Adapts it to what is really in memory.
    fn resize(&mut self, bytes: usize) {
        self.memory.used.fetch_add(bytes, Ordering::Relaxed);
        let before = std::mem::replace(&mut self.bytes, bytes);
        self.memory.used.fetch_sub(before, Ordering::Relaxed);
        self.memory.released.notify_waiters();
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.memory.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
