//! A person's sign-in: with a browser, the listener to which the browser returns (RFC 8252), which exists only then;
//! with a code on another device (RFC 8628), the requests that ask whether the person has signed in.
//!
//! `logins` begins a sign-in and knows how it goes, `redirect_server` listens, `visit` decides about one request of a
//! browser, `pages` are what the browser shows, and `answer_form` reads the form of one; `device_poll` waits for the
//! other device; `completion` asks before someone else is signed in than before. `token` knows the authorization
//! server.

mod answer_form;
mod completion;
mod device_poll;
mod logins;
mod outcome;
mod pages;
mod redirect_server;
mod visit;

pub use logins::{LoginNotStarted, Logins, StartedDeviceLogin, StartedLogin};
pub use outcome::LoginOutcome;
