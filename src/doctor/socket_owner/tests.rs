use super::*;

#[test]
fn a_listening_socket_is_found_by_its_address_or_the_unspecified_one() {
    let line = |address: &str, state: &str| {
        format!(
            "   3: {address}:1A5D 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0"
        )
    };
    let v4 = "127.0.0.1:6749".parse().unwrap();
    let v6 = "[::1]:6749".parse().unwrap();
    let mine = if cfg!(target_endian = "little") {
        "0100007F"
    } else {
        "7F000001"
    };
    let six = if cfg!(target_endian = "little") {
        "00000000000000000000000001000000"
    } else {
        "00000000000000000000000000000001"
    };
    for (text, wanted, found) in [
        (line(mine, "0A"), v4, true),
        (line(mine, "0A"), v6, false),
        (line(mine, "01"), v4, false),
        (line("00000000", "0A"), v4, true),
        (line(six, "0A"), v6, true),
        (line(six, "0A"), v4, false),
        (line(mine, "0A"), "127.0.0.1:6750".parse().unwrap(), false),
        ("  sl  local_address rem_address   st".to_owned(), v4, false),
    ] {
        let expected = found.then_some((1000, 4711));
        assert_eq!(listening(&text, wanted), expected, "{text} {wanted}");
    }
}

#[test]
fn the_name_of_a_process_cannot_steer_a_terminal() {
    assert_eq!(printable_name(b"cupbearer\n"), "cupbearer");
    assert_eq!(printable_name(b"\x1b[2J\xff x\n"), "?[2J\u{fffd} x");
}
