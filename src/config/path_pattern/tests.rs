use super::*;

#[test]
fn one_star_matches_one_segment_and_two_match_any_number() {
    for (pattern, path, expected) in [
        ("/**/openapi.json", "/openapi.json", true),
        ("/**/openapi.json", "/api/v1/openapi.json", true),
        ("/**/openapi.json", "/api/v1/openapi.json/", false),
        ("/**/openapi.json", "/api/v1/my-openapi.json", false),
        ("/**/openapi.json", "/OpenAPI.json", false),
        ("/**/openapi.json", "openapi.json", false),
        ("/api/*/docs", "/api/v1/docs", true),
        ("/api/*/docs", "/api/v1/v2/docs", false),
        ("/api/*/docs", "/api//docs", false),
        ("/api/**", "/api", true),
        ("/api/**", "/api/", true),
        ("/api/**", "/api/a/b", true),
        ("/api/**", "/apis/a", false),
        ("/a/**/b/**/c", "/a/x/b/y/b/z/c", true),
        ("/a/**/**", "/a", true),
        ("/a/**/b", "/a", false),
        ("/a/*", "/a", false),
        ("/a/**/b/*/c", "/a/b/b/b/x/c", true),
        ("/a/**/b/*/c", "/a/b/b/b/c/c/c", false),
        ("/**/*", "/", false),
        ("/**/", "/a/", true),
        ("/**/", "/a", false),
        ("/a/**/b/c", "/a/b/c", true),
        ("/a/**/b/c", "/a/x/bb/c", false),
        ("/**/*", "/a", true),
        ("/", "/", true),
        ("/", "/a", false),
    ] {
        let parsed = PathPattern::parse(pattern).unwrap_or_else(|_| panic!("{pattern}"));
        assert_eq!(parsed.matches(path), expected, "{pattern} {path}");
        assert_eq!(parsed.matches_seldom(path), expected, "{pattern} {path}");
        assert_eq!(PathPattern::parse(&parsed.to_string()).ok(), Some(parsed));
    }
}

#[test]
fn a_loose_match_ignores_case_and_a_slash_at_the_end() {
    for (pattern, path, expected) in [
        ("/admin/**", "/ADMIN/secret", true),
        ("/Admin/**", "/admin", true),
        ("/admin/**", "/admin/", true),
        ("/admin", "/admin/", true),
        ("/admin/", "/Admin", true),
        ("/admin/*", "/admin/", false),
        ("/admin", "/admins", false),
        ("/ÄMTER/*", "/ämter/1", true),
        ("/ÄMTER/*", "/ämter", false),
        ("/a/ÄMTER", "/A/ämter/", true),
        ("/a/ÄMTER", "/A/ämter/x", false),
        ("/x/*/Admin", "/X/y/admin/", true),
        ("/", "/", true),
        ("/**", "/", true),
    ] {
        let parsed = PathPattern::parse(pattern).unwrap_or_else(|_| panic!("{pattern}"));
        assert_eq!(parsed.matches_loosely(path), expected, "{pattern} {path}");
    }
}

#[test]
fn a_pattern_that_makes_no_sense_is_rejected() {
    for text in ["openapi.json", "", "/*.json", "/a?b", "/a#b"] {
        assert!(PathPattern::parse(text).is_err(), "{text}");
    }
}
