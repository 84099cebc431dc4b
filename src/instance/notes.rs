//! What somebody should know about a proxy's configuration: `/status` shows it for as long as it is true.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::token::Tokens;

/// The notes of one proxy.
#[derive(Default)]
pub struct Notes(Mutex<Said>);

#[derive(Default)]
struct Said {
    started_without: Vec<String>,
    refused: Option<String>,
    waiting: Option<Tokens>,
    restart: Vec<String>,
}

impl Notes {
    /// Another proxy of this process could not start.
    pub fn started_without(&self, why: String) {
        self.lock().started_without.push(why);
    }

    /// Why the newest configuration is not used; `None` once one can be.
    pub fn refused(&self, why: Option<String>) {
        self.lock().refused = why;
    }

    /// The new identity that has no token yet.
    pub fn waiting(&self, tokens: Option<Tokens>) {
        self.lock().waiting = tokens;
    }

    /// The keys that have another value in the configuration than in this process.
    pub fn restart(&self, keys: Vec<String>) {
        self.lock().restart = keys;
    }

    /// Whether the configuration has changed and the change is not applied yet.
    #[must_use]
    pub fn has_pending_change(&self) -> bool {
        let said = self.lock();
        said.refused.is_some() || said.waiting.is_some() || !said.restart.is_empty()
    }

    /// All of it, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let said = self.lock();
        let mut lines = said.started_without.clone();
        if let Some(why) = &said.refused {
            lines.push(format!(
                "the changed configuration cannot be used, the last good one stays: {why}"
            ));
        }
        if let Some(tokens) = &said.waiting {
            let why = tokens.snapshot().last_error;
            lines.push(format!(
                "the changed configuration waits for its first token, the one before serves: {}",
                why.as_deref()
                    .unwrap_or("the token endpoint is being asked")
            ));
        }
        if !said.restart.is_empty() {
            lines.push(format!(
                "changed in the configuration, and needs a restart: {}",
                said.restart.join(", ")
            ));
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
