use super::*;

fn assertion() -> config::Assertion {
    config::Assertion {
        algorithm: None,
        key_id: None,
        audience: "https://as.example.com".to_owned(),
        has_issuer: true,
    }
}

fn signed(method: ClientAuth, id: &str, secret: &str) -> (String, HeaderMap) {
    let secret = Secret::new(secret);
    let (mut form, mut headers) = (FormBody::with_capacity_for(64), HeaderMap::new());
    form.append_pair("grant_type", b"client_credentials");
    ClientCredentials {
        method,
        id,
        secret: Some(&secret),
        assertion: &assertion(),
        assertion_type: "",
        presented: Vec::new(),
    }
    .authenticate(&mut form, &mut headers, SystemTime::UNIX_EPOCH)
    .unwrap();
    (
        String::from_utf8(form.into_body().to_vec()).unwrap(),
        headers,
    )
}

#[test]
fn basic_encodes_both_parts_as_the_rfc_requires_with_spaces_as_percent_20() {
    for (id, secret, plain) in [
        ("app", "s3cret-._~", "app:s3cret-._~"),
        ("a:b", "p q+r/%", "a%3Ab:p%20q%2Br%2F%25"),
        ("é", "ü*'", "%C3%A9:%C3%BC%2A%27"),
    ] {
        let (form, headers) = signed(ClientAuth::Basic, id, secret);
        let value = headers[AUTHORIZATION]
            .to_str()
            .unwrap()
            .strip_prefix("Basic ")
            .unwrap();
        assert_eq!(STANDARD.decode(value).unwrap(), plain.as_bytes());
        assert_eq!(
            form, "grant_type=client_credentials",
            "one method per request"
        );
        assert!(headers[AUTHORIZATION].is_sensitive());
    }
}

#[test]
fn post_puts_id_and_secret_into_the_form_only() {
    let (form, headers) = signed(ClientAuth::Post, "a&b", "p q+ü");
    assert_eq!(
        form,
        "grant_type=client_credentials&client_id=a%26b&client_secret=p+q%2B%C3%BC"
    );
    assert!(headers.is_empty());
}

#[test]
fn with_a_certificate_only_the_id_is_sent() {
    let (form, headers) = signed(ClientAuth::Tls, "a&b", "-----BEGIN PRIVATE KEY-----");
    assert_eq!(form, "grant_type=client_credentials&client_id=a%26b");
    assert!(headers.is_empty());
}

#[test]
fn the_secret_is_recognised_in_every_form_in_which_it_is_sent_and_in_parts() {
    let secret = Secret::new("correct horse+battery");
    let credential = ClientCredentials {
        method: ClientAuth::Basic,
        id: "app",
        secret: Some(&secret),
        assertion: &assertion(),
        assertion_type: "",
        presented: Vec::new(),
    };
    let basic = STANDARD.encode("app:correct%20horse%2Bbattery");
    for echo in [
        "x correct horse+battery",
        "correct%20horse%2Bb",
        "correct+horse%2Bbattery",
        "orse+battery!",
        &basic[9..30],
    ] {
        assert!(credential.appears_in(echo), "{echo}");
    }
    assert!(!credential.appears_in("Request denied: Invalid client credentials"));
}

/// The code asserts that its buffers do not grow, which would leave copies behind.
#[test]
fn an_id_and_a_secret_of_which_every_byte_is_encoded_fit_into_their_buffers() {
    let (form, headers) = signed(ClientAuth::Basic, "::::", "%%%%%%%%");
    assert_eq!(form, "grant_type=client_credentials");
    let encoded = STANDARD.encode(format!("{}:{}", "%3A".repeat(4), "%25".repeat(8)));
    assert_eq!(headers[AUTHORIZATION], format!("Basic {encoded}"));
}
