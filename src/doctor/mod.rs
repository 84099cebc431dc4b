//! `cupbearer doctor`: numbered checks from the configuration to the API's response, each with cause and remedy.
//!
//! The doctor requests an access token of its own and sends one harmless GET. It changes nothing, keeps nothing, prints
//! nothing and starts no task; the caller learns when each check begins and ends. `check_list` has the checks in their
//! order; [`examine()`] makes them.

mod api;
mod check_list;
mod check_run;
mod claims;
mod context;
mod examine;
mod finding;
mod grant;
mod issuer;
mod listener;
mod local_exchange;
mod own_response;
mod person_grant;
mod person_token;
mod port_holder;
pub mod preflight;
mod prerequisites;
mod presented_claims;
mod probe;
mod proxies;
mod reach;
mod running_instance;
#[cfg(test)]
mod sample;
mod socket_owner;
mod token_filter;

pub use check_list::{CHECKS, CheckName, markdown_table};
pub use check_run::CheckProgress;
pub use claims::relative;
pub use examine::{DoctorOptions, examine};
pub use finding::{Check, FailureKind, Finding, Outcome};
pub use port_holder::{PortHolder, holder};
pub use running_instance::{admin_process, upstream_if_unrelated};
pub use socket_owner::HolderProcess;
