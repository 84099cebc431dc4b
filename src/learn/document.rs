//! The paths that an API's own description (OpenAPI 3, Swagger 2; JSON) names, and where that may be found.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::Seen;
use crate::config::PathPattern;
use crate::guard::readable_path;

/// At how many addresses a document is looked for at most.
const LOOKED_AT: usize = 24;

/// How many segments of a path that was asked for may stand before a document's own name.
const DEEPEST: usize = 3;

/// Why a text is no description of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON.
    #[error("is not JSON (a YAML document must be converted)")]
    NotJson,
    /// JSON without `openapi` or `swagger`, or without `paths`.
    #[error("is no OpenAPI document: it has no \"openapi\" or \"swagger\", or no \"paths\"")]
    NotOpenApi,
}

/// An API's paths, base path included.
#[derive(Debug, Clone, Default)]
pub struct Document {
    templates: Vec<Template>,
}

/// One of its paths: `/certificates/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) segments: Vec<Segment>,
    /// In capitals.
    pub(super) methods: BTreeSet<String>,
}

/// What stands between two slashes. In the order in which one wins over the other where a path fits both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Text(String),
    /// `{name}.json`: a parameter beside letters.
    Mixed {
        before: String,
        after: String,
    },
    /// `{name}`.
    Parameter,
}

impl Document {
    /// Reads the document that stands at the path `at` of the API: relative addresses in it start there.
    ///
    /// # Errors
    /// It is no OpenAPI document in JSON.
    pub fn parse(text: &[u8], at: &str) -> Result<Self, DocumentError> {
        let root: Value = serde_json::from_slice(text).map_err(|_| DocumentError::NotJson)?;
        let (true, Some(paths)) = (
            root.get("openapi").or(root.get("swagger")).is_some(),
            root.get("paths").and_then(Value::as_object),
        ) else {
            return Err(DocumentError::NotOpenApi);
        };
        let everywhere = bases_of(&root, at)
            .or_else(|| swagger_base(&root))
            .unwrap_or_else(|| vec![String::new()]);
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, item) in paths {
            let bases = bases_of(item, at).unwrap_or_else(|| everywhere.clone());
            for (method, operation) in item.as_object().into_iter().flat_map(operations) {
                for base in bases_of(operation, at).as_ref().unwrap_or(&bases) {
                    let whole = format!("{base}{path}");
                    found.entry(whole).or_default().insert(method.clone());
                }
            }
        }
        let templates = found.into_iter();
        let templates = templates.filter_map(|(path, methods)| Template::of(&path, methods));
        Ok(Self {
            templates: templates.collect(),
        })
    }

    /// The path that a decoded one is an instance of: text wins over parameters, from the left.
    pub(super) fn template_of(&self, path: &str) -> Option<&Template> {
        let fitting = self.templates.iter().filter(|one| one.fits(path));
        fitting.min_by(|one, other| one.segments.cmp(&other.segments))
    }

    /// Whether any of what was asked for is one of its paths.
    #[must_use]
    pub fn knows_any_of(&self, seen: &Seen) -> bool {
        let mut paths = seen
            .admitted()
            .map(|(request, _)| readable_path(&request.path));
        paths.any(|path| path.is_some_and(|path| self.template_of(&path).is_some()))
    }

    pub(super) fn templates(&self) -> &[Template] {
        &self.templates
    }
}

impl Template {
    fn of(path: &str, methods: BTreeSet<String>) -> Option<Self> {
        let path = path.split(['?', '#']).next()?;
        let segments = path.strip_prefix('/')?.split('/').map(Segment::of);
        Some(Self {
            segments: segments.collect(),
            methods,
        })
    }

    fn fits(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        path.split('/').count() == self.segments.len()
            && path
                .split('/')
                .zip(&self.segments)
                .all(|(text, segment)| segment.fits(text))
    }
}

impl Segment {
    fn of(text: &str) -> Self {
        let parts = text.split_once('{').zip(text.rsplit_once('}'));
        match parts {
            Some((("", _), (_, ""))) if text.matches('{').count() == 1 => Self::Parameter,
            Some(((before, _), (_, after))) => Self::Mixed {
                before: before.to_owned(),
                after: after.to_owned(),
            },
            None => Self::Text(text.to_owned()),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Text(own) => own == text,
            Self::Mixed { before, after } => {
                text.len() > before.len() + after.len()
                    && text.starts_with(before.as_str())
                    && text.ends_with(after.as_str())
            }
            Self::Parameter => !text.is_empty(),
        }
    }
}

fn operations(item: &Map<String, Value>) -> impl Iterator<Item = (String, &Value)> {
    const METHODS: [&str; 9] = [
        "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
    ];
    let known = item.iter().filter(|(name, _)| METHODS.contains(&&***name));
    known.map(|(name, operation)| (name.to_ascii_uppercase(), operation))
}

/// The paths of `servers` (OpenAPI 3), without a slash at the end: relative ones start where the document is.
fn bases_of(holder: &Value, at: &str) -> Option<Vec<String>> {
    let here = Url::parse("http://api.invalid").ok()?.join(at).ok()?;
    let servers = holder.get("servers")?.as_array()?;
    let bases: Vec<String> = servers
        .iter()
        .filter_map(|server| {
            let url = with_defaults(server.get("url")?.as_str()?, server.get("variables"));
            Some(base(here.join(&url).ok()?.path()))
        })
        .collect();
    (!bases.is_empty()).then_some(bases)
}

fn with_defaults(url: &str, variables: Option<&Value>) -> String {
    let variables = variables.and_then(Value::as_object);
    let defaults = variables
        .into_iter()
        .flatten()
        .filter_map(|(name, variable)| Some((name, variable.get("default")?.as_str()?)));
    defaults.fold(url.to_owned(), |url, (name, value)| {
        url.replace(&format!("{{{name}}}"), value)
    })
}

fn swagger_base(root: &Value) -> Option<Vec<String>> {
    let path = root.get("basePath")?.as_str()?;
    Some(vec![base(path)])
}

fn base(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.trim_end_matches('/').to_owned()
}

/// Where to look for a document, most likely first: what was asked for itself, then `patterns` (`upstream.openapi`)
/// with the beginnings of what was asked for in the place of `**`.
#[must_use]
pub fn candidates(patterns: &[PathPattern], seen: &Seen) -> Vec<String> {
    let asked: BTreeSet<&str> = seen.admitted().map(|(request, _)| &*request.path).collect();
    let documents = asked
        .iter()
        .filter(|path| patterns.iter().any(|pattern| pattern.matches(path)));
    let mut found: Vec<String> = documents.map(|path| (*path).to_owned()).collect();
    let spring = ["/v3", "/v2"]; // springdoc's and springfox's own
    let beginnings =
        (0..=DEEPEST).flat_map(|depth| asked.iter().filter_map(move |path| beginning(path, depth)));
    for beginning in beginnings.chain(spring) {
        for pattern in patterns {
            let text = pattern.to_string();
            let path = match text.strip_prefix("/**") {
                Some(name) => format!("{beginning}{name}"),
                None => text,
            };
            if !path.contains('*') && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found.truncate(LOOKED_AT);
    found
}

/// The first `depth` segments, where that is not all of them.
fn beginning(path: &str, depth: usize) -> Option<&str> {
    path.match_indices('/')
        .nth(depth)
        .map(|(end, _)| &path[..end])
}

#[cfg(test)]
mod tests;
