//! Least privilege by observation: what a program asked for, folded to the rules that allow just that.
//!
//! `record` keeps what was seen, `document` reads the API's own paths, `fold` makes rules of both, `block` writes
//! them down, `compare` holds them against rules that are there. Starts nothing and asks nobody: `cli` runs the
//! program. Whether a rule lets a request pass is `guard`'s word alone.

mod block;
mod compare;
mod document;
mod fold;
mod record;

pub use block::{About, write};
pub use compare::{Comparison, compare};
pub use document::{Document, DocumentError, candidates};
pub use fold::{Folded, FoldedRule, fold};
pub use record::{Recorder, Request, Seen, Times};

#[cfg(test)]
mod tests;
