//! Every key that can be set.
//!
//! `table` defines each key once: a typed constant with its path, default and help. Everything else follows from
//! it: reading (file, environment, `--set`), the names of environment variables, the nearest known key, what
//! `check` prints, `config/example.toml` and the table in `docs/configuration.md`.

mod caller_name;
mod example;
mod key;
mod kinds;
mod markdown;
mod names;
mod on_system;
mod table;
#[cfg(test)]
mod tests;
mod variable;

pub use caller_name::is_caller_name;
pub(crate) use caller_name::{caller_in, caller_in_variable, caller_path};
pub use example::example;
pub use key::{Fallback, KeyInfo, Scope, ValueKind};
pub(crate) use key::{Key, ParseError, SecretKey};
pub use markdown::markdown_table;
pub use names::find;
pub(crate) use names::{is_section, nearest_path, nearest_variable, variables};
pub(crate) use on_system::on_system;
pub(crate) use table::*;
pub use table::{CALLER_KEYS, KEYS};
pub use variable::PREFIX;
pub(crate) use variable::{CONFIG_VARIABLE, variable};
