//! The connections to the one upstream, and a single send over one of them.
//!
//! This room does not know about tokens or access control. A connection is driven inside the task of the request that
//! uses it, so dropping the request's future cancels the exchange. The room starts two kinds of tasks: the reaper of
//! idle connections, and one for an upload whose response begins before the upload has ended.
//!
//! No peer can occupy the thread by always having more to send. What hyper reads until the socket has nothing left is
//! bounded: a head by hyper's buffer and `net::InterimFilter`, trailers and chunk extensions by hyper, and the frames
//! of a body by the task's budget, which each of them spends. Timers are polled even if that budget is spent.
//!
//! From the bottom: `known_words`, `field_limit`, `head_defect`, `errors`, `framing`; `idle_timeout_estimate`,
//! `waker`, `continue_gate`, `upload_progress`, `limits`; `io`, `connector`, `connection`, `pool`; `response_body`,
//! `exchange`, `send`, `upgrade`.

mod connection;
mod connector;
mod continue_gate;
mod errors;
mod exchange;
mod field_limit;
mod framing;
mod head_defect;
mod idle_timeout_estimate;
mod io;
mod known_words;
mod limits;
mod pool;
mod response_body;
mod send;
mod upgrade;
mod upload_progress;
mod waker;

pub use errors::{BodyError, ConnectError, SendError};
pub use head_defect::HeadDefect;
pub use response_body::ResponseBody;
pub use send::{RequestRenewal, Upstream, WithoutRenewal};
pub use upgrade::{Tunnel, Upgrade};
pub use upload_progress::OutgoingBody;
