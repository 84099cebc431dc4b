//! The TLS of a configuration, read from the files that it names. Everything here blocks on the disk.

use super::generation::GenerationTls;
use crate::config::Config;
use crate::net::{self, TlsSetupError};

/// Reads the certificates for both sides. Sessions of clients are resumed from `previous` if they may be.
pub(super) fn read_tls(
    of_identity: &rustls::ClientConfig,
    config: &Config,
    previous: Option<&net::ListenerTls>,
) -> Result<GenerationTls, TlsSetupError> {
    Ok(GenerationTls {
        listener: read_listener_tls(config, previous)?,
        upstream: read_upstream_tls(of_identity, config)?,
    })
}

pub(super) fn read_listener_tls(
    config: &Config,
    previous: Option<&net::ListenerTls>,
) -> Result<Option<net::ListenerTls>, TlsSetupError> {
    let listener = config.tls.as_ref();
    let listener = listener.map(|tls| net::listener_tls(tls, previous));
    listener.transpose()
}

pub(super) fn read_upstream_tls(
    of_identity: &rustls::ClientConfig,
    config: &Config,
) -> Result<net::ClientTls, TlsSetupError> {
    net::upstream_tls(of_identity, &config.network, &config.upstream)
}
