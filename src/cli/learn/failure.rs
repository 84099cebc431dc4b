//! Why `learn` has no result.

use crate::cli::exit::Exit;

/// The exit code and the message.
pub(super) type LearnFailure = (Exit, String);
