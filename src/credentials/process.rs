//! Keeps this process's memory from other processes and out of core dumps.

use std::io;

/// Hides this process's memory and environment from other processes of the same user (`/proc/PID`), and keeps
/// both out of core dumps. Root can still read them, and so can anyone who can read the secret's file.
///
/// # Errors
/// The system does not allow it. The secrets are then only as safe as the system's defaults make them.
#[cfg(target_os = "linux")]
pub fn hide_process() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let core_dumps = disable_core_dumps();
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    core_dumps
}

/// Keeps this process's memory out of core dumps.
///
/// # Errors
/// The system does not allow it.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn hide_process() -> io::Result<()> {
    disable_core_dumps()
}

/// Child processes inherit this limit, whereas the `DumpableBehavior` is reset when they start.
#[cfg(unix)]
fn disable_core_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let zero = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, zero)?)
}

/// Does nothing: this system offers no such protection.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn hide_process() -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
