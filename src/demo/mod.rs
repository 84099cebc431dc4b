//! A simulated authorization server and a simulated API, in this process and on loopback only.
//!
//! `cupbearer demo` runs them, and the tests use them. They therefore check what the real servers check, can be put
//! into any state ([`DemoState`]) and record what they receive ([`ApiRequest`], [`TokenRequest`]). Nothing here knows
//! the proxy: the demo configures it as any user would.

mod access;
mod api;
mod authorization_endpoint;
mod authorization_server;
mod client_credentials;
mod context;
mod copied_token;
mod device_codes;
mod device_endpoint;
mod dir_lock;
mod docs_page;
mod errors;
mod guide;
mod html;
mod inventory;
mod issuing;
mod keys;
mod openapi;
mod people;
mod person_grants;
mod recorder;
mod secret_file;
mod servers;
mod sessions;
mod state;
mod validation;

pub use context::{CLIENT_ID, ENVIRONMENT_ID, LOGIN_CLIENT_ID, ORGANIZATION_ID};
pub use guide::LoginWay;
pub use recorder::{ApiRequest, TokenRequest, Verdict};
pub use servers::{API_PORT, AUTHORIZATION_SERVER_PORT, Demo, Options, remove_abandoned, start};
pub use state::{
    Application, AuthMethod, Behaviour, DemoState, ExpiresIn, Groups, Resource, TokenReply,
};
