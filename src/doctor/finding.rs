//! The result of a check: the outcome, what was found, and what to do about it.

use std::time::Duration;

use crate::token::FailureOrigin;
use crate::vendor::Remedy;

/// A check with its result.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its number, from 1.
    pub number: usize,
    /// Its name in `--json`, which never changes.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What it found.
    pub finding: Finding,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// What was found, in one line; if the check failed, the cause. Never contains a secret.
    pub message: String,
    /// What to do about it.
    pub remedies: Vec<Remedy>,
    /// Whether all causes in `remedies` apply. If not, one of them does, and the doctor cannot tell which.
    pub all_apply: bool,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it should be.
    Ok,
    /// It works, but there is something to know.
    Note,
    /// It does not work.
    Failed(FailureKind),
    /// The check was not made; the message says why.
    Skipped,
}

/// The kind of a failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The configuration, or the secret that it names, cannot be used.
    Configuration,
    /// The token endpoint rejects the client.
    RejectedByTokenEndpoint,
    /// A server is unreachable, or its response cannot be used.
    Unreachable,
    /// Any other failure.
    Other,
}

impl FailureKind {
    pub(super) const fn of(origin: FailureOrigin) -> Self {
        match origin {
            FailureOrigin::Credential => Self::Configuration,
            FailureOrigin::Rejection => Self::RejectedByTokenEndpoint,
            FailureOrigin::Server => Self::Unreachable,
            FailureOrigin::Bug => Self::Other,
        }
    }
}

impl Outcome {
    /// The name of the outcome in the output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Finding {
    pub(super) fn ok(message: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, message)
    }

    pub(super) fn note(message: impl Into<String>) -> Self {
        Self::new(Outcome::Note, message)
    }

    pub(super) fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self::new(Outcome::Failed(kind), message)
    }

    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, reason)
    }

    fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            message: message.into(),
            remedies: Vec::new(),
            all_apply: false,
        }
    }

    /// Whether there are several possible causes that the doctor cannot tell apart.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.remedies.len() > 1 && !self.all_apply
    }

    /// Adds the remedy for the only cause.
    pub(super) fn remedy(self, action: impl Into<String>) -> Self {
        self.with(Remedy::new(action))
    }

    /// Adds a remedy for one of several possible causes.
    pub(super) fn either(self, cause: impl Into<String>, action: impl Into<String>) -> Self {
        self.with(Remedy::new(action).for_cause(cause))
    }

    /// Adds a remedy for one of several causes that all apply.
    pub(super) fn also(mut self, cause: impl Into<String>, action: impl Into<String>) -> Self {
        self.all_apply = true;
        self.with(Remedy::new(action).for_cause(cause))
    }

    pub(super) fn with(self, remedy: Remedy) -> Self {
        self.with_all([remedy])
    }

    pub(super) fn with_all(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }
}
