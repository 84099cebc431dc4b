//! The one API that requests go to: connections to it, and one send over one of them.
//!
//! Knows no token and no guard. Starts no task of its own but the keeper that closes idle
//! connections; a connection that carries a request is driven inside that request's own task, so
//! that dropping the exchange is what cancels it.

mod body;
mod connect;
mod errors;
mod framing;
mod io;
mod limits;
mod pace;
mod pool;
mod tls;

pub use body::{BodyError, ResponseBody};
pub use errors::{ConnectError, SendError};
pub use pace::Outgoing;
pub use pool::Upstream;
pub use tls::{TlsError, client_config};
