//! Patterns of paths: `/api/*/openapi.json`, `/**/api-docs`. Matching does not allocate.

use std::fmt;

use super::problems::InvalidValue;
use crate::text::quoted;

/// A pattern of request paths, which are compared as they are: to match decoded paths, decode them first.
///
/// `*` matches one segment that is not empty, `**` any number of segments, including none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// The text before the first star, without the slash before that: most paths differ here already.
    literal: Box<str>,
    rest: Rest,
    /// The text after the last star, with the slash before it: most of the other paths differ here.
    ending: Box<str>,
}

/// What follows the literal beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// `**` only.
    Anything,
    Segments(Vec<PatternSegment>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternSegment {
    Text(Box<str>),
    One,
    Any,
}

impl PathPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let Some(rest) = text.strip_prefix('/') else {
            let problem = format!("{} does not start with a slash", quoted(text));
            return Err((problem, format!("write {}", quoted(&format!("/{text}")))).into());
        };
        let segments = rest.split('/').map(|segment| match segment {
            "*" => Ok(PatternSegment::One),
            "**" => Ok(PatternSegment::Any),
            _ if segment.contains('*') => Err((
                format!("{} has a \"*\" next to other characters", quoted(text)),
                "\"*\" matches a whole segment: write \"/api/*/openapi.json\" or \"/**/openapi.json\"",
            )),
            _ if segment.contains(['?', '#']) => Err((
                format!("{} is more than a path", quoted(text)),
                "write the path alone, without query",
            )),
            _ => Ok(PatternSegment::Text(segment.into())),
        });
        Ok(Self::of(segments.collect::<Result<_, _>>()?))
    }

    fn of(mut segments: Vec<PatternSegment>) -> Self {
        let is_text = |segment: &PatternSegment| matches!(segment, PatternSegment::Text(_));
        let stars = segments.iter().position(|segment| !is_text(segment));
        let rest = segments.split_off(stars.unwrap_or(segments.len()));
        let literal = segments.iter().fold(String::new(), |text, segment| {
            let PatternSegment::Text(name) = segment else {
                return text;
            };
            text + "/" + name
        });
        let ending = rest.iter().fold(String::new(), |text, segment| {
            let PatternSegment::Text(name) = segment else {
                return String::new();
            };
            text + "/" + name
        });
        let rest = match &rest[..] {
            [] => Rest::Nothing,
            all if all.iter().all(|segment| *segment == PatternSegment::Any) => Rest::Anything,
            _ => Rest::Segments(rest),
        };
        Self {
            literal: literal.into(),
            rest,
            ending: ending.into(),
        }
    }

    /// Whether a path, without its query, matches. Case matters.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        path.strip_prefix(&*self.literal)
            .is_some_and(|rest| self.rest.is(rest, |one, other| one == other))
    }

    /// As [`matches`](Self::matches), but cheaper where few paths match.
    #[must_use]
    pub fn matches_seldom(&self, path: &str) -> bool {
        path.ends_with(&*self.ending) && self.matches(path)
    }

    /// As [`matches`](Self::matches), but ignores case and a slash at the end, as some servers do.
    #[must_use]
    pub fn matches_loosely(&self, path: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        let literal = match self.rest {
            Rest::Nothing => self.literal.strip_suffix('/').unwrap_or(&self.literal),
            Rest::Anything | Rest::Segments(_) => &self.literal,
        };
        after(path, literal).is_some_and(|rest| self.rest.is(rest, equal_but_for_case))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal)?;
        match &self.rest {
            Rest::Nothing => Ok(()),
            Rest::Anything => f.write_str("/**"),
            Rest::Segments(segments) => segments.iter().try_for_each(|segment| match segment {
                PatternSegment::Text(text) => write!(f, "/{text}"),
                PatternSegment::One => f.write_str("/*"),
                PatternSegment::Any => f.write_str("/**"),
            }),
        }
    }
}

/// The rest of `path` after `literal`, ignoring case.
fn after<'p>(path: &'p str, literal: &str) -> Option<&'p str> {
    if literal.is_ascii() {
        let (start, rest) = path.split_at_checked(literal.len())?;
        return start.eq_ignore_ascii_case(literal).then_some(rest);
    }
    // A letter's other case may be of another length: as many segments, then, not as many bytes.
    let end = path
        .match_indices('/')
        .nth(literal.matches('/').count())
        .map_or(path.len(), |(at, _)| at);
    let (start, rest) = path.split_at(end);
    equal_but_for_case(start, literal).then_some(rest)
}

impl Rest {
    /// `path` is what follows the literal beginning.
    fn is(&self, path: &str, same: fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Nothing => path.is_empty(),
            Self::Anything => path.is_empty() || path.starts_with('/'),
            Self::Segments(segments) => path
                .strip_prefix('/')
                .is_some_and(|path| all_match(segments, path, same)),
        }
    }
}

/// Compares Unicode lower case where there is more than ASCII.
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

impl PatternSegment {
    fn is(&self, segment: &str, same: fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Text(text) => same(text, segment),
            Self::One => !segment.is_empty(),
            Self::Any => true,
        }
    }
}

/// Backtracks only to the latest `**`, which then takes one segment more. The time is linear except for the length of
/// the pattern between two of them.
fn all_match(pattern: &[PatternSegment], path: &str, same: fn(&str, &str) -> bool) -> bool {
    let mut left = pattern;
    let mut segments = path.split('/');
    let mut latest_any = None;
    loop {
        if let [PatternSegment::Any, after @ ..] = left {
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
mod tests;
