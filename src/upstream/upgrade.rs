//! A connection that stops speaking HTTP: always its own, spliced only after a matching 101 (RFC 9110 §7.8).

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::time::Instant;

use super::body::ResponseBody;
use super::errors::SendError;
use super::framing;
use super::io::Io;
use super::limits::{HeadLimit, Stall};
use super::pace::{Outgoing, Paced};
use super::pool::{Upstream, Wire};

/// What the upstream said to an upgrade.
pub enum Upgrade<B: Outgoing> {
    /// 101: from here on, bytes.
    Switched(Response<()>, Tunnel),
    /// Any other answer, as to any other request.
    Answered(Response<ResponseBody<B>>),
}

/// The upstream's end of a tunnel.
pub struct Tunnel {
    io: Io,
    /// What came behind the 101 in the same read.
    early: Bytes,
}

impl Tunnel {
    /// Carries bytes both ways until both sides have ended; each end is passed on by itself (half-close).
    ///
    /// # Errors
    /// Either side broke off.
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

impl<B: Outgoing> Upstream<B> {
    /// Sends a request that asks to upgrade, on a connection of its own.
    ///
    /// # Errors
    /// As [`Upstream::send`]; also a 101 to another protocol than was asked for.
    pub async fn upgrade(&self, request: Request<B>) -> Result<Upgrade<B>, SendError> {
        let asked = request.headers().get(header::UPGRADE).cloned();
        let (mut sender, mut connection, relay) = self.handshake().await?;
        let limit = HeadLimit {
            start: Instant::now(),
            head: self.shared.head_timeout,
            stall: self.shared.stall_timeout,
            pace: None,
        };
        let mut alarm = None;
        let mut answer = pin!(sender.try_send_request(Paced::request(request)));
        let mut ended = false;
        let response = std::future::poll_fn(|cx| {
            ended = ended || connection.poll_without_shutdown(cx).is_ready();
            match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(
                    answer.map_err(|failed| SendError::from_exchange(failed.into_error())),
                ),
                Poll::Pending => limit.poll(&mut alarm, cx).map(Err),
            }
        })
        .await?;
        framing::check(&response, true)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let stall = Stall::new(Some(self.shared.stall_timeout), None);
            return Ok(Upgrade::Answered(response.map(|incoming| {
                let connection = (!ended).then(|| Box::pin(connection));
                let wire = Wire {
                    sender,
                    connection,
                    alarm,
                    relay,
                };
                ResponseBody::new(incoming, wire, Arc::clone(&self.shared), stall)
            })));
        }
        let given = response.headers().get(header::UPGRADE);
        let matches = asked
            .zip(given)
            .is_some_and(|(asked, given)| asked.as_bytes().eq_ignore_ascii_case(given.as_bytes()));
        if !matches {
            return Err(SendError::Switched);
        }
        if !ended {
            std::future::poll_fn(|cx| connection.poll_without_shutdown(cx))
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
