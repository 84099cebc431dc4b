//! The one API that requests go to: connections to it, and one send over one of them.
//!
//! Knows no token and no guard. A connection that carries a request is driven inside that request's own
//! task, so that dropping the exchange is what cancels it. Tasks of its own: the keeper that closes idle
//! connections, the addresses tried beside each other, and an upload whose answer has begun before its end.

mod body;
mod certificate;
mod connect;
mod dial;
mod errors;
mod exchange;
mod framing;
mod gate;
mod handshake;
mod io;
mod limits;
mod pace;
mod patience;
mod pool;
mod probe;
mod relay;
mod tls;
mod tunnel;
mod upgrade;

pub use body::{BodyError, ResponseBody};
pub use certificate::CertificateRefused;
pub use errors::{ConnectError, SendError};
pub use handshake::HandshakeError;
pub use pace::Outgoing;
pub use pool::Upstream;
pub use probe::{Authority, Target, Vouched};
pub use tls::{TlsError, client_config, with_client_certificate};
pub use tunnel::ProxyError;
pub use upgrade::{Tunnel, Upgrade};
