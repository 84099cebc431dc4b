//! Patterns of paths: `/api/*/openapi.json`, `/**/api-docs`. Parsed once; matching allocates nothing.

use std::fmt;

use super::problems::InvalidValue;
use crate::text::quoted;

/// A pattern of request paths. Percent-encoding is not looked through: whoever compares decoded paths
/// decodes first.
///
/// `*` stands for one segment that is not empty, `**` for any number of segments, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// What stands before the first star, without the slash before that: most paths are told by it at once.
    literal: Box<str>,
    rest: Rest,
    /// What stands after the last star, with the slash before it: what is left is told by it, mostly.
    ending: Box<str>,
}

/// What follows the literal beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// Stars of two only.
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
            let problem = format!("{} does not begin with a slash", quoted(text));
            return Err((problem, format!("write {}", quoted(&format!("/{text}")))).into());
        };
        let segments = rest.split('/').map(|segment| match segment {
            "*" => Ok(PatternSegment::One),
            "**" => Ok(PatternSegment::Any),
            _ if segment.contains('*') => Err((
                format!("{} has a \"*\" beside other letters", quoted(text)),
                "\"*\" stands for a whole segment: write \"/api/*/openapi.json\" or \"/**/openapi.json\"",
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

    /// Whether a path, without its query, is meant; case counts.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        path.strip_prefix(&*self.literal)
            .is_some_and(|rest| self.rest.is(rest, |one, other| one == other))
    }

    /// As [`matches`](Self::matches), cheaper where hardly any path is meant.
    #[must_use]
    pub fn matches_seldom(&self, path: &str) -> bool {
        path.ends_with(&*self.ending) && self.matches(path)
    }

    /// The same for servers that know no case, with or without a slash at the end.
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

/// What follows `literal`, however it is written.
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

impl PatternSegment {
    fn is(&self, segment: &str, same: fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Text(text) => same(text, segment),
            Self::One => !segment.is_empty(),
            Self::Any => true,
        }
    }
}

/// Goes back only to the latest `**`, which takes one segment more each time: linear but for the length
/// of what stands between two of them.
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
