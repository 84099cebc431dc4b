//! The listener to which the browser returns. It serves one sign-in, for at most five minutes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use super::outcome::{LoginOutcome, settle};
use super::visit::LoginVisits;
use crate::config::LoginConfig;
use crate::guard::Peer;
use crate::metrics::Metrics;
use crate::server::{
    self, BindError, BoundListeners, ConnectionLimits, DrainPhase, RequestBody, Server, StopSignal,
};

/// How long a person may take.
pub(super) const LIFETIME: Duration = Duration::from_mins(5);

/// How long the browser may take to fetch the last page.
const LAST_PAGE: Duration = Duration::from_secs(3);

/// A browser opens a few connections, and another program may open some.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 32,
    header_bytes: 32 << 10, // a code may be long
    streams: 0,
    header_timeout: Duration::from_secs(5),
    keep_alive: Duration::from_secs(5),
    stall_timeout: Duration::from_secs(10),
    head_grace: Duration::from_millis(10),
    unread_gives_way: Some(Duration::from_millis(50)),
};

/// Listens at the address of `token.redirect_url`.
///
/// # Errors
/// Another program listens there.
pub(super) fn bind(config: &LoginConfig) -> Result<BoundListeners, BindError> {
    let mut bound = server::bind(&config.redirect_listen())?;
    // Where the system does not tell users apart, the cookie and the state must do.
    let _ = bound.identify_peers();
    Ok(bound)
}

/// Serves until the sign-in has ended, or `stop` ends it. `outcome` is what `visits` report.
pub(super) async fn serve(
    bound: BoundListeners,
    visits: LoginVisits,
    outcome: watch::Sender<LoginOutcome>,
    stop: watch::Sender<DrainPhase>,
    stop_signal: StopSignal,
) {
    let (proxy, deadline) = (visits.proxy().map(str::to_owned), visits.deadline());
    let server = Server::new(bound, LIMITS, Metrics::new(None));
    let visits = Arc::new(visits);
    let service = move |peer: Peer| {
        let visits = Arc::clone(&visits);
        tower::service_fn(move |request: Request<RequestBody>| {
            let (visits, peer) = (Arc::clone(&visits), peer.clone());
            async move { Ok::<_, Infallible>(visits.respond(request, &peer).await) }
        })
    };
    let ending = async {
        let mut changes = outcome.subscribe();
        let ended = changes.wait_for(|outcome| !outcome.is_open());
        if timeout_at(deadline, ended).await.is_err() {
            settle(&outcome, LoginOutcome::Expired);
            tracing::warn!(proxy, "nobody has signed in within 5 minutes");
        } else {
            sleep(LAST_PAGE).await;
        }
        stop.send_if_modified(|phase| {
            let is_ahead = *phase < DrainPhase::Draining;
            if is_ahead {
                *phase = DrainPhase::Draining;
            }
            is_ahead
        });
        std::future::pending::<()>().await;
    };
    let serving = server.serve(service, stop_signal, || Duration::from_secs(1));
    tokio::select! {
        _ = serving => {}
        () = ending => {}
    }
}
