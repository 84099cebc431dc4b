//! A possible cause of a problem and what to do about it.

use super::setup_guide::SetupStep;

/// A remedy, with its cause if there are several possible ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The cause; `None` if there is only one.
    pub cause: Option<String>,
    /// What to do.
    pub action: String,
    /// The step of the setup guide that the remedy refers to.
    pub step: Option<SetupStep>,
}

impl Remedy {
    /// What to do about the only possible cause.
    #[must_use]
    pub fn new(action: impl Into<String>) -> Self {
        Self {
            cause: None,
            action: action.into(),
            step: None,
        }
    }

    /// The same remedy, for one of several causes.
    #[must_use]
    pub fn for_cause(self, cause: impl Into<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }

    /// The same remedy, at a step of the setup guide.
    #[must_use]
    pub fn at(self, step: SetupStep) -> Self {
        Self {
            step: Some(step),
            ..self
        }
    }
}
