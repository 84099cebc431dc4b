//! Removes from an `OpenAPI` document what the proxy does for its clients: the requirements that the attached token
//! satisfies (`upstream.openapi_security`). Where callers need keys, a requirement for the caller's key takes their
//! place.
//!
//! Pure functions over slices of the text.

use std::fmt;

use http::HeaderName;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::changes::DocumentChanges;
use super::text_edit::TextEdit;

/// The name of the scheme for a caller's key.
const CALLER_KEY: &str = "cupbearer-caller-key";

/// The parts of a document that say how requests are authenticated, as slices of its text.
#[derive(Debug, Default)]
pub(super) struct SecurityValues<'t> {
    /// Every `security`, of the document and of operations.
    pub(super) requirements: Vec<&'t str>,
    /// `components.securitySchemes`, or `securityDefinitions` in Swagger 2.
    pub(super) schemes: Option<&'t str>,
    pub(super) is_swagger_2: bool,
}

/// The edits that remove what the attached token satisfies.
pub(super) fn security_edits(
    text: &str,
    values: &SecurityValues<'_>,
    changes: &DocumentChanges,
) -> Vec<TextEdit> {
    let Some(raw) = values.schemes else {
        return Vec::new();
    };
    let Ok(schemes) = serde_json::from_str::<Schemes<'_>>(raw) else {
        return Vec::new();
    };
    let (satisfied, kept): (Vec<_>, Vec<_>) = schemes
        .0
        .into_iter()
        .partition(|(_, scheme)| is_satisfied(scheme.get(), &changes.token_field));
    if satisfied.is_empty() {
        return Vec::new();
    }
    let is_satisfied = |name: &str| satisfied.iter().any(|(own, _)| own == name);
    let asks_for_key = changes.asks_for_key;
    let requirements = values.requirements.iter().filter_map(|raw| {
        let new = new_requirements(raw, is_satisfied, asks_for_key)?;
        Some(TextEdit::replace(text, raw, new))
    });
    let mut edits: Vec<_> = requirements.collect();
    edits.extend(schemes_edit(
        text,
        raw,
        &kept,
        asks_for_key,
        values.is_swagger_2,
    ));
    edits
}

/// The schemes of a document in their order.
struct Schemes<'t>(Vec<(String, &'t RawValue)>);

/// What matters of one scheme. Those of Swagger 2 have the same members.
#[derive(Deserialize)]
struct Scheme {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "scheme")]
    http: String,
    #[serde(default, rename = "in")]
    place: String,
    #[serde(default)]
    name: String,
}

/// Whether the attached token is what the scheme asks for. What only refers to another scheme stays.
fn is_satisfied(scheme: &str, token_field: &HeaderName) -> bool {
    let Ok(scheme) = serde_json::from_str::<Scheme>(scheme) else {
        return false;
    };
    match &*scheme.kind {
        "http" => scheme.http.eq_ignore_ascii_case("bearer"),
        "oauth2" | "openIdConnect" => true,
        "apiKey" => {
            let name = token_field.as_str();
            scheme.place == "header" && scheme.name.eq_ignore_ascii_case(name)
        }
        _ => false,
    }
}

/// The requirements without those that are satisfied; `None` if there are no such. Each element of the array is an
/// alternative, whose members hold together.
fn new_requirements(
    raw: &str,
    is_satisfied: impl Fn(&str) -> bool,
    asks_for_key: bool,
) -> Option<String> {
    let mut alternatives: Vec<Map<String, Value>> = serde_json::from_str(raw).ok()?;
    let (mut has_changed, mut is_free) = (false, false);
    for alternative in &mut alternatives {
        let before = alternative.len();
        alternative.retain(|name, _| !is_satisfied(name));
        has_changed |= alternative.len() < before;
        is_free |= alternative.is_empty() && before > 0;
    }
    if !has_changed {
        return None;
    }
    if is_free {
        alternatives = if asks_for_key {
            vec![Map::new()]
        } else {
            Vec::new()
        };
    }
    if asks_for_key {
        for alternative in &mut alternatives {
            alternative.insert(CALLER_KEY.to_owned(), json!([]));
        }
    }
    serde_json::to_string(&alternatives).ok()
}

/// Without the schemes that no requirement names any more. An empty object would still make Swagger UI offer
/// *Authorize*.
fn schemes_edit(
    text: &str,
    raw: &str,
    kept: &[(String, &RawValue)],
    asks_for_key: bool,
    is_swagger_2: bool,
) -> Option<TextEdit> {
    let quoted = |name: &str| Value::from(name).to_string();
    let members = kept.iter();
    let mut members: Vec<String> = members
        .map(|(name, scheme)| format!("{}:{}", quoted(name), scheme.get()))
        .collect();
    if asks_for_key {
        let description =
            "The key of a caller of cupbearer, as the password; any user name will do.";
        let scheme = if is_swagger_2 {
            json!({ "type": "basic", "description": description })
        } else {
            json!({ "type": "http", "scheme": "basic", "description": description })
        };
        members.push(format!("{}:{scheme}", quoted(CALLER_KEY)));
    }
    if members.is_empty() {
        return TextEdit::remove_member(text, raw);
    }
    Some(TextEdit::replace(
        text,
        raw,
        format!("{{{}}}", members.join(",")),
    ))
}

impl<'de> Deserialize<'de> for Schemes<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_map(SchemesVisitor)
    }
}

struct SchemesVisitor;

impl<'de> Visitor<'de> for SchemesVisitor {
    type Value = Schemes<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut schemes = Vec::new();
        while let Some(member) = members.next_entry()? {
            schemes.push(member);
        }
        Ok(Schemes(schemes))
    }
}

#[cfg(test)]
mod tests;
