//! Requests to upgrade the connection. Each uses its own connection, which becomes a tunnel only after a matching 101
//! (RFC 9110 section 7.8).

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::time::Instant;

use super::connection::{Connection, Driver, explain, handshake};
use super::errors::SendError;
use super::framing;
use super::io::Io;
use super::limits::StallTimer;
use super::response_body::ResponseBody;
use super::send::{RequestRenewal, Upstream};
use super::upload_progress::{OutgoingBody, TrackedBody};

/// The upstream's response to an upgrade request.
pub enum Upgrade<B: OutgoingBody> {
    /// 101: the connection is now a tunnel.
    Switched(Response<()>, Tunnel),
    /// Any other response.
    Answered(Response<ResponseBody<B>>),
}

/// The upstream's end of a tunnel.
pub struct Tunnel {
    io: Io,
    /// The bytes that were read together with the 101.
    early: Bytes,
}

impl Tunnel {
    /// Copies bytes in both directions until both sides have closed. A half-close is passed on.
    ///
    /// # Errors
    /// Either connection failed.
    pub async fn splice(
        mut self,
        mut client: impl AsyncRead + AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        client.write_all(&self.early).await?;
        client.flush().await?;
        copy_bidirectional(&mut client, &mut self.io).await?;
        Ok(())
    }
}

impl<B: OutgoingBody> Upstream<B> {
    /// Sends a request to upgrade on a new connection.
    ///
    /// # Errors
    /// As for [`Upstream::send`], or a 101 names a protocol other than the requested one.
    pub async fn upgrade<R>(
        &self,
        mut request: Request<B>,
        mut renewal: R,
    ) -> Result<Upgrade<B>, R::Error>
    where
        R: RequestRenewal<B>,
    {
        let io = self.connector.connect().await.map_err(SendError::from)?;
        renewal.renew(request.headers_mut()).await?;
        Ok(self.upgrade_on(io, request).await?)
    }

    async fn upgrade_on(&self, io: Io, request: Request<B>) -> Result<Upgrade<B>, SendError> {
        let requested = request.headers().get(header::UPGRADE).cloned();
        let field_limit = self.context.pool.field_limit.current();
        let (mut sender, mut connection, waker) = handshake(io, field_limit).await?;
        waker.expect_response();
        let deadline = self.context.deadline(None, Instant::now());
        let mut head_timer = None;
        let mut response = pin!(sender.try_send_request(TrackedBody::wrap(request)));
        let mut ended = false;
        let response = poll_fn(|cx| {
            ended = ended || connection.poll_without_shutdown(cx).is_ready();
            match response.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Ok(result)),
                Poll::Pending => deadline.poll(&mut head_timer, cx).map(Err),
            }
        })
        .await?;
        let mut response = match response {
            Ok(response) => response,
            Err(failed) => {
                let unread = || connection.into_parts().read_buf;
                return Err(explain(failed.into_error(), field_limit, unread));
            }
        };
        let framing = framing::check(&mut response, true)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            framing::set_version(&mut response);
            let stall = StallTimer::new(self.context.stall_limit(&response), None);
            return Ok(Upgrade::Answered(response.map(|incoming| {
                let connection = Connection {
                    sender,
                    driver: if ended {
                        Driver::ended()
                    } else {
                        Driver::new(connection)
                    },
                    head_timer,
                    waker,
                    field_limit,
                };
                ResponseBody::new(incoming, self.context.pooled(connection, framing), stall)
            })));
        }
        if !is_same_protocol(requested.as_ref(), response.headers().get(header::UPGRADE)) {
            return Err(SendError::Switched);
        }
        if !ended {
            poll_fn(|cx| connection.poll_without_shutdown(cx))
                .await
                .map_err(SendError::from_exchange)?;
        }
        let parts = connection.into_parts();
        let tunnel = Tunnel {
            io: parts.io.into_inner(),
            early: parts.read_buf,
        };
        Ok(Upgrade::Switched(response.map(drop), tunnel))
    }
}

fn is_same_protocol(requested: Option<&HeaderValue>, switched_to: Option<&HeaderValue>) -> bool {
    requested
        .zip(switched_to)
        .is_some_and(|(a, b)| a.as_bytes().eq_ignore_ascii_case(b.as_bytes()))
}
