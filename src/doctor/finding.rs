//! What a check says: how it went, what was seen, and what to do about it.

use std::time::Duration;

use super::step::Step;

/// One check that was made, or was not.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its place in the round, from 1.
    pub number: usize,
    /// Its name in `--json`; never changes.
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
    /// How it went.
    pub outcome: Outcome,
    /// What was seen, in one line; when something failed, the cause. Never any secret.
    pub said: String,
    /// What to do about it.
    pub ways: Vec<Way>,
    /// What several ways are: causes that are all there, or causes of which it is one, and which cannot be told
    /// apart from here.
    pub all_apply: bool,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and somebody should know this all the same.
    Note,
    /// It does not work.
    Failed(Blame),
    /// It was not made: what was said is why.
    Skipped,
}

/// Whose failure it is: decides what the process exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The configuration, or the secret that it names.
    Configuration,
    /// The token endpoint refuses us.
    Refused,
    /// Something cannot be reached, or gives no usable answer.
    Unreachable,
    /// Anything else.
    Other,
}

/// A possible cause and its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The cause, where it is one of several.
    pub cause: Option<String>,
    /// What to do.
    pub remedy: String,
    /// The step of the set-up guide that it is about.
    pub step: Option<Step>,
}

impl Outcome {
    /// As it is written.
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
    pub(super) fn ok(said: impl Into<String>) -> Self {
        Self::of(Outcome::Ok, said)
    }

    pub(super) fn note(said: impl Into<String>) -> Self {
        Self::of(Outcome::Note, said)
    }

    pub(super) fn failed(blame: Blame, said: impl Into<String>) -> Self {
        Self::of(Outcome::Failed(blame), said)
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::of(Outcome::Skipped, why)
    }

    fn of(outcome: Outcome, said: impl Into<String>) -> Self {
        Self {
            outcome,
            said: said.into(),
            ways: Vec::new(),
            all_apply: false,
        }
    }

    /// Several causes, and whether it is one of them only.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.ways.len() > 1 && !self.all_apply
    }

    /// The remedy for the one cause that there is.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        self.way(None, remedy.into(), None)
    }

    /// The same, at this step of the guide.
    pub(super) fn at(self, step: Step, remedy: impl Into<String>) -> Self {
        self.way(None, remedy.into(), Some(step))
    }

    /// Another cause that is there, beside those before.
    pub(super) fn also(mut self, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        self.all_apply = true;
        self.way(Some(cause.into()), remedy.into(), None)
    }

    /// One of several causes.
    pub(super) fn either(self, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        self.way(Some(cause.into()), remedy.into(), None)
    }

    /// One of several causes, at this step of the guide.
    pub(super) fn either_at(
        self,
        step: Step,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        self.way(Some(cause.into()), remedy.into(), Some(step))
    }

    fn way(mut self, cause: Option<String>, remedy: String, step: Option<Step>) -> Self {
        self.ways.push(Way {
            cause,
            remedy,
            step,
        });
        self
    }
}
