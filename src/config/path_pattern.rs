//! Patterns of paths: `/api/*/openapi.json`, `/**/api-docs`. Matching does not allocate.

use std::borrow::Cow;
use std::fmt;

use super::path_spelling::fold;
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
            let after_host = text
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('/'));
            let proposed = format!("/{}", after_host.map_or(text, |(_, path)| path));
            let remedy = if Self::parse(&proposed).is_ok() && !proposed.contains("//") {
                format!("write {proposed:?}")
            } else {
                "write a path, such as \"/api/v1/**\"".to_owned()
            };
            return Err((problem, remedy).into());
        };
        let segments = rest.split('/').map(|segment| match PatternSegment::of(segment) {
            PatternSegment::Text(_) if segment.contains('*') => Err((
                format!("{} has a \"*\" next to other characters", quoted(text)),
                "\"*\" matches a whole segment: write \"/api/*/openapi.json\" or \"/**/openapi.json\"",
            )),
            PatternSegment::Text(_) if segment.contains(['?', '#']) => Err((
                format!("{} is more than a path", quoted(text)),
                "write the path alone, without query",
            )),
            segment => Ok(segment),
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

    /// The same pattern, for paths whose case and slash at the end do not matter.
    #[must_use]
    pub fn loose(&self) -> LoosePattern {
        let text = self.to_string();
        let folded = fold(text.strip_suffix('/').unwrap_or(&text));
        let segments = folded.split('/').skip(1).map(PatternSegment::of);
        LoosePattern(Self::of(segments.collect()))
    }
}

/// A pattern that ignores case and a slash at the end, its own as well as that of a path, since some servers do.
#[derive(Debug, Clone)]
pub struct LoosePattern(PathPattern);

impl LoosePattern {
    /// Whether a path matches.
    #[must_use]
    pub fn matches(&self, path: &LoosePath<'_>) -> bool {
        let Self(PathPattern { literal, rest, .. }) = self;
        path.0
            .split_at_checked(literal.len())
            .is_some_and(|(start, path)| {
                start.eq_ignore_ascii_case(literal) && rest.is(path, str::eq_ignore_ascii_case)
            })
    }
}

/// A path to compare with [`LoosePattern`]s. Its ASCII letters keep their case, so that most paths are not copied.
#[derive(Debug)]
pub struct LoosePath<'p>(Cow<'p, str>);

impl<'p> LoosePath<'p> {
    /// Of a decoded path, without its query.
    #[must_use]
    pub fn new(path: &'p str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        Self(if path.is_ascii() {
            path.into()
        } else {
            fold(path).into()
        })
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

impl PatternSegment {
    fn of(text: &str) -> Self {
        match text {
            "*" => Self::One,
            "**" => Self::Any,
            _ => Self::Text(text.into()),
        }
    }

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
