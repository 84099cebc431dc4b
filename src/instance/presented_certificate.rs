//! A certificate that a proxy presents, and until when it is valid.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;

use super::generation::GenerationTls;
use crate::config::Config;
use crate::credentials::{CertificateFiles, not_after};

/// A certificate that the live generation presents.
pub(super) struct PresentedCertificate {
    pub(super) files: CertificateFiles,
    /// The end of its validity, since 1970; `None` if it is read anew each time that it is used.
    not_after: Option<Duration>,
}

impl PresentedCertificate {
    pub(super) fn all_of(config: &Config, tls: &GenerationTls) -> Vec<Self> {
        let listener = config.tls.as_ref().map(|tls| &tls.certificate);
        let of_listener = tls.listener.as_ref().and_then(|tls| tls.not_after);
        let grant = config.token.grant();
        let of_token = grant.and_then(|grant| grant.certificate.as_ref());
        [
            (listener, of_listener),
            (
                config.upstream.client_certificate.as_ref(),
                tls.upstream.not_after,
            ),
            (of_token, None),
        ]
        .into_iter()
        .filter_map(|(files, not_after)| {
            let files = files?.clone();
            Some(Self { files, not_after })
        })
        .collect()
    }

    pub(super) async fn not_after(&self) -> Option<Duration> {
        if self.not_after.is_some() {
            return self.not_after;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = self.files.read_in_background(provider).await.ok()?;
        not_after(&pair.cert)
    }
}
