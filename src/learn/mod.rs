//! Least privilege by observation: derives the rules that allow exactly the requests that a program made.
//!
//! Nothing here starts a task or sends a request; `cli` runs the program. Whether a rule accepts a request is decided
//! by `guard` alone. In order of dependency: `record` collects the requests, `document` reads the paths of the API's
//! OpenAPI document, `compare` checks the requests against existing rules, `fold` derives rules from the requests,
//! `block` prints them.

mod block;
mod compare;
mod document;
mod fold;
mod record;

pub use block::{RunDescription, toml_string, write_block};
pub use compare::{Comparison, compare};
pub use document::{OpenApiDocument, OpenApiError, candidate_paths};
pub use fold::{FoldedRule, FoldedRules, fold};
pub use record::{ObservedRequest, ObservedRequests, RequestOutcomes, RequestRecorder};

#[cfg(test)]
mod tests;
