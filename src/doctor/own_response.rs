//! A response that a cupbearer generated: the API's address leads to another proxy, or back to this one.

use serde_json::Value;

use super::finding::{FailureKind, Finding};
use super::probe::ProbeResponse;
use crate::text::excerpt;

/// The most characters of an explanation to show. Explanations of cupbearer are sentences.
const LONGEST: usize = 400;

/// What a cupbearer says in place of the API.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CupbearerResponse {
    /// The `reason` of docs/troubleshooting.md.
    reason: String,
    /// What it says to do.
    detail: String,
}

impl CupbearerResponse {
    /// `None` if the response is not one that a cupbearer generates.
    pub(super) fn in_response(response: &ProbeResponse) -> Option<Self> {
        let proxy = response.header("proxy-status")?.split(';').next()?;
        if proxy.trim() != "cupbearer" {
            return None;
        }
        let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
            return None;
        };
        let text = |name: &str| Some(excerpt(body.get(name)?.as_str()?, LONGEST));
        Some(Self {
            reason: text("reason")?,
            detail: text("detail").unwrap_or_default(),
        })
    }

    /// The finding about the response to a request for the path in `message`. `key` names the address that led there.
    pub(super) fn explain(&self, message: &str, key: &str) -> Finding {
        let Self { reason, detail } = self;
        let message = format!("{message}: a cupbearer answered, not the API ({reason}): {detail}");
        let itself = format!("write the address of the API itself as {key}");
        match reason.as_str() {
            "loop" => Finding::failed(
                FailureKind::Other,
                format!("{message} The requests go round in a loop of proxies."),
            )
            .remedy(itself),
            "caller_unknown" => Finding::failed(FailureKind::Other, message)
                .either("that cupbearer is not meant to be called", itself)
                .either(
                    "it is, but admits only its own callers",
                    "cupbearer sends no caller's key: on the same machine, admit the user of this cupbearer there with \
                     guard.callers.NAME.uid",
                ),
            _ if is_about_its_api(reason) => {
                let own = "run cupbearer doctor with the configuration of that cupbearer";
                Finding::failed(FailureKind::Unreachable, message)
                    .either("that cupbearer is not meant to be called", itself)
                    .either("it is, but it cannot get a response from the API", own)
            }
            _ => Finding::failed(FailureKind::Other, message)
                .either("that cupbearer is not meant to be called", itself)
                .either(
                    "it is, but it rejects this request",
                    "change its configuration as its explanation says",
                ),
        }
    }
}

/// Whether the request itself was admitted.
fn is_about_its_api(reason: &str) -> bool {
    reason.starts_with("upstream_")
        || reason.starts_with("token_")
        || ["saturated", "draining", "internal"].contains(&reason)
}

#[cfg(test)]
mod tests;
