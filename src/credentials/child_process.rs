//! Which environment variables are kept from the programs that this process starts.

use std::ffi::OsStr;

use tokio::process::Command;

/// How the name of every variable of the configuration starts.
pub const VARIABLE_PREFIX: &str = "CUPBEARER_";

/// Removes from a child's environment the variables that are meant for this process alone, since one of them may
/// be the secret.
pub fn withhold_private_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_private(name)) {
        command.env_remove(name);
    }
}

/// Either a variable of the configuration, or one that a service manager uses to talk to this process.
fn is_private(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let has_prefix = |prefix: &str| {
        bytes.len() >= prefix.len() && bytes[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
    };
    has_prefix(VARIABLE_PREFIX) || has_prefix("WATCHDOG_") || bytes == b"NOTIFY_SOCKET"
}

#[cfg(test)]
mod tests;
