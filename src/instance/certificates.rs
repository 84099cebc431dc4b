//! Follows until when the certificates are valid that a proxy presents: sets the metric, and warns two weeks before the
//! end.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep};

use super::live_config::LiveConfig;
use crate::admin::ExpiringCertificate;
use crate::credentials::{EXPIRY_NOTICE, PresentedTo};
use crate::metrics::Metrics;

/// How often the certificates are looked at.
const INTERVAL: Duration = Duration::from_secs(30);

/// How often the same warning is logged.
const WARNING_INTERVAL: Duration = Duration::from_hours(24);

/// Follows the certificates for as long as the proxy runs. `proxy` is the name to log.
pub(super) async fn follow(
    live_config: Weak<LiveConfig>,
    metrics: Arc<Metrics>,
    proxy: String,
) -> Infallible {
    let mut logged: Option<(usize, Instant)> = None;
    loop {
        if let Some(live) = live_config.upgrade() {
            let expiring = look(&live, &metrics).await;
            let is_known = logged.is_some_and(|(known, at)| {
                // The text changes every day.
                known == expiring.len() && at.elapsed() < WARNING_INTERVAL
            });
            if !is_known {
                for certificate in &expiring {
                    tracing::warn!(proxy, "{}", certificate.warning);
                }
                logged = Some((expiring.len(), Instant::now()));
            }
            live.notes().set_expiring(expiring);
        }
        wait(&live_config).await;
    }
}

/// Sets the metrics, and returns the certificates that expire soon.
async fn look(live: &LiveConfig, metrics: &Metrics) -> Vec<ExpiringCertificate> {
    let mut expiring = Vec::new();
    let presented = live.certificates();
    for to in [
        PresentedTo::Clients,
        PresentedTo::Upstream,
        PresentedTo::TokenEndpoint,
    ] {
        let found = presented.iter().find(|one| one.files.to == to);
        let not_after = match found {
            Some(found) => found.not_after().await,
            None => None,
        };
        metrics.certificate_expires(to.metric_label(), not_after);
        expiring.extend(found.zip(not_after).and_then(|(found, not_after)| {
            let (name, consequence) = words(to);
            let expires = UNIX_EPOCH.checked_add(not_after)?;
            Some(ExpiringCertificate {
                name,
                consequence,
                expires,
                near_since: expires.checked_sub(EXPIRY_NOTICE)?,
                warning: found.files.expiry_warning(not_after, SystemTime::now())?,
            })
        }));
    }
    expiring
}

/// What a certificate is, and what happens once it has expired.
const fn words(to: PresentedTo) -> (&'static str, &'static str) {
    match to {
        PresentedTo::Clients => ("The certificate of this proxy", "clients reject it"),
        PresentedTo::Upstream => ("The client certificate for the API", "the API rejects it"),
        PresentedTo::TokenEndpoint => (
            "The client certificate for the token endpoint",
            "the token endpoint rejects it",
        ),
    }
}

/// Waits until the generation is replaced, or for the interval.
async fn wait(live_config: &Weak<LiveConfig>) {
    let Some(mut replacements) = live_config.upgrade().map(|live| live.replacements()) else {
        return sleep(INTERVAL).await;
    };
    tokio::select! {
        _ = replacements.changed() => {}
        () = sleep(INTERVAL) => {}
    }
}
