//! Tests of the whole room: responses as tables, requests to a scripted endpoint, the refresh task against paused time.

mod answers;
mod attempts;
mod bodies;
mod changed_secrets;
mod clocks;
mod demanded_delays;
mod endpoint;
mod engine;
mod fleet;
mod logged;
mod metadata;
mod mutual_tls;
mod overlap;
mod pasting;
mod persons;
mod proofs;
mod rejected;
mod renewals;
mod revocation;
mod scene;
mod secrets;
mod source_looks;
mod superseded;
