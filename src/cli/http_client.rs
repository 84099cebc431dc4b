//! Sends one request on a connection of its own and reads the whole response.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::WithoutInterim;

/// The longest body that is read, in bytes. The longest that is expected is an OpenAPI document.
const MAX_BODY: usize = 8 << 20;

pub(super) type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// A response with its whole body, without white space at the end.
pub(super) struct TextResponse {
    pub(super) status: StatusCode,
    /// Whether `Proxy-Status` says that a cupbearer responded itself.
    pub(super) is_problem_of_cupbearer: bool,
    pub(super) text: String,
}

pub(super) async fn send<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<TextResponse, BoxedError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(WithoutInterim::new(stream))).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let proxy_status = response.headers().get("proxy-status");
        let is_problem_of_cupbearer =
            proxy_status.is_some_and(|value| value.as_bytes().starts_with(b"cupbearer;"));
        #[expect(clippy::disallowed_methods, reason = "the length is limited")]
        let body = Limited::new(response.into_body(), MAX_BODY)
            .collect()
            .await?;
        let text = String::from_utf8_lossy(&body.to_bytes())
            .trim_end()
            .to_owned();
        Ok::<_, BoxedError>(TextResponse {
            status,
            is_problem_of_cupbearer,
            text,
        })
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        response = &mut exchange => response,
        closed = &mut connection => {
            closed?;
            exchange.await
        }
    }
}
