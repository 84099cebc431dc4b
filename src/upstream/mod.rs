//! The connections to the one upstream, and a single send over one of them.
//!
//! This room does not know about tokens or access control. A connection is driven inside the task of the request that
//! uses it, so dropping the request's future cancels the exchange. The room starts two kinds of tasks: the reaper of
//! idle connections, and one for an upload whose response begins before the upload has ended.
//!
//! From the bottom: `errors`, `framing`; `idle_timeout`, `waker`, `continue_gate`, `upload_progress`, `limits`;
//! `io`, `connector`, `connection`, `pool`; `response_body`, `exchange`, `send`, `upgrade`.

mod connection;
mod connector;
mod continue_gate;
mod errors;
mod exchange;
mod framing;
mod idle_timeout;
mod io;
mod limits;
mod pool;
mod response_body;
mod send;
mod upgrade;
mod upload_progress;
mod waker;

pub use errors::{BodyError, ConnectError, SendError};
pub use response_body::ResponseBody;
pub use send::Upstream;
pub use upgrade::{Tunnel, Upgrade};
pub use upload_progress::OutgoingBody;
