//! The map of the crate.
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod secret;
pub mod token;
