//! The map of the crate.
pub mod answer;
pub mod config;
pub mod guard;
pub mod secret;
pub mod server;
pub mod token;
pub mod upstream;
