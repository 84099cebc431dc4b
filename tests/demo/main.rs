//! The simulated servers behave as the real ones are known to behave. Other tests rely on them, so they are tested
//! here, over real sockets.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod authorization_server;
mod both;
mod support;
