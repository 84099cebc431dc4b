//! What people paste.

use crate::config::paste::{PastedApi, PastedTokenEndpoint, client_id, listen};

const ID: &str = "0123abcd-4567-89ab-cdef-0123456789ab";

fn token(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    PastedTokenEndpoint::read(text)
        .map(|place| place.settings())
        .map_err(|complaint| format!("{}: {}", complaint.problem, complaint.remedy))
}

fn pingone(region: &str) -> Vec<(&'static str, String)> {
    vec![
        ("token.pingone.region", region.to_owned()),
        ("token.pingone.environment_id", ID.to_owned()),
    ]
}

#[test]
fn the_token_endpoint_of_every_region_is_read_as_region_and_environment() {
    for region in ["com", "ca", "eu", "com.au", "sg", "asia"] {
        let endpoint = format!("https://auth.pingone.{region}/{ID}/as/token");
        assert_eq!(token(&endpoint), Ok(pingone(region)), "{endpoint}");
    }
}

#[test]
fn the_endpoint_is_found_however_it_was_pasted() {
    let upper = ID.to_uppercase();
    for text in [
        &format!("  https://auth.pingone.eu/{ID}/as/token\t"),
        &format!("\"https://auth.pingone.eu/{ID}/as/token\""),
        &format!("<https://auth.pingone.eu/{ID}/as/token>"),
        &format!("Token Endpoint https://auth.pingone.eu/{ID}/as/token"),
        &format!("curl -X POST 'https://auth.pingone.eu/{ID}/as/token' -d grant_type=x"),
        &format!("auth.pingone.eu/{ID}/as/token"),
        &format!("HTTPS://AUTH.PINGONE.EU/{upper}/as/token").replace("HTTPS", "https"),
        &format!("https://auth.pingone.eu/{ID}/as"),
        &format!("https://auth.pingone.eu/{ID}/as/authorize"),
        &format!("https://auth.pingone.eu/{ID}/as/.well-known/openid-configuration"),
        &format!("https://auth.pingone.eu/{ID}/as/token#x"),
    ] {
        assert_eq!(token(text), Ok(pingone("eu")), "{text}");
    }
}

#[test]
fn a_custom_domain_and_any_other_server_have_their_own_keys() {
    for (text, key, value) in [
        (
            "https://auth.example.com/as/token",
            "token.pingone.domain",
            "auth.example.com",
        ),
        (
            "https://as.example.com/oauth2/token",
            "token.url",
            "https://as.example.com/oauth2/token",
        ),
        (
            "https://pf.example.com:9031/as/token.oauth2",
            "token.url",
            "https://pf.example.com:9031/as/token.oauth2",
        ),
        (
            "http://127.0.0.1:6751/x/as/token",
            "token.url",
            "http://127.0.0.1:6751/x/as/token",
        ),
        (
            "https://as.example.com/o/token/",
            "token.url",
            "https://as.example.com/o/token/",
        ),
        (
            "https://as.example.com/oauth/access_token//?a=b",
            "token.url",
            "https://as.example.com/oauth/access_token//?a=b",
        ),
        (
            "localhost:6751/token",
            "token.url",
            "http://localhost:6751/token",
        ),
        (
            "https://kc.example.com/realms/r",
            "token.issuer",
            "https://kc.example.com/realms/r",
        ),
        (
            "https://as.example.com",
            "token.issuer",
            "https://as.example.com",
        ),
        (
            " \"https://as.example.com/\" ",
            "token.issuer",
            "https://as.example.com/",
        ),
        (
            "https://as.example.com/r/.well-known/openid-configuration",
            "token.issuer",
            "https://as.example.com/r",
        ),
        (
            "https://as.example.com/.well-known/oauth-authorization-server/r",
            "token.issuer",
            "https://as.example.com/r",
        ),
    ] {
        assert_eq!(token(text), Ok(vec![(key, value.to_owned())]), "{text}");
    }
}

#[test]
fn what_is_not_a_token_endpoint_is_rejected_with_what_to_paste() {
    for (text, said) in [
        ("", "is not an address"),
        ("token", "is not an address"),
        ("two words", "is not an address"),
        (
            "https://user:secret@as.example.com/token",
            "is not an address",
        ),
        (
            "http://as.example.com/token",
            "let everyone on the network path",
        ),
        (
            "https://console.pingone.eu/?env=0123abcd-4567-89ab-cdef-0123456789ab",
            "is not a Token Endpoint",
        ),
        (
            "https://api.pingone.eu/v1/environments/0123abcd-4567-89ab-cdef-0123456789ab",
            "is not a Token Endpoint",
        ),
        (
            "https://auth.pingone.us/0123abcd-4567-89ab-cdef-0123456789ab/as/token",
            "us is not a PingOne region: com, ca, eu, com.au, sg or asia",
        ),
        ("https://auth.pingone.eu/as/token", "no environment id"),
        (
            "https://auth.pingone.eu/0123abcd/as/token",
            "no environment id",
        ),
        (
            "https://self-service-api.dev-example.us1.ping.cloud/docs",
            "is the API",
        ),
    ] {
        let complaint = token(text).expect_err(text);
        assert!(complaint.contains(said), "{text}: {complaint}");
        assert!(!complaint.contains("secret@"), "{complaint}");
    }
}

