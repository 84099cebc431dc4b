use super::*;

#[test]
fn a_region_is_known_by_either_name_in_any_case() {
    for (region, expected) in [
        ("com", "com"),
        ("NA", "com"),
        ("Ca", "ca"),
        ("eu", "eu"),
        ("EU", "eu"),
        ("AU", "com.au"),
        ("com.au", "com.au"),
        ("sg", "sg"),
        ("AP", "asia"),
        ("asia", "asia"),
    ] {
        assert_eq!(tld(region), Ok(expected), "{region}");
    }
    assert!(tld("us").is_err());
}

#[test]
fn an_environment_id_is_a_uuid() {
    let id = "0123ABCD-4567-89ab-cdef-0123456789ab";
    assert_eq!(environment_id(id).unwrap(), id.to_ascii_lowercase());
    for wrong in [
        "",
        "x",
        "0123abcd456789abcdef0123456789ab",
        "0123abcg-4567-89ab-cdef-0123456789ab",
    ] {
        assert!(environment_id(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_endpoint_is_derived_from_region_and_environment_or_from_the_domain() {
    assert_eq!(
        endpoint("com.au", "e").as_str(),
        "https://auth.pingone.com.au/e/as/token"
    );
    assert_eq!(
        endpoint_of_domain("Auth.Example.com").unwrap().as_str(),
        "https://auth.example.com/as/token"
    );
    assert_eq!(
        issuer(&endpoint_of_domain("auth.example.com").unwrap()),
        "https://auth.example.com/as"
    );
    for wrong in [
        "https://auth.example.com",
        "a.example.com/x",
        "a.example.com:1",
        "u@h",
        "10.0.0.1",
    ] {
        assert!(endpoint_of_domain(wrong).is_err(), "{wrong}");
    }
}
