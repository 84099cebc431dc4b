//! The stand-in servers do what the real ones are known to do: everything else is tested against
//! them, so they are tested first, over real sockets.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod authorization_server;
mod both;
mod support;
