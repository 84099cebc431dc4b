//! The API's `OpenAPI` document: `openapi.json`, with `servers` as the knob says.

use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("openapi.json");

/// The document with one server at `url`: relative as most are, or absolute.
pub(super) fn document(url: &str) -> Value {
    let mut document: Value =
        serde_json::from_str(DOCUMENT).expect("the committed document is JSON: a test reads it");
    document["servers"] = json!([{ "url": url }]);
    document
}

#[cfg(test)]
mod tests;
