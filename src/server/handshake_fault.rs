//! Why a TLS handshake has failed.

use std::io;

/// Why a TLS handshake has failed. A client that connects and sends nothing is no failure.
#[derive(Debug)]
pub enum HandshakeFault {
    /// It did not end within `limits.header_timeout`.
    Timeout,
    /// The server stopped.
    Stopped,
    /// The client closed the connection, or the system did.
    Closed(io::Error),
    /// What the client sent, or what it says about our certificate.
    Protocol(rustls::Error),
}

impl HandshakeFault {
    /// The error of a handshake, in which rustls's own is wrapped.
    pub(super) fn of(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(inner) => Self::Protocol(rustls::Error::clone(inner)),
            None => Self::Closed(error),
        }
    }
}
