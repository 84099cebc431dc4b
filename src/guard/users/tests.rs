use super::*;
use crate::guard::OwnScheme;

const OWN: u32 = 1000;
const OTHER: u32 = 65534;

fn peer(transport: Transport, uid: Option<u32>) -> Peer {
    Peer {
        transport,
        scheme: OwnScheme::Http,
        address: None,
        uid,
        certificate: None,
    }
}

fn passes(config: &LocalUsers, transport: Transport, uid: Option<u32>) -> bool {
    AdmittedUsers::new(config, Some(OWN))
        .check(&peer(transport, uid))
        .is_ok()
}

#[test]
fn a_local_listener_admits_the_configured_users_and_no_unknown_one() {
    let listed = LocalUsers::Only(vec![OTHER]);
    for transport in [Transport::Loopback, Transport::Unix] {
        for (config, uid, expected) in [
            (&LocalUsers::Same, Some(OWN), true),
            (&LocalUsers::Same, Some(ROOT), true),
            (&LocalUsers::Same, Some(OTHER), false),
            (&LocalUsers::Same, None, false),
            (&listed, Some(OTHER), true),
            (&listed, Some(OWN), false),
            (&listed, Some(ROOT), false),
            (&listed, None, false),
            (&LocalUsers::Any, Some(OTHER), true),
            (&LocalUsers::Any, None, true),
        ] {
            assert_eq!(
                passes(config, transport, uid),
                expected,
                "{config:?} {uid:?}"
            );
        }
    }
}

#[test]
fn connections_from_the_network_always_pass() {
    for uid in [None, Some(OTHER)] {
        assert!(passes(&LocalUsers::Same, Transport::Network, uid));
    }
}

#[test]
fn a_rejection_names_both_users_and_the_line_to_write() {
    for (config, line) in [
        (LocalUsers::Same, "guard.local_users = [0, 1000, 65534]."),
        (LocalUsers::Only(vec![7]), "guard.local_users = [7, 65534]."),
    ] {
        let users = AdmittedUsers::new(&config, Some(OWN));
        let rejection = users
            .check(&peer(Transport::Loopback, Some(OTHER)))
            .unwrap_err();
        assert_eq!(rejection.reason, Reason::UserRefused);
        for part in ["user id 65534", "user id 1000", line] {
            assert!(rejection.detail.contains(part), "{}", rejection.detail);
        }
    }
    let unknown =
        AdmittedUsers::new(&LocalUsers::Same, Some(OWN)).check(&peer(Transport::Loopback, None));
    let detail = unknown.unwrap_err().detail;
    assert!(detail.contains("must keep its side open"), "{detail}");
    assert!(!detail.contains("any"), "{detail}");
}

#[test]
fn only_our_own_user_and_root_may_give_orders_whoever_else_is_admitted() {
    for config in [LocalUsers::Any, LocalUsers::Only(vec![OTHER])] {
        let users = AdmittedUsers::new(&config, Some(OWN));
        for (transport, uid, expected) in [
            (Transport::Loopback, Some(OWN), true),
            (Transport::Unix, Some(OWN), true),
            (Transport::Loopback, Some(ROOT), true),
            (Transport::Unix, Some(OTHER), false),
            (Transport::Loopback, Some(OTHER), false),
            (Transport::Loopback, None, !cfg!(target_os = "linux")),
            (Transport::Network, Some(OWN), false),
            (Transport::Network, None, false),
        ] {
            let passes = users.check_owner(&peer(transport, uid)).is_ok();
            assert_eq!(passes, expected, "{config:?} {transport:?} {uid:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn our_own_user_is_the_one_that_owns_our_files() {
    use std::os::unix::fs::MetadataExt as _;
    let file = tempfile::tempfile().unwrap();
    assert_eq!(own_uid(), Some(file.metadata().unwrap().uid()));
}
