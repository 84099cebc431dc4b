use super::*;

#[test]
fn insufficient_scope_is_read_only_from_the_error_parameter_of_a_challenge() {
    for (line, expected) in [
        (r#"Bearer error="insufficient_scope""#, true),
        (r"Bearer error=insufficient_scope", true),
        (
            r#"Bearer realm="a, b=c", ERROR = "insufficient_scope", scope="x""#,
            true,
        ),
        (
            r#"Basic realm="x", Bearer error="insufficient_scope""#,
            true,
        ),
        (
            r#"Negotiate abc==, Bearer error="insufficient_scope""#,
            true,
        ),
        (r#"Bearer realm="a \" b", error="insufficient_scope""#, true),
        (r#"Bearer error="invalid_token""#, false),
        (r"Bearer", false),
        ("", false),
        (r#"Bearer realm="error=insufficient_scope""#, false),
        (r#"Bearer realm="\", error=insufficient_scope""#, false),
        (r#"Bearer error_description="insufficient_scope""#, false),
        (
            r#"Bearer error="invalid_token", error_description="error=\"insufficient_scope\"""#,
            false,
        ),
        (r#"Bearer x_error="insufficient_scope""#, false),
        (r#"Bearer realm="unclosed, error=insufficient_scope"#, false),
        (r"Bearer error=, insufficient_scope", false),
        ("=\"", false),
    ] {
        assert_eq!(
            line_has_insufficient_scope(line.as_bytes()),
            expected,
            "{line}"
        );
    }
}

#[test]
fn any_line_of_challenges_may_name_the_scope() {
    let mut headers = HeaderMap::new();
    assert!(!has_insufficient_scope(&headers));
    headers.append(WWW_AUTHENTICATE, "Basic realm=x".parse().unwrap());
    assert!(!has_insufficient_scope(&headers));
    let line = "Bearer error=insufficient_scope";
    headers.append(WWW_AUTHENTICATE, line.parse().unwrap());
    assert!(has_insufficient_scope(&headers));
}

#[test]
fn a_scheme_is_the_first_word_of_a_challenge() {
    for (line, expected) in [
        ("Bearer", true),
        ("bearer realm=x", true),
        (r#"Basic realm="a, Bearer b", Bearer"#, true),
        ("Negotiate abc==, BEARER error=x", true),
        ("Negotiate, Bearer", true),
        (r#"Basic realm="Bearer""#, false),
        ("Basic realm=Bearer", false),
        ("Basic bearer=x", false),
        ("Digest realm=x, bearer=y", false),
        ("Digest realm=x, bearer = y", false),
        ("Negotiate Bearer", false),
        ("", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Digest realm=x".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, line.parse().unwrap());
        assert_eq!(has_scheme(&headers, b"Bearer"), expected, "{line}");
    }
}
