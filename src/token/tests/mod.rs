//! The room's claims: answers as a table, the exchange against a scripted endpoint, the engine
//! against paused time.

mod answers;
mod clocks;
mod endpoint;
mod engine;
mod fleet;
mod mutual_tls;
mod proofs;
mod rejected;
mod scene;
mod secrets;