#[test]
fn the_origin_of_the_api_is_found_whatever_page_of_it_was_pasted() {
    let expected = "https://self-service-api.dev-example.us1.ping.cloud";
    for text in [
        expected,
        "https://self-service-api.dev-example.us1.ping.cloud/docs",
        "https://self-service-api.dev-example.us1.ping.cloud/docs#/certificates/list_certificates",
        "https://self-service-api.dev-example.us1.ping.cloud/api/v1/openapi.json?x=1",
        "self-service-api.dev-example.us1.ping.cloud/docs",
        " 'https://self-service-api.dev-example.us1.ping.cloud:443/docs' ",
    ] {
        assert_eq!(PastedApi::read(text).unwrap().url, expected, "{text}");
    }
    assert_eq!(
        PastedApi::read("127.0.0.1:6752/docs").unwrap().url,
        "http://127.0.0.1:6752"
    );
    for wrong in [
        "",
        "docs",
        "ftp://api.example.com",
        "http://api.example.com",
        "https://u@api.example.com",
    ] {
        assert!(PastedApi::read(wrong).is_err(), "{wrong}");
    }
    let swapped = format!("https://auth.pingone.eu/{ID}/as/token");
    assert!(
        PastedApi::read(&swapped)
            .unwrap_err()
            .problem
            .contains("authorization server")
    );
}

#[test]
fn production_and_the_required_header_are_recognized_by_the_host() {
    for (host, production, header) in [
        ("self-service-api.prod-example.us1.ping.cloud", true, None),
        ("self-service-api.dev-example.us1.ping.cloud", false, None),
        ("self-service-api.stage-prodigy.us1.ping.cloud", false, None),
        ("api.non-prod.example.com", false, None),
        ("api.production.example.com", true, None),
        ("pingone.example.com", false, None),
        (
            "pingaccess-admin-api.prod-example.us1.ping.cloud",
            true,
            Some("PingAccess"),
        ),
        (
            "pingfederate-admin-api.test-example.eu1.ping.cloud",
            false,
            Some("PingFederate"),
        ),
    ] {
        let api = PastedApi::read(&format!("https://{host}/docs")).unwrap();
        assert_eq!(api.is_production(), production, "{host}");
        assert_eq!(api.xsrf_header(), header, "{host}");
    }
}

#[test]
fn a_client_id_of_pingone_is_a_uuid_other_than_the_environments() {
    let place =
        PastedTokenEndpoint::read(&format!("https://auth.pingone.eu/{ID}/as/token")).unwrap();
    let own = "11111111-4567-89ab-cdef-0123456789ab";
    assert_eq!(client_id(&format!(" {own} "), Some(&place)).unwrap(), own);
    assert!(
        client_id(ID, Some(&place))
            .unwrap_err()
            .problem
            .contains("environment's id")
    );
    assert!(
        client_id("my-client", Some(&place))
            .unwrap_err()
            .problem
            .contains("UUID")
    );
    assert_eq!(client_id("my client", None).unwrap(), "my client");
    assert!(client_id(" ", None).is_err());
    assert!(client_id("a\u{1b}b", None).is_err());
}

#[test]
fn where_to_listen_is_checked_as_in_a_file() {
    assert_eq!(listen(" localhost:9000 ").unwrap(), "localhost:9000");
    assert!(listen("localhost").is_err());
}

/// The default of a question, which Enter accepts.
#[test]
fn the_address_of_what_was_read_is_read_as_the_same_again() {
    for text in [
        "https://as.example.com/tokens/.well-known/openid-configuration",
        "https://as.example.com/.well-known/oauth-authorization-server/token-service",
        "https://as.example.com/tenant",
        "https://as.example.com/",
        "https://as.example.com/o/token/",
    ] {
        let read = PastedTokenEndpoint::read(text).unwrap();
        assert_eq!(
            PastedTokenEndpoint::read(&read.address()),
            Ok(read),
            "{text}"
        );
    }
}
