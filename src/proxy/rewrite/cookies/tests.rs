use super::*;

#[test]
fn a_cookie_loses_only_the_attributes_that_would_keep_it_from_the_client() {
    for (cookie_line, expected) in [
        (
            "a=1; Domain=api.example.com; Path=/; HttpOnly",
            Some("a=1; Path=/; HttpOnly"),
        ),
        ("a=1;domain = .example.com;Max-Age=3", Some("a=1;Max-Age=3")),
        ("a=1; Secure; SameSite=None", Some("a=1; SameSite=Lax")),
        ("a=1; SAMESITE= none ;secure", Some("a=1; SAMESITE= Lax ")),
        ("a=1; SameSite=Strict; Secure", Some("a=1; SameSite=Strict")),
        ("a=\"x;y\"; Secure=1; Partitioned", Some("a=\"x;y\"")),
        ("__Host-a=1; Path=/; Secure; SameSite=None", None),
        (
            "__secure-a=1; Domain=x; Secure; SameSite=None",
            Some("__secure-a=1; Secure; SameSite=None"),
        ),
        ("a=1; SameSite=None", None),
        ("a=Domain; Path=/secure; Insecure", None),
        ("Secure", None),
        ("Domain=x", None),
        ("; Domain=x", None),
        (" ; Secure; Domain=x", None),
        ("=; Secure", Some("=")),
        (
            "a=b; SameSite=None; Partitioned; Secure",
            Some("a=b; SameSite=Lax"),
        ),
        ("a=b; Partitioned; Domain=x", Some("a=b; Partitioned")),
        ("__Host-a=b; Secure; Path=/; Partitioned", None),
        ("__Http-a=b; Secure; HttpOnly", None),
        ("", None),
    ] {
        let new = rewritten_cookie(&HeaderValue::from_static(cookie_line), OwnScheme::Http);
        assert_eq!(
            new.as_ref().map(|new| new.to_str().unwrap()),
            expected,
            "{cookie_line}"
        );
    }
}

#[test]
fn over_tls_a_cookie_loses_only_its_domain() {
    for (cookie_line, expected) in [
        ("a=1; Secure; SameSite=None; Partitioned", None),
        (
            "a=1; Domain=x; Secure; SameSite=None",
            Some("a=1; Secure; SameSite=None"),
        ),
    ] {
        let new = rewritten_cookie(&HeaderValue::from_static(cookie_line), OwnScheme::Https);
        let new = new.as_ref().map(|new| new.to_str().unwrap());
        assert_eq!(new, expected, "{cookie_line}");
    }
}

#[test]
fn bytes_beyond_ascii_are_kept() {
    let value = HeaderValue::from_bytes(b"a=\xe4\xff; Secure").unwrap();
    assert_eq!(
        rewritten_cookie(&value, OwnScheme::Http)
            .unwrap()
            .as_bytes(),
        b"a=\xe4\xff"
    );
}
