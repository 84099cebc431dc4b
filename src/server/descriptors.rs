//! How many connections the system has descriptors for.

/// For what is no connection of a client or to the upstream: listeners, the runtime, the log, the token endpoint,
/// probes, callers that are told that there is no room.
#[cfg(unix)]
const RESERVED: u64 = 64 + super::shed::AT_ONCE as u64;

/// Raises the soft limit of open files to the hard one, and returns how many connections fit: half of what is not
/// reserved, since each may need a second descriptor towards the upstream. `None` where there is no limit to know.
#[cfg(unix)]
#[must_use]
pub fn room_for_connections() -> Option<usize> {
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
    now.and_then(|files| usize::try_from(half_of(files)).ok())
}

#[cfg(unix)]
fn half_of(files: u64) -> u64 {
    (files - RESERVED.min(files / 2)) / 2
}

/// There is no such limit here.
#[cfg(not(unix))]
#[must_use]
pub fn room_for_connections() -> Option<usize> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Resource, getrlimit};

    use super::*;

    #[test]
    fn the_limit_is_raised_and_at_most_half_of_it_is_for_clients() {
        let room = room_for_connections();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(room.map(|room| room as u64), limit.maximum.map(half_of));
    }

    #[test]
    fn two_descriptors_a_connection_and_the_reserve_fit_into_any_limit() {
        for files in [16, 64, 256, 1024, 1 << 20] {
            let room = half_of(files);
            assert!(room >= files / 4 && room <= files / 2, "{files}: {room}");
            assert!(
                2 * room + RESERVED.min(files / 2) <= files,
                "{files}: {room}"
            );
        }
    }
}
