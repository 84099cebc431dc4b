//! The one API that requests go to: connections to it, and one send over one of them.
//!
//! Knows no token and no guard. A connection that carries a request is driven inside that request's own
//! task, so that dropping the exchange is what cancels it. Tasks of its own: the keeper that closes idle
//! connections, the addresses tried beside each other, and an upload whose answer has begun before its end.

mod body;
mod connector;
mod errors;
mod exchange;
mod framing;
mod gate;
mod io;
mod limits;
mod pace;
mod patience;
mod pool;
mod relay;
mod upgrade;

pub use body::ResponseBody;
pub use errors::{BodyError, ConnectError, SendError};
pub use pace::Outgoing;
pub use pool::Upstream;
pub use upgrade::{Tunnel, Upgrade};
