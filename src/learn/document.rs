//! The paths in an API's OpenAPI document (OpenAPI 3 or Swagger 2, in JSON), and where such a document may be.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::record::ObservedRequests;
use crate::config::PathPattern;
use crate::guard::readable_path;

/// The maximum number of paths at which to look for a document.
const MAX_CANDIDATES: usize = 24;

/// The maximum number of segments of a requested path to put before the name of a document.
const MAX_PREFIX_SEGMENTS: usize = 3;

/// Why a text is not an OpenAPI document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenApiError {
    /// The text is not JSON.
    #[error("is not JSON (convert a YAML document to JSON)")]
    NotJson,
    /// The JSON lacks `openapi` and `swagger`, or `paths`.
    #[error("is not an OpenAPI document: it lacks \"paths\", or both \"openapi\" and \"swagger\"")]
    NotOpenApi,
}

/// The path templates of an API, including the base path.
#[derive(Debug, Clone, Default)]
pub struct OpenApiDocument {
    templates: Vec<PathTemplate>,
}

/// A path template: `/certificates/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathTemplate {
    pub(super) segments: Vec<TemplateSegment>,
    /// In upper case.
    pub(super) methods: BTreeSet<String>,
}

/// A segment of a path template. If a path matches several templates, the variant that is listed first takes
/// precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TemplateSegment {
    Text(String),
    /// `{name}.json`: a parameter and literal text.
    Mixed {
        before: String,
        after: String,
    },
    /// `{name}`.
    Parameter,
}

impl OpenApiDocument {
    /// Parses the document at the path `at` of the API. Relative URLs in it are resolved against that path.
    ///
    /// # Errors
    /// The text is not an OpenAPI document in JSON.
    pub fn parse(text: &[u8], at: &str) -> Result<Self, OpenApiError> {
        let root: Value = serde_json::from_slice(text).map_err(|_| OpenApiError::NotJson)?;
        let (true, Some(paths)) = (
            root.get("openapi").or(root.get("swagger")).is_some(),
            root.get("paths").and_then(Value::as_object),
        ) else {
            return Err(OpenApiError::NotOpenApi);
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
        let templates = templates.filter_map(|(path, methods)| PathTemplate::of(&path, methods));
        Ok(Self {
            templates: templates.collect(),
        })
    }

    /// The template that a decoded path matches. Literal text takes precedence over parameters, from the left.
    pub(super) fn template_of(&self, path: &str) -> Option<&PathTemplate> {
        let matching = self.templates.iter().filter(|one| one.matches(path));
        matching.min_by(|one, other| one.segments.cmp(&other.segments))
    }

    /// Whether any of the accepted requests matches a template.
    #[must_use]
    pub fn matches_any(&self, observed: &ObservedRequests) -> bool {
        let mut paths = observed
            .accepted()
            .map(|(request, _)| readable_path(&request.path));
        paths.any(|path| path.is_some_and(|path| self.template_of(&path).is_some()))
    }

    pub(super) fn templates(&self) -> &[PathTemplate] {
        &self.templates
    }
}

impl PathTemplate {
    fn of(path: &str, methods: BTreeSet<String>) -> Option<Self> {
        let path = path.split(['?', '#']).next()?;
        let segments = path.strip_prefix('/')?.split('/').map(TemplateSegment::of);
        Some(Self {
            segments: segments.collect(),
            methods,
        })
    }

    fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        path.split('/').count() == self.segments.len()
            && path
                .split('/')
                .zip(&self.segments)
                .all(|(text, segment)| segment.matches(text))
    }
}

impl TemplateSegment {
    fn of(text: &str) -> Self {
        let parts = text.split_once('{').zip(text.rsplit_once('}'));
        match parts {
            Some((("", _), (_, ""))) if text.matches('{').count() == 1 => Self::Parameter,
            Some(((before, _), (_, after))) => Self::Mixed {
                before: decoded(before),
                after: decoded(after),
            },
            None => Self::Text(decoded(text)),
        }
    }

    fn matches(&self, text: &str) -> bool {
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

/// Literal text as it is in a decoded path. What decodes to no part of a segment remains as it is, and matches nothing.
fn decoded(text: &str) -> String {
    match percent_decode_str(text).decode_utf8() {
        Ok(plain) if !plain.contains('/') => plain.into_owned(),
        Ok(_) | Err(_) => text.to_owned(),
    }
}

fn operations(item: &Map<String, Value>) -> impl Iterator<Item = (String, &Value)> {
    const METHODS: [&str; 9] = [
        "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
    ];
    let known = item.iter().filter(|(name, _)| METHODS.contains(&&***name));
    known.map(|(name, operation)| (name.to_ascii_uppercase(), operation))
}

/// The base paths in `servers` (OpenAPI 3), without a trailing slash. Relative ones are resolved against the path of
/// the document.
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

/// The paths at which to look for a document, most likely first: requested paths that match one of `patterns`
/// (`upstream.openapi`), then the patterns with prefixes of the requested paths in place of `**`.
#[must_use]
pub fn candidate_paths(patterns: &[PathPattern], observed: &ObservedRequests) -> Vec<String> {
    let requested: BTreeSet<&str> = observed
        .accepted()
        .map(|(request, _)| &*request.path)
        .collect();
    let documents = requested
        .iter()
        .filter(|path| patterns.iter().any(|pattern| pattern.matches(path)));
    let mut found: Vec<String> = documents.map(|path| (*path).to_owned()).collect();
    let spring = ["/v3", "/v2"]; // the defaults of springdoc and springfox
    let prefixes = (0..=MAX_PREFIX_SEGMENTS)
        .flat_map(|depth| requested.iter().filter_map(move |path| prefix(path, depth)));
    for prefix in prefixes.chain(spring) {
        for pattern in patterns {
            let text = pattern.to_string();
            let path = match text.strip_prefix("/**") {
                Some(name) => format!("{prefix}{name}"),
                None => text,
            };
            if !path.contains('*') && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found.truncate(MAX_CANDIDATES);
    found
}

/// The first `depth` segments of a path that has more.
fn prefix(path: &str, depth: usize) -> Option<&str> {
    path.match_indices('/')
        .nth(depth)
        .map(|(end, _)| &path[..end])
}

#[cfg(test)]
mod tests;
