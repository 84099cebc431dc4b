//! Tests of the whole room: responses as tables, requests to a scripted endpoint, the refresh task against paused time.

mod answers;
mod clocks;
mod endpoint;
mod engine;
mod fleet;
mod logged;
mod mutual_tls;
mod proofs;
mod rejected;
mod scene;
mod secrets;
