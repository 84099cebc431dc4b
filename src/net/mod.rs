//! Outbound connections: name resolution and TCP, CONNECT through the corporate proxy, and TLS. Also the TLS that a
//! listener speaks.
//!
//! The token endpoint and the upstream share this room: both trust the same certificate authorities, and both
//! report a failed TLS handshake by the one classification in [`TlsFailure`]. Nothing here knows HTTP beyond CONNECT.

mod ca_file;
mod certificate;
mod dial;
pub mod fuzzing;
mod host_port;
mod interim;
mod listener_tls;
mod named_server;
mod pinned;
mod probe;
mod socket_options;
mod system_store;
mod system_verifier;
mod tls;
mod tls_failure;
mod tls_words;
mod tunnel;

pub use ca_file::{CaFileError, read_ca_file};
pub use certificate::RejectedCertificate;
pub use dial::{DialError, dial, resolve};
pub use host_port::HostPort;
pub use interim::{InterimFilter, InterimFlood, WithoutInterim};
pub use listener_tls::{ListenerTls, listener_tls};
pub use probe::{AcceptedCertificate, TrustSource, tls_handshake};
pub use socket_options::{USER_TIMEOUT, set_user_timeout};
pub use system_store::{SystemStore, store_warnings, system_store};
pub use tls::{
    ClientTls, TlsSetupError, client_config, client_config_for, http1_connector, http2_connector,
    upstream_tls, with_client_certificate,
};
pub use tls_failure::TlsFailure;
pub use tls_words::client_fault_words;
pub use tunnel::{CorporateProxyError, connect_through};
