//! The certificate that a client has presented: its names, and how long it is valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::CertificateName;
use crate::credentials::{CertificateNames, chain_end};

/// How often the clock is looked at while a certificate is valid. It may step, or stand still while the machine sleeps.
const CLOCK_INTERVAL: Duration = Duration::from_secs(5);

/// The certificate of a client, which the TLS handshake has verified.
#[derive(Debug)]
pub struct PeerCertificate {
    names: CertificateNames,
    ends: SystemTime,
    /// Becomes true when its authorities are no longer trusted.
    is_withdrawn: watch::Receiver<bool>,
}

impl PeerCertificate {
    /// The certificate at the beginning of the chain that a client has presented, which leads to one of these
    /// authorities.
    #[must_use]
    pub fn new(
        chain: &[CertificateDer<'_>],
        authorities: &[CertificateDer<'_>],
        is_withdrawn: watch::Receiver<bool>,
    ) -> Option<Self> {
        Some(Self {
            names: CertificateNames::of(chain.first()?),
            ends: UNIX_EPOCH + chain_end(chain, authorities)?,
            is_withdrawn,
        })
    }

    /// When it expires, or the first of those that lead to its authority.
    #[must_use]
    pub const fn ends(&self) -> SystemTime {
        self.ends
    }

    /// Whether it still counts.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !*self.is_withdrawn.borrow() && self.has_not_expired()
    }

    fn has_not_expired(&self) -> bool {
        SystemTime::now() < self.ends
    }

    /// Whether it names this caller. The common name does not matter.
    pub(super) fn has(&self, name: &CertificateName) -> bool {
        match name {
            CertificateName::Uri(uri) => self.names.has_uri(uri),
            CertificateName::Dns(name) => self.names.has_dns(name.as_ref()),
            CertificateName::Ip(address) => self.names.has_address(*address),
        }
    }

    /// Returns once it no longer counts.
    pub(super) async fn ended(&self) {
        let mut is_withdrawn = self.is_withdrawn.clone();
        while self.is_valid() {
            let left = self
                .ends
                .duration_since(SystemTime::now())
                .unwrap_or_default();
            tokio::select! {
                withdrawn = is_withdrawn.wait_for(|is_withdrawn| *is_withdrawn) => {
                    if withdrawn.is_err() {
                        return; // the listener is gone
                    }
                }
                () = sleep(left.min(CLOCK_INTERVAL)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
