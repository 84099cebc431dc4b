use proptest::prelude::*;

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

fn matches_loosely(pattern: &str, path: &str) -> bool {
    let pattern = PathPattern::parse(pattern).unwrap_or_else(|_| panic!("{pattern}"));
    pattern.loose().matches(&LoosePath::new(path))
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
        ("/users/*/", "/users/7/", true),
        ("/users/*/", "/users/7", true),
        ("/users/*/", "/users/", false),
        ("/a/**/b/", "/a/x/b", true),
        ("/a/**/", "/a", true),
        ("/**/", "/a", true),
        ("/*/", "/a", true),
        ("/οδος", "/ΟΔΟΣ", true),
        ("/ΟΔΟΣ/*", "/οδος/1/", true),
        ("/µ", "/μ", true),
        ("/*/Μ", "/x/µ", true),
        ("/παΐς", "/ΠΑ\u{1fd3}Σ", true),
        ("/оплата/**", "/ОПЛАТА", true),
        ("/ά", "/α", false),
    ] {
        assert_eq!(matches_loosely(pattern, path), expected, "{pattern} {path}");
    }
}

fn some_pattern() -> impl Strategy<Value = String> {
    const SEGMENTS: &[&str] = &["*", "**", "a", "B", "ü", "Σ", "ab"];
    let segments = proptest::collection::vec(proptest::sample::select(SEGMENTS), 1..5);
    segments.prop_map(|segments| format!("/{}", segments.join("/")))
}

fn some_path() -> impl Strategy<Value = String> {
    const SEGMENTS: &[&str] = &["a", "A", "b", "Ü", "ς", "σ", "AB", "other"];
    let segments = proptest::collection::vec(proptest::sample::select(SEGMENTS), 0..5);
    (segments, "/?").prop_map(|(segments, slash)| match &*segments {
        [] => "/".to_owned(),
        _ => format!("/{}{slash}", segments.join("/")),
    })
}

/// A second, slow implementation of the same rule, written from docs/callers.md.
fn matches_slowly(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], path) => path.is_empty(),
        (["**", rest @ ..], path) => {
            (0..=path.len()).any(|taken| matches_slowly(rest, &path[taken..]))
        }
        (_, []) => false,
        ([one, rest @ ..], [segment, path @ ..]) => {
            let same = *one == "*" || one.to_uppercase() == segment.to_uppercase();
            same && matches_slowly(rest, path)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_slash_at_the_end_of_a_pattern_or_a_path_never_makes_a_difference(
        pattern in some_pattern(),
        path in some_path(),
    ) {
        let own: Vec<&str> = pattern[1..].split('/').collect();
        let asked: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let expected = matches_slowly(&own, &asked);
        for pattern in [pattern.clone(), format!("{pattern}/")] {
            let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
            prop_assert_eq!(matches_loosely(&pattern, &path), expected, "{} {}", pattern, path);
            if path != "/" {
                prop_assert_eq!(matches_loosely(&pattern, &other), expected, "{} {}", pattern, other);
            }
        }
    }
}

#[test]
fn a_pattern_that_makes_no_sense_is_rejected() {
    for text in ["openapi.json", "", "/*.json", "/a?b", "/a#b"] {
        assert!(PathPattern::parse(text).is_err(), "{text}");
    }
}
