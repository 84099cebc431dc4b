//! Which environment variables are kept from the programs that this process starts.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// How the name of every variable of the configuration starts.
pub const VARIABLE_PREFIX: &str = "CUPBEARER_";

/// The other variables that contain a secret. One set for the process, because a variable that one proxy names must not
/// reach a program that another one starts.
static SECRET_VARIABLES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Keeps this variable from every program that is started from now on.
pub fn withhold_variable(name: &str) {
    let mut withheld = SECRET_VARIABLES
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    withheld.insert(name.to_owned());
}

/// Removes from a child's environment the variables that are meant for this process alone, since one of them may
/// be the secret.
pub fn withhold_private_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_private(name)) {
        command.env_remove(name);
    }
}

/// A variable of the configuration, one that it names as the source of a secret, or one that a service manager uses to
/// talk to this process.
fn is_private(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let has_prefix = |prefix: &str| {
        bytes.len() >= prefix.len() && bytes[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
    };
    let withheld = || {
        let withheld = SECRET_VARIABLES
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        name.to_str().is_some_and(|name| withheld.contains(name))
    };
    has_prefix(VARIABLE_PREFIX)
        || has_prefix("WATCHDOG_")
        || has_prefix("LISTEN_")
        || bytes == b"NOTIFY_SOCKET"
        || withheld()
}

#[cfg(test)]
mod tests;
