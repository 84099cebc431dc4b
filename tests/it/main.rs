//! Integration tests: one binary, a module a concern.
#![allow(clippy::unwrap_used, reason = "in a test the panic is the message")]

mod house;
mod outbound;
#[cfg(feature = "demo")]
mod replay;
mod rewriting;
