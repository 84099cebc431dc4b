//! Validates the requests to the API; an invalid one gets a 422 that lists every problem.
//!
//! The format is that of `FastAPI`, without its member `input`, which would send a private key back.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

/// All problems of one request.
#[derive(Debug)]
pub(super) struct ValidationErrors(Vec<Value>);

/// The members of a JSON body, taken one by one. Problems are collected until [`BodyFields::done`].
pub(super) struct BodyFields {
    members: Map<String, Value>,
    problems: Vec<Value>,
}

impl BodyFields {
    /// # Errors
    /// The body is not a JSON object.
    pub(super) fn read(body: &[u8]) -> Result<Self, ValidationErrors> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self {
                members,
                problems: Vec::new(),
            }),
            Ok(_) => Err(ValidationErrors(vec![json!({
                "type": "model_attributes_type",
                "loc": ["body"],
                "msg": "Input should be a valid dictionary or object to extract fields from",
            })])),
            Err(_) => Err(ValidationErrors(vec![json!({
                "type": "json_invalid",
                "loc": ["body"],
                "msg": "JSON decode error",
            })])),
        }
    }

    /// 1 to 64 characters of `[A-Za-z0-9._-]`.
    pub(super) fn name(&mut self, field: &str) -> String {
        let fits = |text: &str| is_text_of(text, 64, b"._-");
        self.text(
            field,
            fits,
            "string_pattern_mismatch",
            "Use 1 to 64 of A-Z a-z 0-9 . _ -",
        )
    }

    /// 1 to 253 characters of `[A-Za-z0-9.-]`.
    pub(super) fn hostname(&mut self, field: &str) -> String {
        let fits = |text: &str| is_text_of(text, 253, b".-");
        self.text(
            field,
            fits,
            "string_pattern_mismatch",
            "Use 1 to 253 of A-Z a-z 0-9 . -",
        )
    }

    /// PEM text with a block whose label ends with `label`.
    pub(super) fn pem(&mut self, field: &str, label: &str) -> String {
        let ends = format!("{label}-----");
        let fits = |text: &str| text.starts_with("-----BEGIN ") && text.contains(&ends);
        self.text(
            field,
            fits,
            "value_error",
            &format!("Value error, not PEM with a {label} block"),
        )
    }

    /// One of `words`.
    pub(super) fn one_of(&mut self, field: &str, words: &[&str]) -> String {
        let message = format!("Input should be {}", words.join(" or "));
        self.text(field, |text| words.contains(&text), "enum", &message)
    }

    /// # Errors
    /// At least one field was missing or invalid.
    pub(super) fn done(self) -> Result<(), ValidationErrors> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(ValidationErrors(self.problems))
        }
    }

    /// The value of a string member. If it is missing or invalid, adds a problem and returns an empty string.
    fn text(
        &mut self,
        field: &str,
        fits: impl Fn(&str) -> bool,
        kind: &str,
        message: &str,
    ) -> String {
        let (kind, message) = match self.members.remove(field) {
            Some(Value::String(text)) if fits(&text) => return text,
            Some(Value::String(_)) => (kind, message),
            Some(_) => ("string_type", "Input should be a valid string"),
            None => ("missing", "Field required"),
        };
        self.problems
            .push(json!({ "type": kind, "loc": ["body", field], "msg": message }));
        String::new()
    }
}

/// A boolean query parameter, which is false if it is missing.
///
/// # Errors
/// The value is not a boolean.
pub(super) fn flag(query: Option<&str>, name: &str) -> Result<bool, ValidationErrors> {
    let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let value = parameters
        .find(|(other, _)| other == name)
        .map(|(_, value)| value);
    match value.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0" | "no" | "off") => Ok(false),
        Some("true" | "1" | "yes" | "on") => Ok(true),
        Some(_) => Err(ValidationErrors(vec![json!({
            "type": "bool_parsing",
            "loc": ["query", name],
            "msg": "Input should be a valid boolean, unable to interpret input",
        })])),
    }
}

fn is_text_of(text: &str, longest: usize, also: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || also.contains(&byte);
    (1..=longest).contains(&text.len()) && text.bytes().all(fits)
}

impl IntoResponse for ValidationErrors {
    fn into_response(self) -> Response {
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({ "detail": self.0 })),
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests;
