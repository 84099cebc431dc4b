use super::*;

#[test]
fn a_common_name_is_a_host_name_an_address_or_a_wildcard_of_one_label() {
    for (common_name, host, expected) in [
        ("api.example.com", "api.example.com", true),
        ("API.example.com", "api.example.com", true),
        ("*.example.com", "api.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "a.api.example.com", false),
        ("*.com", "example.com", false),
        ("*", "api", false),
        ("api.example.com", "example.com", false),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("2001:DB8::1", "2001:db8:0::1", true),
        ("*.0.2.7", "192.0.2.7", false),
        ("My Company CA", "api.example.com", false),
        ("", "api.example.com", false),
    ] {
        let name = ServerName::try_from(host).unwrap();
        assert_eq!(
            is_name_of(common_name, &name),
            expected,
            "{common_name} {host}"
        );
    }
}
