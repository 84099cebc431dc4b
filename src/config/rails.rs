//! Who may call, and how far: rules, rails and named callers, as they are written in `guard.*`.
//!
//! Nothing is decided here; `guard` does that. A key is read by who needs it.

use std::fmt;

use http::Method;

use super::path_pattern::PathPattern;
use super::problems::InvalidValue;
use crate::credentials::SecretSource;
use crate::text::quoted;

/// How far a request may go: `read_only`, `allow` and `deny`, of everyone or of one caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// `read_only`: only GET, HEAD and OPTIONS, and no upgrades.
    pub read_only: bool,
    /// `allow`: what is in none of these is refused; unset allows everything.
    pub allow: Option<Vec<Rule>>,
    /// `deny`: what is in one of these is refused, whatever `allow` says.
    pub deny: Vec<Rule>,
}

impl AccessRules {
    /// Whether they hold nobody back.
    #[must_use]
    pub fn are_none(&self) -> bool {
        !self.read_only && self.allow.is_none() && self.deny.is_empty()
    }
}

/// `"GET /api/v1/**"`: a method and the paths that it is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The method, `None` for `*`. GET stands for HEAD too (RFC 9110 section 9.3.2).
    pub method: Option<Method>,
    /// Decoded and without anything that servers read differently: such requests are refused before.
    pub path: PathPattern,
}

/// `[guard.callers.NAME]`.
#[derive(Debug, Clone)]
pub struct CallerConfig {
    /// NAME, as logs and metrics show it.
    pub name: String,
    /// `key`: where its keys are, one a line.
    pub key: Option<SecretSource>,
    /// `uid`: the user of this machine that it must be; beside a key, both must fit.
    pub uid: Option<u32>,
    /// Its own rails; those of everyone come on top.
    pub rails: AccessRules,
}

/// What can stand in a rule. Others pass the proxy as well, but a misspelt one would be a rule that
/// silently never matches.
const METHODS: [&str; 20] = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "COPY",
    "LINK",
    "LOCK",
    "MERGE",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "QUERY",
    "REPORT",
    "SEARCH",
    "UNLINK",
    "UNLOCK",
];

const EXAMPLE: &str = "write \"GET /api/v1/**\", or \"* /api/v1/**\" for every method";

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let mut words = text.split(' ');
        let (Some(method), Some(path), None) = (words.next(), words.next(), words.next()) else {
            let problem = format!("{} is not a method and a path", quoted(text));
            return Err((problem, EXAMPLE).into());
        };
        Ok(Self {
            method: method_of(method)?,
            path: readable(PathPattern::parse(path)?, path)?,
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_ref().map_or("*", Method::as_str);
        write!(f, "{method} {}", self.path)
    }
}

fn method_of(text: &str) -> Result<Option<Method>, InvalidValue> {
    let capitals = text.to_ascii_uppercase();
    let complaint = |remedy: String| {
        let problem = format!("{} is no method for a rule", quoted(text));
        Err((problem, remedy).into())
    };
    match text {
        "*" => Ok(None),
        _ if METHODS.contains(&text) => Method::from_bytes(text.as_bytes())
            .map(Some)
            .or_else(|_| complaint(EXAMPLE.to_owned())),
        _ if capitals == "HEAD" => complaint("write GET: HEAD goes with it".to_owned()),
        _ if METHODS.contains(&&*capitals) => complaint(format!("write {capitals}")),
        _ => complaint(EXAMPLE.to_owned()),
    }
}

/// A rule for paths that are always refused would never match, and so would promise what it does not do.
fn readable(pattern: PathPattern, text: &str) -> Result<PathPattern, InvalidValue> {
    let complaint = |problem: &str, remedy: &str| {
        Err((format!("{} {problem}", quoted(text)), remedy.to_owned()).into())
    };
    if text.contains('%') {
        return complaint(
            "has an escape",
            "write the letter itself: paths are compared decoded",
        );
    }
    if text.contains(['\\', ';']) {
        return complaint(
            "has a letter that servers read differently",
            "leave it out: such requests are always refused where there are rules",
        );
    }
    let inner = text[1..].strip_suffix('/').unwrap_or(&text[1..]);
    let odd = |segment: &str| segment.is_empty() || segment.ends_with('.');
    if text != "/" && inner.split('/').any(odd) {
        return complaint(
            "has an empty segment, or one that ends in a dot",
            "leave it out: such requests are always refused where there are rules",
        );
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests;
