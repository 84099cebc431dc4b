use super::*;

#[test]
fn a_rule_is_a_method_and_a_path() {
    for text in [
        "GET /api/v1/**",
        "DELETE /api/v1/certificates/*",
        "* /",
        "* /**",
        "POST /a/",
    ] {
        assert_eq!(Rule::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Rule::parse("GET /").unwrap().method, Some(Method::GET));
    assert_eq!(Rule::parse("* /").unwrap().method, None);
    let with_space = Rule::parse("GET /a b/**").unwrap();
    assert!(with_space.path.matches("/a b/c") && !with_space.path.matches("/a"));
    assert_eq!(with_space.to_string(), "GET /a b/**");
}

#[test]
fn a_rule_that_would_never_match_is_rejected_with_what_to_write_instead() {
    for (text, remedy) in [
        ("/api/**", "write \"GET /api/v1/**\""),
        ("GET", "write \"GET /api/v1/**\""),
        ("GET  /api", "write \"GET /api/v1/**\""),
        ("GET POST /a", "write \"GET /api/v1/**\""),
        ("GET /a /b", "remove it"),
        ("GET /a/ b", "remove it"),
        ("GET /a ", "remove it"),
        ("GTE /api", "write \"GET /api/v1/**\""),
        ("get /api", "write GET"),
        ("HEAD /api", "write GET, which includes HEAD"),
        ("GET api", "write \"GET /api\""),
        ("GET /api*", "matches a whole segment"),
        ("GET /api?x", "without query"),
        ("GET /%61pi", "the character itself"),
        ("GET /a;b", "remove it"),
        ("GET /a\\b", "remove it"),
        ("GET /a//b", "remove it"),
        ("GET //", "remove it"),
        ("GET /a/../b", "remove it"),
        ("GET /a./b", "remove it"),
        ("GET /straße", "write * for the whole segment"),
        ("GET /a\u{301}", "write * for the whole segment"),
        ("GET /SECRE~1", "write * for the whole segment"),
        ("GET /a::$DATA", "write * for the whole segment"),
    ] {
        let invalid = Rule::parse(text).unwrap_err();
        assert!(invalid.remedy.contains(remedy), "{text}: {invalid:?}");
    }
}
