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
    let mapped = |address: &str| {
        let mark = if cfg!(target_endian = "little") {
            "FFFF0000"
        } else {
            "0000FFFF"
        };
        format!("0000000000000000{mark}{address}")
    };
    let all_six = "0".repeat(32);
    let (exact, family, both) = (
        Some(Precision::Exact),
        Some(Precision::Family),
        Some(Precision::BothFamilies),
    );
    for (text, wanted, found) in [
        (line(mine, "0A"), v4, exact),
        (line(&mapped(mine), "0A"), v4, exact),
        (line(mine, "0A"), v6, None),
        (line(mine, "01"), v4, None),
        (line("00000000", "0A"), v4, family),
        (line(&mapped("00000000"), "0A"), v4, family),
        (line("00000000", "0A"), v6, None),
        (line(&all_six, "0A"), v6, family),
        (line(&all_six, "0A"), v4, both),
        (line(six, "0A"), v6, exact),
        (line(six, "0A"), v4, None),
        (line(mine, "0A"), "0.0.0.0:6749".parse().unwrap(), family),
        (line(mine, "0A"), "127.0.0.1:6750".parse().unwrap(), None),
        ("  sl  local_address rem_address   st".to_owned(), v4, None),
    ] {
        let expected = found.map(|precision| (precision, 1000, 4711));
        assert_eq!(listening(&text, wanted), expected, "{text} {wanted}");
    }
    assert!(both < family && family < exact);
}

#[test]
fn a_socket_on_all_addresses_hides_none_that_names_its_address() {
    use std::net::TcpListener;
    let exact = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = exact.local_addr().unwrap();
    let inode = |listener: &TcpListener| {
        use std::os::fd::AsRawFd as _;
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let text = link.to_str().unwrap().to_owned();
        text.trim_matches(|letter: char| !letter.is_ascii_digit())
            .parse::<u64>()
            .unwrap()
    };
    let other = SocketAddr::new("127.0.0.1".parse().unwrap(), address.port());
    let Ok(all) = TcpListener::bind(SocketAddr::new("::".parse().unwrap(), address.port())) else {
        return; // without IPv6
    };
    let found = |address| listening_socket(address).map(|(_, inode)| inode);
    assert_eq!(found(address), Some(inode(&exact)));
    assert_eq!(found(other), Some(inode(&all)));
}

#[test]
fn the_name_of_a_process_cannot_steer_a_terminal() {
    assert_eq!(printable_name(b"cupbearer\n"), "cupbearer");
    assert_eq!(printable_name(b"\x1b[2J\xff x\n"), "?[2J\u{fffd} x");
}
