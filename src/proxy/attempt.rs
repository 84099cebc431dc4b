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
    /// `None` unless the first attempt got a 401 that a newer token might have avoided.
    pub(super) replay: Option<Result<(), NotReplayed>>,
}

impl LastAttempt {
    /// The first attempt was the only one.
    pub(super) const fn first(bearer: &Bearer) -> Self {
        Self {
            generation: bearer.generation,
            started: bearer.at,
            replay: None,
        }
    }

    /// The request was replayed with `bearer`.
    pub(super) const fn replayed(bearer: &Bearer) -> Self {
        Self {
            generation: bearer.generation,
            started: bearer.at,
            replay: Some(Ok(())),
        }
    }

    /// The first attempt got a 401 and there was no replay.
    pub(super) const fn not_replayed(bearer: &Bearer, why: NotReplayed) -> Self {
        Self {
            generation: bearer.generation,
            started: bearer.at,
            replay: Some(Err(why)),
        }
    }
}
