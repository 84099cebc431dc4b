//! A person's sign-in with a browser: the listener to which the browser returns (RFC 8252), which exists only then.
//!
//! `logins` begins a sign-in and knows how it goes, `redirect_server` listens, `visit` decides about one request of a
//! browser, and `pages` are what the browser shows. `token` knows the authorization server.

mod logins;
mod outcome;
mod pages;
mod redirect_server;
mod visit;

pub use logins::{LoginNotStarted, Logins, StartedLogin};
pub use outcome::LoginOutcome;
