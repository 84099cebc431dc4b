use rustix::process::{Resource, getrlimit};

use super::*;

#[test]
fn the_soft_limit_is_raised_and_at_most_half_of_it_is_for_clients() {
    let room = connections_per_proxy(1, 64);
    let limit = getrlimit(Resource::Nofile);
    assert_eq!(limit.current, limit.maximum);
    assert_eq!(
        room.map(|room| room as u64),
        limit.maximum.map(|files| half_of(files, 64 + 64 + 32 + 16))
    );
}

#[test]
fn two_descriptors_per_connection_and_the_reserve_fit_into_any_limit() {
    let reserved = reserved(1, 64);
    for files in [16, 64, 256, 1024, 1 << 20] {
        let room = half_of(files, reserved);
        assert!(room >= files / 4 && room <= files / 2, "{files}: {room}");
        assert!(
            2 * room + reserved.min(files / 2) <= files,
            "{files}: {room}"
        );
    }
}

#[test]
fn full_proxies_and_a_full_admin_listener_leave_descriptors_for_the_process() {
    for proxies in [1, 2, 8] {
        let (files, admin_connections) = (1024, 64);
        let room = half_of(files, reserved(proxies, admin_connections)) / proxies as u64;
        let each = 2 * room + 48;
        let all = proxies as u64 * each + admin_connections as u64 + OTHER_DESCRIPTORS;
        assert!(room > 0 && all <= files, "{proxies}: {all}");
    }
}
