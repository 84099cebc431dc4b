//! How many connections the system has descriptors for.

/// Raises the soft limit of open files to the hard one, and returns how many connections fit: half of
/// it, since each may need a second descriptor towards the upstream. `None` where there is no limit to know.
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
    now.and_then(|files| usize::try_from(files / 2).ok())
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
    fn the_limit_is_raised_and_half_of_it_is_for_clients() {
        let room = room_for_connections();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(
            room.map(|room| room as u64),
            limit.maximum.map(|files| files / 2)
        );
    }
}
