//! The map of the crate.
pub mod config;
pub mod secret;
pub mod server;
pub mod token;
pub mod upstream;
