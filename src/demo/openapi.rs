//! The `OpenAPI` document of the API: `openapi.json`, with the current `servers`.

use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("openapi.json");

/// The document with one server at `url`, which is relative or absolute.
pub(super) fn document(url: &str) -> Value {
    let mut document: Value =
        serde_json::from_str(DOCUMENT).expect("openapi.json is valid JSON, which a test checks");
    document["servers"] = json!([{ "url": url }]);
    document
}

#[cfg(test)]
mod tests;
