//! A local reverse proxy that attaches an OAuth 2.0 access token to every request. This is the map of the crate.
//!
//! ```text
//! a request: server accepts -> proxy: guard, permit, bearer, request head -> upstream: send -> response body
//! a token:   config -> token: refresh, grant -> the current bearer -> proxy
//! ```
//! `docs/architecture.md` describes each module, and which modules it may use.

pub mod admin;
pub mod cli;
pub mod config;
pub mod credentials;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod guard;
pub mod instance;
pub mod learn;
pub mod login;
pub mod metrics;
pub mod net;
pub mod problem;
pub mod proxy;
pub mod reload;
pub mod server;
pub mod telemetry;
pub mod text;
pub mod token;
pub mod upstream;
pub mod vendor;

pub use instance::{AdminListeners, RunningProxy, StartError, start, start_admin};
