//! Upgrades: which are passed on, and the tunnel that one becomes.

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::admission::Permit;
use super::headers::Head;
use crate::upstream::Tunnel;

/// Runs a tunnel beside the connections of the server, so that stopping knows about it.
pub type CarryTunnel = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// The one protocol that this request asks to switch to. `h2c` is ignored: Java's client asks for it on
/// every request, and behind it a second protocol would pass unseen.
pub(super) fn wanted(head: &Head) -> Option<&HeaderValue> {
    head.on_upgrade.as_ref()?;
    let protocol = head.headers.get(header::UPGRADE)?;
    let bytes = protocol.as_bytes();
    let one = head.is_whole && !bytes.is_empty() && !bytes.contains(&b',');
    let mut lines = head.headers.get_all(header::UPGRADE).iter();
    (one && lines.nth(1).is_none() && !bytes.eq_ignore_ascii_case(b"h2c")).then_some(protocol)
}

/// Adds what was taken away as hop-by-hop, since this hop passes it on.
pub(super) fn ask<B>(request: &mut Request<B>, protocol: &HeaderValue) {
    mark(request.headers_mut(), protocol.clone());
}

/// The 101 for the client, in the protocol's own words.
pub(super) fn answer(response: &mut Response<()>, protocol: &HeaderValue) {
    mark(response.headers_mut(), protocol.clone());
}

/// Whatever the client has sent behind its request may be in the other protocol: it is read no further.
pub(super) fn refuse<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn mark(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Splices once the client's side has switched too; holds the permit to the end.
pub(super) async fn carry(client: OnUpgrade, tunnel: Tunnel, permit: Permit) {
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
