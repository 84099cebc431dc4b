//! The last attempt to send a request, as the access record and the client see it.

use tokio::time::Instant;

use super::not_replayed::NotReplayed;
use crate::token::Bearer;

/// With which token a request was sent last, and whether that was a replay after a 401.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastAttempt {
    /// The generation of its token.
    pub(super) generation: u64,
    pub(super) started: Instant,
    /// When the head of its response arrived, if the proxy then did something before it responded: waited for a newer
    /// token, or rewrote a document.
    pub(super) head: Option<Instant>,
    /// `None` unless the first attempt got a 401.
    pub(super) replay: Option<Result<(), NotReplayed>>,
}

impl LastAttempt {
    /// The first attempt was the only one.
    pub(super) const fn first(bearer: &Bearer) -> Self {
        Self {
            generation: bearer.generation,
            started: bearer.at,
            head: None,
            replay: None,
        }
    }

    /// The request was replayed with `bearer`.
    pub(super) const fn replayed(bearer: &Bearer) -> Self {
        Self {
            generation: bearer.generation,
            started: bearer.at,
            head: None,
            replay: Some(Ok(())),
        }
    }

    /// The first attempt got a 401 and there was no replay.
    pub(super) const fn not_replayed(self, why: NotReplayed) -> Self {
        Self {
            replay: Some(Err(why)),
            ..self
        }
    }

    /// The head of the response has arrived now, but the client does not get it yet.
    pub(super) fn note_head(&mut self) {
        self.head = Some(Instant::now());
    }
}
