//! Which environment variables are kept from the programs that this process starts.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the name of every variable of the configuration starts.
pub const VARIABLE_PREFIX: &str = "CUPBEARER_";

/// The other variables that contain a secret. One set for the process, because a variable that one proxy names must not
/// reach a program that another one starts.
static SECRET_VARIABLES: Mutex<SecretVariables> = Mutex::new(SecretVariables {
    read: BTreeSet::new(),
    in_use: BTreeMap::new(),
});

struct SecretVariables {
    /// Those that commands have found in a configuration.
    read: BTreeSet<String>,
    /// How many configurations of running proxies name each of these.
    in_use: BTreeMap<String, usize>,
}

fn secret_variables() -> MutexGuard<'static, SecretVariables> {
    let all = SECRET_VARIABLES.lock();
    all.unwrap_or_else(PoisonError::into_inner)
}

/// Keeps this variable from every program that is started from now on.
pub fn withhold_variable(name: &str) {
    secret_variables().read.insert(name.to_owned());
}

/// From now on, only what [`WithheldVariables`] name is kept from programs: the configurations of running proxies
/// change, and a program may need what an earlier configuration named.
pub fn withhold_only_what_is_in_use() {
    secret_variables().read.clear();
}

/// Keeps these variables from every program for as long as a configuration that names them is in use.
#[derive(Debug)]
#[must_use]
pub struct WithheldVariables(Vec<String>);

impl WithheldVariables {
    /// Begins to keep them.
    pub fn new(names: Vec<String>) -> Self {
        let mut all = secret_variables();
        for name in &names {
            *all.in_use.entry(name.clone()).or_default() += 1;
        }
        Self(names)
    }
}

impl Drop for WithheldVariables {
    fn drop(&mut self) {
        let mut all = secret_variables();
        for name in &self.0 {
            if let Some(count) = all.in_use.get_mut(name) {
                *count -= 1;
            }
        }
        all.in_use.retain(|_, count| *count > 0);
    }
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
        let all = secret_variables();
        let is_named = |name| all.read.contains(name) || all.in_use.contains_key(name);
        name.to_str().is_some_and(is_named)
    };
    has_prefix(VARIABLE_PREFIX)
        || has_prefix("WATCHDOG_")
        || has_prefix("LISTEN_")
        || bytes == b"NOTIFY_SOCKET"
        || withheld()
}

#[cfg(test)]
mod tests;
