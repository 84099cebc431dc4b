use super::*;

const OWN: u32 = 1000;
const OTHER: u32 = 65534;

fn peer(way: Way, uid: Option<u32>) -> Peer {
    Peer {
        way,
        address: None,
        uid,
    }
}

fn passes(config: &LocalUsers, way: Way, uid: Option<u32>) -> bool {
    Users::new(config, Some(OWN)).check(&peer(way, uid)).is_ok()
}

#[test]
fn a_local_listener_admits_whom_the_key_names_and_nobody_unknown() {
    let listed = LocalUsers::Only(vec![OTHER]);
    for way in [Way::Loopback, Way::Unix] {
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
            assert_eq!(passes(config, way, uid), expected, "{config:?} {uid:?}");
        }
    }
}

#[test]
fn nothing_is_said_about_the_network() {
    for uid in [None, Some(OTHER)] {
        assert!(passes(&LocalUsers::Same, Way::Network, uid));
    }
}

#[test]
fn a_refusal_names_both_users_and_the_line_to_write() {
    for (config, line) in [
        (LocalUsers::Same, "guard.local_users = [0, 1000, 65534]."),
        (LocalUsers::Only(vec![7]), "guard.local_users = [7, 65534]."),
    ] {
        let users = Users::new(&config, Some(OWN));
        let refusal = users.check(&peer(Way::Loopback, Some(OTHER))).unwrap_err();
        assert_eq!(refusal.reason, Reason::UserRefused);
        for part in ["user id 65534", "user id 1000", line] {
            assert!(refusal.detail.contains(part), "{}", refusal.detail);
        }
    }
    let unknown = Users::new(&LocalUsers::Same, Some(OWN)).check(&peer(Way::Loopback, None));
    assert!(unknown.unwrap_err().detail.contains("\"any\""));
}
