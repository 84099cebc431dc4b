//! Credentials: secrets that cannot be printed.

mod secret;

pub use secret::{Secret, hide_process};
