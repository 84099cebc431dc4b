use super::*;

#[test]
fn a_name_is_a_uri_an_address_or_a_dns_name() {
    let uri = "spiffe://cluster.local/ns/a/sa/b";
    for (text, expected) in [
        (uri, CertificateName::Uri(uri.to_owned())),
        (
            "urn:example:a",
            CertificateName::Uri("urn:example:a".to_owned()),
        ),
        ("10.0.0.1", CertificateName::Ip([10, 0, 0, 1].into())),
        (
            "::1",
            CertificateName::Ip(std::net::Ipv6Addr::LOCALHOST.into()),
        ),
        (
            "Orders.Example.com",
            CertificateName::Dns("orders.example.com".try_into().unwrap()),
        ),
    ] {
        assert_eq!(CertificateName::parse(text).ok(), Some(expected), "{text}");
    }
    for text in [
        "",
        "*.example.com",
        "orders:8443",
        "a b",
        "spiffe://a b",
        ":x",
        "a..b/",
    ] {
        assert!(CertificateName::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_name_that_no_tls_client_accepts_is_rejected() {
    let long = "a".repeat(64);
    for text in [
        "a..b",
        "-a.b",
        "a.b-",
        ".a",
        "a.",
        &long,
        "256.1.1.1",
        "1.2.3.4.5",
        "1234",
        "a.1",
        "127.1",
        "0x7f000001",
        "a_b..c",
        "[::1]",
        "b\u{fc}cher.example",
    ] {
        assert!(CertificateName::parse(text).is_err(), "{text}");
    }
    for text in ["a_b.c", "xn--bcher-kva.example", "1.example", "a"] {
        assert!(
            matches!(CertificateName::parse(text), Ok(CertificateName::Dns(name)) if name.as_ref() == text),
            "{text}"
        );
    }
}
