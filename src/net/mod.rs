//! Outbound connections: name resolution and TCP, CONNECT through the corporate proxy, and TLS.
//!
//! The token endpoint and the upstream share this room: both trust the same certificate authorities, and both
//! report a failed TLS handshake by the one classification in [`TlsFailure`]. Nothing here knows HTTP beyond CONNECT.

mod certificate;
mod dial;
mod host_port;
mod probe;
mod socket_options;
mod tls;
mod tls_failure;
mod tunnel;

pub use certificate::RejectedCertificate;
pub use dial::{DialError, dial, resolve};
pub use host_port::HostPort;
pub use probe::{AcceptedCertificate, TrustSource, tls_handshake};
pub use socket_options::{USER_TIMEOUT, set_user_timeout};
pub use tls::{TlsSetupError, client_config, http1_connector, with_client_certificate};
pub use tls_failure::TlsFailure;
pub use tunnel::{CorporateProxyError, connect_through};
