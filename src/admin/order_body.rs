//! The body of an order: a small JSON object, which may contain a token.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::Body;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The longest body that is read: the longest token, and what JSON puts around it.
const MAX_BODY: usize = 72 << 10;

/// How long it may take to arrive. A person's own command sends it at once.
const LIMIT: Duration = Duration::from_secs(5);

/// Why there is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OrderBodyError {
    /// More than any token.
    #[error("The body is longer than 72 KiB.")]
    TooLong,
    /// It did not arrive in time, or the connection broke.
    #[error("The body did not arrive within 5 s.")]
    Incomplete,
}

/// Reads the whole body. What is returned is wiped when it is dropped.
pub(super) async fn read_order<B: Body<Data = Bytes>>(
    body: B,
) -> Result<Zeroizing<Vec<u8>>, OrderBodyError> {
    // Allocated once, so that no part of a token is left behind in a buffer that has grown.
    let mut read = Zeroizing::new(Vec::with_capacity(MAX_BODY));
    let mut body = pin!(body);
    let reading = async {
        loop {
            let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            let Some(frame) = frame else {
                return Ok(());
            };
            let frame = frame.map_err(|_| OrderBodyError::Incomplete)?;
            if let Ok(data) = frame.into_data() {
                if data.remaining() > MAX_BODY - read.len() {
                    return Err(OrderBodyError::TooLong);
                }
                read.extend_from_slice(&data);
            }
        }
    };
    timeout(LIMIT, reading)
        .await
        .unwrap_or(Err(OrderBodyError::Incomplete))?;
    Ok(read)
}
