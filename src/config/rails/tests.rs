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
}

#[test]
fn a_rule_that_would_never_match_is_told_what_to_write() {
    for (text, remedy) in [
        ("/api/**", "write \"GET /api/v1/**\""),
        ("GET", "write \"GET /api/v1/**\""),
        ("GET  /api", "write \"GET /api/v1/**\""),
        ("GET /a b", "write \"GET /api/v1/**\""),
        ("GTE /api", "write \"GET /api/v1/**\""),
        ("get /api", "write GET"),
        ("HEAD /api", "write GET: HEAD goes with it"),
        ("GET api", "write \"/api\""),
        ("GET /api*", "stands for a whole segment"),
        ("GET /api?x", "without query"),
        ("GET /%61pi", "the letter itself"),
        ("GET /a;b", "leave it out"),
        ("GET /a\\b", "leave it out"),
        ("GET /a//b", "leave it out"),
        ("GET //", "leave it out"),
        ("GET /a/../b", "leave it out"),
        ("GET /a./b", "leave it out"),
    ] {
        let complaint = Rule::parse(text).unwrap_err();
        assert!(complaint.remedy.contains(remedy), "{text}: {complaint:?}");
    }
}
