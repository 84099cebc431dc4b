//! How many connections the system has descriptors for.

/// For what is no connection: listeners, the runtime, the log, the token endpoint.
#[cfg(unix)]
const OWN: u64 = 64;

/// Raises the soft limit of open files to the hard one, and returns how many connections fit into each of `proxies`:
/// half of what is not reserved, since each may need a second descriptor towards the upstream. Reserved are the
/// process's own, `beside` for connections of other servers, and what each proxy may hold of callers that are told
/// that there is no room; at most half of the limit. `None` where there is no limit to know.
#[cfg(unix)]
#[must_use]
pub fn room_for_connections(proxies: usize, beside: usize) -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current, // the limit as it is will do
    };
    let room = half_of(now?, reserved(proxies, beside));
    Some(usize::try_from(room).ok()? / proxies)
}

#[cfg(unix)]
fn reserved(proxies: usize, beside: usize) -> u64 {
    OWN + (beside + proxies * super::shed::AT_ONCE) as u64
}

#[cfg(unix)]
fn half_of(files: u64, reserved: u64) -> u64 {
    (files - reserved.min(files / 2)) / 2
}

/// There is no such limit here.
#[cfg(not(unix))]
#[must_use]
pub fn room_for_connections(_: usize, _: usize) -> Option<usize> {
    None
}

#[cfg(all(test, unix))]
mod tests;
