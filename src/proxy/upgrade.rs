//! Upgrades: which are passed on, and the tunnel that one becomes.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::Proxy;
use super::admission::Permit;
use super::authorize::{self, Sent};
use super::body::{Body, Inbound, Outbound};
use super::errors::{self, ForwardError};
use super::headers::{self, Head};
use super::replay::Frozen;
use crate::guard::Lease;
use crate::metrics::Metrics;
use crate::token::Bearer;
use crate::upstream::{OutgoingBody, SendError, Tunnel, Upgrade};

/// Runs a tunnel beside the connections of the server, so that stopping knows about it.
pub type CarryTunnel = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// A request to switch protocols, and the client's side of it.
pub(super) struct Switch {
    protocol: HeaderValue,
    client: OnUpgrade,
    lease: Option<Lease>,
}

impl Switch {
    /// To the one protocol that this request asks for. `h2c` is ignored: Java's client asks for it on
    /// every request, and behind it a second protocol would pass unseen.
    pub(super) fn wanted_by(head: &mut Head) -> Option<Self> {
        let client = head.on_upgrade.take()?;
        let mut lines = head.headers.get_all(header::UPGRADE).iter();
        let protocol = lines.next()?.clone();
        let bytes = protocol.as_bytes();
        let one = lines.next().is_none() && !bytes.is_empty() && !bytes.contains(&b',');
        let passes = one && head.is_whole && !bytes.eq_ignore_ascii_case(b"h2c");
        let lease = head.lease.take();
        passes.then_some(Self {
            protocol,
            client,
            lease,
        })
    }

    /// Adds what was taken away as hop-by-hop, since this hop passes it on.
    fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, self.protocol.clone());
    }
}

impl<I: Inbound> Proxy<I> {
    /// A 101 becomes a tunnel, anything else is an answer like any other.
    pub(super) async fn upgrade(
        &self,
        head: &Head,
        switch: Switch,
        mut bearer: Bearer,
        permit: Permit,
    ) -> Result<Response<Body<I>>, ForwardError> {
        let mut upgraded = self.ask(head, &switch, &bearer).await?;
        let mut sent = Sent::once(&bearer);
        if matches!(&upgraded, Upgrade::Answered(response) if authorize::is_rejected(response)) {
            match authorize::once_more(&self.tokens, &bearer, Frozen::<I>::Empty).await {
                Ok((newer, _)) => {
                    bearer = newer;
                    upgraded = self.ask(head, &switch, &bearer).await?;
                    sent = Sent::twice(&bearer);
                    self.tokens.replayed(!is_unauthorized(&upgraded));
                }
                Err(why) => sent = Sent::not_replayed(&bearer, why),
            }
        }
        match upgraded {
            Upgrade::Switched(mut response, tunnel) => {
                headers::strip_response(response.headers_mut());
                switch.mark(response.headers_mut());
                let carried = carry(switch.client, tunnel, permit);
                let metrics = Arc::clone(&self.metrics);
                (self.carry_tunnel)(Box::pin(until_revoked(carried, switch.lease, metrics)));
                let mut response = response.map(|()| Body::ours(Bytes::new()));
                response.body_mut().set_sent(sent);
                Ok(response)
            }
            Upgrade::Answered(mut response) => {
                headers::strip_response(response.headers_mut());
                errors::note_not_replayed(sent, response.headers_mut());
                self.rewrite.fields(head, response.headers_mut());
                let mut response = Body::upstream(response, permit);
                response.body_mut().set_sent(sent);
                Ok(response)
            }
        }
    }

    async fn ask(
        &self,
        head: &Head,
        switch: &Switch,
        bearer: &Bearer,
    ) -> Result<Upgrade<Outbound<I>>, SendError> {
        let mut request = self.outgoing.request(head, bearer, Outbound::Empty);
        switch.mark(request.headers_mut());
        self.upstream.upgrade(request).await
    }
}

fn is_unauthorized<B: OutgoingBody>(upgraded: &Upgrade<B>) -> bool {
    match upgraded {
        Upgrade::Switched(..) => false,
        Upgrade::Answered(response) => response.status() == StatusCode::UNAUTHORIZED,
    }
}

/// What passes in a tunnel is its caller's doing to the end.
async fn until_revoked(
    carried: impl Future<Output = ()>,
    lease: Option<Lease>,
    metrics: Arc<Metrics>,
) {
    let Some(lease) = lease else {
        return carried.await;
    };
    tokio::select! {
        () = carried => {}
        () = lease.revoked() => tracing::info!(
            proxy = metrics.proxy(),
            "tunnel cut: its caller's key was revoked"
        ),
    }
}

/// Splices once the client's side has switched too; holds the permit to the end.
async fn carry(client: OnUpgrade, tunnel: Tunnel, permit: Permit) {
    let ended = match client.await {
        Ok(client) => tunnel.splice(TokioIo::new(client)).await,
        Err(error) => Err(std::io::Error::other(error)),
    };
    match ended {
        Ok(()) => tracing::debug!("tunnel ended"),
        Err(error) => tracing::debug!(%error, "tunnel broke off"),
    }
    drop(permit);
}
