//! Upgrades: which ones are forwarded, and the tunnel that replaces the two connections.

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::hop_by_hop::NominatedFields;
use super::in_flight_limit::Permit;
use super::request_body::UpstreamRequestBody;
use super::request_head::RequestHead;
use crate::guard::{Lease, is_upgrade_to_http};
use crate::metrics::Metrics;
use crate::token::Session;
use crate::upstream::{Tunnel, Upgrade};

/// Runs a tunnel beside the connections of the server, so that a shutdown includes it.
pub type CarryTunnel = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// A client's request to switch to another protocol, and its side of the connection.
pub(super) struct ClientUpgrade {
    protocol: HeaderValue,
    client: OnUpgrade,
    lease: Option<Lease>,
    /// The session of the person whose token the tunnel is opened with.
    pub(super) session: Option<Session>,
}

impl ClientUpgrade {
    /// The upgrade to the one protocol that this request asks for. One to HTTP itself is ignored: Java's client asks
    /// for `h2c` with every request, and inside it requests would pass unchecked. So is one that `Connection` does not
    /// name (RFC 9110 section 7.8): whoever passed it on may share the connection with others.
    pub(super) fn requested_by(head: &mut RequestHead) -> Option<Self> {
        let client = head.on_upgrade.take()?;
        let mut lines = head.headers.get_all(header::UPGRADE).iter();
        let protocol = lines.next()?.clone();
        let bytes = protocol.as_bytes();
        let is_one = lines.next().is_none() && !bytes.is_empty() && !bytes.contains(&b',');
        let is_named = || NominatedFields::of(&head.headers).contains(&header::UPGRADE);
        let is_forwarded = is_one && head.has_no_body && !is_upgrade_to_http(bytes) && is_named();
        let lease = head.lease.take();
        is_forwarded.then_some(Self {
            protocol,
            client,
            lease,
            session: None,
        })
    }

    /// Restores the hop-by-hop fields of the upgrade, since this hop forwards it. `TE` is one too.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        let nominated = if headers.contains_key(header::TE) {
            "upgrade, te"
        } else {
            "upgrade"
        };
        headers.insert(header::CONNECTION, HeaderValue::from_static(nominated));
        headers.insert(header::UPGRADE, self.protocol.clone());
    }

    /// Forwards bytes in both directions until both sides have ended, or until the caller's key is revoked
    /// or the person signs out whose token it was opened with.
    pub(super) async fn run_tunnel(self, tunnel: Tunnel, permit: Permit, metrics: Arc<Metrics>) {
        drop(self.protocol); // it is a slice of the buffer that hyper read the head into
        let splicing = splice(self.client, tunnel, permit);
        if self.lease.is_none() && self.session.is_none() {
            return splicing.await;
        }
        let revoked = async move {
            match self.lease {
                Some(lease) => lease.revoked().await,
                None => std::future::pending().await,
            }
        };
        let signed_out = async move {
            match self.session {
                Some(session) => session.ended().await,
                None => std::future::pending().await,
            }
        };
        let proxy = metrics.proxy();
        tokio::select! {
            () = splicing => {}
            () = revoked => {
                tracing::info!(proxy, "tunnel closed because what identified its caller is no longer valid");
            }
            () = signed_out => {
                tracing::info!(proxy, "tunnel closed because its person has signed out");
            }
        }
    }
}

/// Splices the two connections once the client's side has switched, and holds the permit to the end.
async fn splice(client: OnUpgrade, tunnel: Tunnel, permit: Permit) {
    let ended = match client.await {
        Ok(client) => tunnel.splice(TokioIo::new(client)).await,
        Err(error) => Err(std::io::Error::other(error)),
    };
    match ended {
        Ok(()) => tracing::debug!("tunnel ended"),
        Err(error) => tracing::debug!(%error, "tunnel aborted"),
    }
    drop(permit);
}

/// The head of the upstream's response, if that is a 401.
pub(super) fn unauthorized(outcome: &Upgrade<UpstreamRequestBody>) -> Option<&HeaderMap> {
    match outcome {
        Upgrade::Answered(response) if response.status() == StatusCode::UNAUTHORIZED => {
            Some(response.headers())
        }
        Upgrade::Answered(_) | Upgrade::Switched(..) => None,
    }
}
