//! A value that cannot be printed, serialised or left behind in memory.
//!
//! There is no `Display`, no `Serialize`, no `Deref`: `grep -rn expose src/` lists every place that
//! looks inside, and each says why.

use std::fmt;

use zeroize::Zeroizing;

/// A client secret, a private key or a caller's key. Wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller's copy, if any, is the caller's to wipe.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves, for the one exchange or comparison that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it. An empty secret is a mistake, never a credential.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Keeps this process's memory and environment from others of the same user (`/proc/PID`), and out of
/// core dumps. Root still sees them, and so does whoever can read the secret's file.
///
/// # Errors
/// The system refused; secrets are then as safe as the system's defaults make them.
#[cfg(target_os = "linux")]
pub fn hide_process() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let no_core = leave_no_core();
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    no_core
}

/// Keeps this process's memory out of core dumps.
///
/// # Errors
/// The system refused.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn hide_process() -> std::io::Result<()> {
    leave_no_core()
}

/// For programs that we start, too: they inherit it, while they do not inherit being undumpable.
#[cfg(unix)]
fn leave_no_core() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}

/// Nothing is known here that does it.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn hide_process() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
