//! Integration tests: one binary, a module a concern. Each name is a claim.
#![allow(clippy::unwrap_used, reason = "in a test the panic is the message")]

mod answers;
mod callers;
mod floods;
mod forwarding;
mod house;
mod leaving;
mod reasons;
mod smuggling;
mod support;
mod tokens;
