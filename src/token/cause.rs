//! An error of a library or of another room, as the source of this room's errors.

use std::error::Error;

/// Any error that can be the source of another one.
pub type Cause = Box<dyn Error + Send + Sync>;
