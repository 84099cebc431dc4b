use super::*;

#[test]
fn want_of_scope_is_read_from_the_error_parameter_of_any_challenge_and_from_nowhere_else() {
    for (line, wants) in [
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
        assert_eq!(says_insufficient_scope(line.as_bytes()), wants, "{line}");
    }
}

#[test]
fn the_second_line_counts_too_and_only_a_401_is_rejected() {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    assert!(is_rejected(&response), "with no challenge at all");
    let headers = response.headers_mut();
    headers.append(WWW_AUTHENTICATE, "Basic realm=\"x\"".parse().unwrap());
    headers.append(
        WWW_AUTHENTICATE,
        "Bearer error=\"insufficient_scope\"".parse().unwrap(),
    );
    assert!(!is_rejected(&response));
    *response.headers_mut() = HeaderMap::new();
    *response.status_mut() = StatusCode::FORBIDDEN;
    assert!(!is_rejected(&response));
}
