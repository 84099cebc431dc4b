//! Turns a panic of code that this room calls through a closure into an error, so that the task continues.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::grant_error::GrantError;

/// The output of `work`, or [`GrantError::Internal`] if it panics.
pub(super) async fn catch_panic<T>(
    work: impl Future<Output = Result<T, GrantError>>,
) -> Result<T, GrantError> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(GrantError::Internal)))
    })
    .await
}
