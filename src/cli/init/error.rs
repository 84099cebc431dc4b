//! Why `init` ends without a configuration.

use std::io;
use std::path::PathBuf;

pub(super) enum InitError {
    /// A flag is invalid, or is missing and there is no terminal to ask on.
    Usage(String),
    /// The configuration could not be written or tried.
    Failed(String),
    /// The user has ended the input.
    Abandoned,
    /// The user has ended the input after the configuration of earlier answers was written.
    AbandonedAfter(PathBuf),
}

impl InitError {
    /// All problems of the flags at once.
    pub(super) fn of_flags(problems: &[String]) -> Self {
        Self::Usage(problems.join("\ncupbearer init: "))
    }
}

impl From<io::Error> for InitError {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!(
            "the terminal cannot be used: {error}; give everything as flags, with --yes"
        ))
    }
}
