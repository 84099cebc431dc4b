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
        assert_eq!(
            Region::parse(region).unwrap().as_str(),
            expected,
            "{region}"
        );
    }
    assert!(Region::parse("us").is_err());
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
    let environment = PingOneEndpoint::Environment {
        region: Region::parse("AU").unwrap(),
        environment_id: "e".to_owned(),
    };
    assert_eq!(
        environment.url().as_str(),
        "https://auth.pingone.com.au/e/as/token"
    );
    let domain = PingOneEndpoint::of_domain("Auth.Example.com").unwrap();
    assert_eq!(domain.url().as_str(), "https://auth.example.com/as/token");
    assert_eq!(domain.issuer(), "https://auth.example.com/as");
    for wrong in [
        "https://auth.example.com",
        "a.example.com/x",
        "a.example.com:1",
        "u@h",
        "10.0.0.1",
    ] {
        assert!(PingOneEndpoint::of_domain(wrong).is_err(), "{wrong}");
    }
}
