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
            CertificateName::Dns("orders.example.com".to_owned()),
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
