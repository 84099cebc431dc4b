//! The form in which a browser says whether someone else is to be signed in.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, header};
use http_body::Body;
use tokio::time::timeout;
use url::form_urlencoded;

/// More than the form has.
const MAX_BODY: usize = 1 << 10;

/// How long it may take to arrive.
const LIMIT: Duration = Duration::from_secs(5);

/// The name of the field with the confirmation.
pub(super) const CONFIRMATION: &str = "confirmation";

/// The name of the field with the answer.
pub(super) const ANSWER: &str = "answer";

/// The value of the answer that replaces the person. Any other keeps the one before.
pub(super) const REPLACE: &str = "replace";

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfirmationAnswer {
    /// Whoever has just come back is signed in.
    Replace,
    /// The person before stays signed in.
    Keep,
}

/// The form as it was sent.
pub(super) struct SentForm {
    pub(super) confirmation: String,
    pub(super) answer: ConfirmationAnswer,
}

/// Whether a browser says that a page of another origin has sent the form.
pub(super) fn is_foreign(headers: &HeaderMap, authority: &str) -> bool {
    let own = format!("http://{authority}");
    let is_other = |name: &str, expected: &[&str]| {
        let mut values = headers.get_all(name).iter();
        values.any(|value| {
            !expected
                .iter()
                .any(|one| value.as_bytes() == one.as_bytes())
        })
    };
    is_other(header::ORIGIN.as_str(), &[&own, "null"])
        || is_other("sec-fetch-site", &["same-origin"])
}

/// Reads the form. `None` if it is anything else.
pub(super) async fn read<B: Body<Data = Bytes>>(body: B) -> Option<SentForm> {
    let mut text = Vec::new();
    let mut body = pin!(body);
    let reading = async {
        while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            if let Ok(data) = frame.ok()?.into_data() {
                if data.remaining() > MAX_BODY - text.len() {
                    return None;
                }
                text.extend_from_slice(&data);
            }
        }
        Some(())
    };
    timeout(LIMIT, reading).await.ok()??;
    let (mut confirmation, mut answer) = (None, None);
    for (name, value) in form_urlencoded::parse(&text) {
        let place = match &*name {
            CONFIRMATION => &mut confirmation,
            ANSWER => &mut answer,
            _ => return None,
        };
        if place.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    Some(SentForm {
        confirmation: confirmation?,
        answer: if answer? == REPLACE {
            ConfirmationAnswer::Replace
        } else {
            ConfirmationAnswer::Keep
        },
    })
}
