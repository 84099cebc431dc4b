use super::*;

const ISSUER: &str = "https://as.example.com/t";

#[test]
fn metadata_is_looked_for_after_the_issuer_and_between_host_and_path() {
    for (issuer, openid, oauth) in [
        (
            "https://as.example.com",
            "https://as.example.com/.well-known/openid-configuration",
            "https://as.example.com/.well-known/oauth-authorization-server",
        ),
        (
            "https://as.example.com/a/b/",
            "https://as.example.com/a/b/.well-known/openid-configuration",
            "https://as.example.com/.well-known/oauth-authorization-server/a/b",
        ),
    ] {
        assert_eq!(
            addresses(issuer).unwrap().map(String::from),
            [openid, oauth]
        );
    }
}

#[test]
fn only_the_issuers_own_document_is_used_and_only_if_its_endpoint_is_safe() {
    let good = r#"{"issuer":"https://as.example.com/t","token_endpoint":"https://as.example.com/token",
        "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example.com/token"}}"#;
    let read = |text: &str, certificate| {
        endpoints(text.as_bytes(), ISSUER, false, certificate)
            .map(|found| found.token.to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(read(good, false).unwrap(), "https://as.example.com/token");
    assert_eq!(read(good, true).unwrap(), "https://mtls.example.com/token");
    for (from, to, complaint) in [
        (ISSUER, "https://as.example.com/t/", "issuer"),
        (ISSUER, "HTTPS://as.example.com/t", "issuer"),
        ("\"issuer\"", "\"isuer\"", "issuer"),
        (
            "\"token_endpoint\":\"https://as",
            "\"x\":\"https://as",
            "no token_endpoint",
        ),
        (
            "https://as.example.com/token",
            "/token",
            "no token_endpoint",
        ),
        (
            "https://as.example.com/token",
            "http://as.example.com/t",
            "not https",
        ),
        (
            "https://as.example.com/token",
            "file:///etc/passwd",
            "not https",
        ),
        ("}", "", "not a JSON"),
    ] {
        let error = read(&good.replacen(from, to, 3), false).unwrap_err();
        assert!(error.contains(complaint), "{to}: {error}");
    }
    assert_eq!(
        read("<html>", false).unwrap_err(),
        "it is not a JSON object"
    );
    let loopback = good.replace("https://as.example.com/token", "http://127.0.0.1:1/token");
    assert!(read(&loopback, false).is_ok());
}
