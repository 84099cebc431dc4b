//! Patterns of paths: `/api/*/openapi.json`, `/**/api-docs`. Parsed once; matching allocates nothing.

use super::problems::{Complaint, quoted};

/// A pattern of request paths. Percent-encoding is not looked through: whoever compares decoded paths
/// decodes first.
///
/// `*` stands for one segment that is not empty, `**` for any number of segments, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// What stands between the slashes, behind the first.
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(Box<str>),
    One,
    Any,
}

impl PathPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, Complaint> {
        let Some(rest) = text.strip_prefix('/') else {
            let problem = format!("{} does not begin with a slash", quoted(text));
            return Err((problem, format!("write {}", quoted(&format!("/{text}")))).into());
        };
        let segments = rest.split('/').map(|segment| match segment {
            "*" => Ok(Segment::One),
            "**" => Ok(Segment::Any),
            _ if segment.contains('*') => Err((
                format!("{} has a \"*\" beside other letters", quoted(text)),
                "\"*\" stands for a whole segment: write \"/api/*/openapi.json\" or \"/**/openapi.json\"",
            )),
            _ if segment.contains(['?', '#']) => Err((
                format!("{} is more than a path", quoted(text)),
                "write the path alone, without query",
            )),
            _ => Ok(Segment::Text(segment.into())),
        });
        Ok(Self {
            segments: segments.collect::<Result<_, _>>()?,
        })
    }

    /// Whether a path, without its query, is meant; case counts. A last segment that differs is seen at once.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self.segments.last() {
            Some(Segment::Text(last)) if !ends_in(path, last) => false,
            _ => path
                .strip_prefix('/')
                .is_some_and(|rest| all_match(&self.segments, rest, |one, other| one == other)),
        }
    }

    /// The same for servers that know no case, with or without a slash at the end.
    #[must_use]
    pub fn matches_loosely(&self, path: &str) -> bool {
        let segments = match &*self.segments {
            [before @ .., Segment::Text(last)] if last.is_empty() && !before.is_empty() => before,
            all => all,
        };
        path.strip_prefix('/').is_some_and(|rest| {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            all_match(segments, rest, equal_but_for_case)
        })
    }
}

/// By Unicode's lower case where there is more than ASCII.
fn equal_but_for_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    let lower = |text: &'_ str| {
        text.chars()
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    lower(one) == lower(other)
}

impl Segment {
    fn is(&self, segment: &str, same: fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Text(text) => same(text, segment),
            Self::One => !segment.is_empty(),
            Self::Any => true,
        }
    }
}

fn ends_in(path: &str, last: &str) -> bool {
    path.strip_suffix(last)
        .is_some_and(|before| before.ends_with('/'))
}

/// Goes back only to the latest `**`, which takes one segment more each time: linear but for the length
/// of what stands between two of them.
fn all_match(pattern: &[Segment], path: &str, same: fn(&str, &str) -> bool) -> bool {
    let mut left = pattern;
    let mut segments = path.split('/');
    let mut latest_any = None;
    loop {
        if let [Segment::Any, after @ ..] = left {
            left = after;
            latest_any = Some((after, segments.clone()));
            continue;
        }
        match (left, segments.next()) {
            ([], None) => return true,
            (_, None) => return false,
            ([first, after @ ..], Some(segment)) if first.is(segment, same) => left = after,
            (_, Some(_)) => match &mut latest_any {
                None => return false,
                Some((after, from)) => {
                    from.next();
                    left = after;
                    segments = from.clone();
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_is_one_segment_and_two_are_any_number() {
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
            ("/a/**/b/*/c", "/a/b/b/b/x/c", true),
            ("/a/**/b/*/c", "/a/b/b/b/c/c/c", false),
            ("/**/*", "/", false),
            ("/**/*", "/a", true),
            ("/", "/", true),
            ("/", "/a", false),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap_or_else(|_| panic!("{pattern}"));
            assert_eq!(parsed.matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn loosely_neither_case_nor_a_slash_at_the_end_counts() {
        for (pattern, path, expected) in [
            ("/admin/**", "/ADMIN/secret", true),
            ("/Admin/**", "/admin", true),
            ("/admin/**", "/admin/", true),
            ("/admin", "/admin/", true),
            ("/admin/", "/Admin", true),
            ("/admin/*", "/admin/", false),
            ("/admin", "/admins", false),
            ("/ÄMTER/*", "/ämter/1", true),
            ("/", "/", true),
            ("/**", "/", true),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap_or_else(|_| panic!("{pattern}"));
            assert_eq!(parsed.matches_loosely(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for text in ["openapi.json", "", "/*.json", "/a?b", "/a#b"] {
            assert!(PathPattern::parse(text).is_err(), "{text}");
        }
    }
}
