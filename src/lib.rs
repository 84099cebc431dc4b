//! The map of the crate.
pub mod cli;
pub mod config;
pub mod secret;
pub mod token;
