//! How many connections fit into the limit of open files (`RLIMIT_NOFILE`).

/// Descriptors for other purposes: listeners, the runtime, the log, the token endpoint.
#[cfg(unix)]
const OTHER_DESCRIPTORS: u64 = 64;

/// Raises the soft limit of open files to the hard limit, and returns how many client connections each of `proxies` may
/// have: half of what is not reserved, because each connection may need a second descriptor for the upstream.
///
/// Reserved, up to half of the limit, are descriptors for other purposes, for `admin_connections`, and for the
/// connections that a proxy is rejecting. `None` if the limit is not known.
#[cfg(unix)]
#[must_use]
pub fn connections_per_proxy(proxies: usize, admin_connections: usize) -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current, // keep the limit as it is
    };
    let room = half_of(now?, reserved(proxies, admin_connections));
    Some(usize::try_from(room).ok()? / proxies)
}

/// What a process needs before it can report anything: the runtime, the signals, a file. A proxy needs more.
#[cfg(unix)]
const LEAST_DESCRIPTORS: u64 = 10;

/// Whether the limit of open files is too low even for a command that serves nothing.
#[cfg(unix)]
#[must_use]
pub fn has_too_few_files() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.is_some_and(|limit| limit < LEAST_DESCRIPTORS)
}

/// This system has no such limit.
#[cfg(not(unix))]
#[must_use]
pub fn has_too_few_files() -> bool {
    false
}

/// Whether an operation failed because this process, or the whole system, has too many open files.
#[must_use]
pub fn is_out_of_files(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    let codes =
        [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
    #[cfg(not(unix))]
    let codes = [10024]; // WSAEMFILE
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

#[cfg(unix)]
fn reserved(proxies: usize, admin_connections: usize) -> u64 {
    use super::rejections::{NOT_ADMITTED_PLACES, OVERLOAD_PLACES};
    let rejections = proxies * (OVERLOAD_PLACES + NOT_ADMITTED_PLACES);
    OTHER_DESCRIPTORS + (admin_connections + rejections) as u64
}

#[cfg(unix)]
fn half_of(files: u64, reserved: u64) -> u64 {
    (files - reserved.min(files / 2)) / 2
}

/// This system has no such limit.
#[cfg(not(unix))]
#[must_use]
pub fn connections_per_proxy(_: usize, _: usize) -> Option<usize> {
    None
}

#[cfg(all(test, unix))]
mod tests;
