//! Removes from an `OpenAPI` document what the proxy does for its clients: the requirements that the attached token
//! satisfies (`upstream.openapi_security`). Where callers need keys, a requirement for the caller's key takes their
//! place.
//!
//! Pure functions over slices of the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::changes::DocumentChanges;
use super::text_edit::TextEdit;

/// The name of the scheme for a caller's key.
const CALLER_KEY: &str = "cupbearer-caller-key";

/// How many references are followed from one scheme to another.
const MOST_REFERENCES: usize = 16;

/// The parts of a document that say how requests are authenticated, as slices of its text.
#[derive(Debug, Default)]
pub(super) struct SecurityValues<'t> {
    /// Every `security` of the document and of operations.
    pub(super) requirements: Vec<&'t str>,
    /// The same of webhooks and callbacks. The API itself sends these requests, and not through this proxy.
    pub(super) requirements_of_api: Vec<&'t str>,
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
    let satisfied = schemes.satisfied(changes);
    if satisfied.is_empty() {
        return Vec::new();
    }
    let is_satisfied = |name: &str| satisfied.contains(&*schemes.component(name));
    let asks_for_key = changes.asks_for_key;
    let requirements = values.requirements.iter().filter_map(|raw| {
        let new = new_requirements(raw, is_satisfied, asks_for_key)?;
        Some(TextEdit::replace(text, raw, new))
    });
    let mut edits: Vec<_> = requirements.collect();
    let needed = schemes.needed(&values.requirements_of_api);
    let is_kept = |name: &str| {
        let is_ours = asks_for_key && name == CALLER_KEY;
        (!satisfied.contains(name) || needed.contains(name)) && !is_ours
    };
    let kept = schemes.in_order.iter().filter(|(name, _)| is_kept(name));
    edits.extend(schemes_edit(text, raw, kept, values.is_swagger_2, changes));
    edits
}

/// The schemes of a document.
struct Schemes<'t> {
    in_order: Vec<(String, &'t RawValue)>,
    by_name: BTreeMap<String, &'t RawValue>,
}

impl<'t> Schemes<'t> {
    /// The names of those that the attached token satisfies.
    fn satisfied(&self, changes: &DocumentChanges) -> BTreeSet<&str> {
        let is_satisfied = |scheme: &RawValue| {
            let own = self.referenced(scheme);
            own.is_some_and(|own| is_satisfied(own.get(), changes))
        };
        let all = self.in_order.iter();
        let satisfied = all.filter(|(_, scheme)| is_satisfied(scheme));
        satisfied.map(|(name, _)| &**name).collect()
    }

    fn get(&self, name: &str) -> Option<&'t RawValue> {
        self.by_name.get(name).copied()
    }

    /// What a scheme is that may only refer to another one. `None` if that is not in this document.
    fn referenced(&self, scheme: &'t RawValue) -> Option<&'t RawValue> {
        let mut scheme = scheme;
        for _ in 0..MOST_REFERENCES {
            match reference(scheme) {
                Some(uri) => scheme = self.get(&component_of(&uri)?)?,
                None => return Some(scheme),
            }
        }
        None
    }

    /// The name of the scheme that a requirement names: the same, or since `OpenAPI` 3.2 a URI.
    fn component(&self, name: &str) -> String {
        match component_of(name) {
            Some(component) if self.get(name).is_none() => component,
            _ => name.to_owned(),
        }
    }

    /// The names of all schemes that these requirements name, and of those that these refer to.
    fn needed(&self, requirements: &[&str]) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        for raw in requirements {
            let alternatives: Vec<Map<String, Value>> =
                serde_json::from_str(raw).unwrap_or_default();
            for name in alternatives.iter().flat_map(Map::keys) {
                let mut next = Some(self.component(name));
                while let Some(name) = next {
                    next = self.get(&name).and_then(reference);
                    next = next.and_then(|uri| component_of(&uri));
                    if !needed.insert(name) {
                        break;
                    }
                }
            }
        }
        needed
    }
}

/// What an object refers to that stands for another one.
fn reference(scheme: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Reference {
        #[serde(rename = "$ref")]
        uri: String,
    }
    let reference = serde_json::from_str::<Reference>(scheme.get());
    reference.ok().map(|reference| reference.uri)
}

/// The name of the scheme of this document that a URI names, as a JSON pointer in its fragment (RFC 6901 section 6).
fn component_of(uri: &str) -> Option<String> {
    let pointer = percent_decode_str(uri.strip_prefix('#')?)
        .decode_utf8()
        .ok()?;
    let name = ["/components/securitySchemes/", "/securityDefinitions/"]
        .iter()
        .find_map(|place| pointer.strip_prefix(place))?;
    (!name.contains('/')).then(|| name.replace("~1", "/").replace("~0", "~"))
}

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

/// Whether the attached token is what the scheme asks for. Where the client's own `Authorization` is forwarded, what
/// belongs there does not come from the proxy.
fn is_satisfied(scheme: &str, changes: &DocumentChanges) -> bool {
    let Ok(scheme) = serde_json::from_str::<Scheme>(scheme) else {
        return false;
    };
    match &*scheme.kind {
        "http" => !changes.keeps_authorization && scheme.http.eq_ignore_ascii_case("bearer"),
        "oauth2" | "openIdConnect" => !changes.keeps_authorization,
        "apiKey" => {
            let name = changes.token_field.as_str();
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
fn schemes_edit<'s>(
    text: &str,
    raw: &str,
    kept: impl Iterator<Item = &'s (String, &'s RawValue)>,
    is_swagger_2: bool,
    changes: &DocumentChanges,
) -> Option<TextEdit> {
    let quoted = |name: &str| Value::from(name).to_string();
    let mut members: Vec<String> = kept
        .map(|(name, scheme)| format!("{}:{}", quoted(name), scheme.get()))
        .collect();
    if changes.asks_for_key {
        let scheme = caller_key_scheme(is_swagger_2, changes.keeps_authorization);
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

/// How a caller sends its key.
fn caller_key_scheme(is_swagger_2: bool, keeps_authorization: bool) -> Value {
    let description = "The key of a caller of cupbearer, as the password; any user name will do.";
    if keeps_authorization {
        let description = "The key of a caller of cupbearer.";
        json!({ "type": "apiKey", "in": "header", "name": "X-Cupbearer-Key", "description": description })
    } else if is_swagger_2 {
        json!({ "type": "basic", "description": description })
    } else {
        json!({ "type": "http", "scheme": "basic", "description": description })
    }
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
        let mut in_order: Vec<(String, &RawValue)> = Vec::new();
        while let Some(member) = members.next_entry()? {
            in_order.push(member);
        }
        let by_name = in_order.iter().cloned().collect();
        Ok(Schemes { in_order, by_name })
    }
}

#[cfg(test)]
mod tests;
