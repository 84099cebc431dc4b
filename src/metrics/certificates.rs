//! Until when the certificates are valid that this process presents.

use std::time::Duration;

use prometheus::IntGaugeVec;

use super::registrar::Registrar;

/// What certificates are used for.
pub(super) const USES: [&str; 3] = ["listener", "upstream", "token"];

pub(super) struct CertificateMetrics(IntGaugeVec);

impl CertificateMetrics {
    pub(super) fn new(register: &Registrar<'_>) -> Self {
        Self(register.gauges(
            "cupbearer_certificate_expires_at_seconds",
            "When a certificate that is presented, or one of its chain, expires, in Unix time: to clients (listener), to \
             the API (upstream) or to the token endpoint (token). Absent without such a certificate.",
            &["use"],
        ))
    }

    /// `expires` is since 1970; without it there is no such certificate.
    pub(super) fn set(&self, usage: &'static str, expires: Option<Duration>) {
        match expires.map(|expires| i64::try_from(expires.as_secs()).unwrap_or(i64::MAX)) {
            Some(expires) => self.0.with_label_values(&[usage]).set(expires),
            None => drop(self.0.remove_label_values(&[usage])),
        }
    }
}
