//! The connections to the one upstream, and a single send over one of them.
//!
//! This room does not know about tokens or access control. A connection is driven inside the task of the request that
//! uses it, so dropping the request's future cancels the exchange. The room starts three kinds of tasks: the reaper of
//! idle connections, one for an upload whose response begins before the upload has ended, and one for each HTTP/2
//! connection, which requests share. There, dropping the request's future resets its stream.
//!
//! No peer can occupy the thread by always having more to send. What hyper reads until the socket has nothing left is
//! bounded: a head by hyper's buffer and `net::InterimFilter`, trailers and chunk extensions by hyper, and the frames
//! of a body by the task's budget, which each of them spends. Timers are polled even if that budget is spent.
//!
//! From the bottom: `known_words`, `field_limit`, `head_defect`, `errors`, `framing`; `idle_timeout_estimate`,
//! `waker`, `continue_gate`, `stream_slots`, `connection_tasks`, `upload_progress`, `limits`; `io`, `connector`,
//! `connection`, `pool`; `http2_form`, `shared_connection`, `http2_pool`; `response_body`, `exchange`,
//! `stream_exchange`, `send`, `negotiated_send`, `upgrade`.

mod connection;
mod connection_tasks;
mod connector;
mod continue_gate;
mod errors;
mod exchange;
mod field_limit;
mod framing;
mod head_defect;
mod http2_form;
mod http2_pool;
mod idle_timeout_estimate;
mod io;
mod known_words;
mod limits;
mod negotiated_send;
mod pool;
mod response_body;
mod send;
mod shared_connection;
mod stream_exchange;
mod stream_slots;
#[cfg(test)]
mod test_config;
mod upgrade;
mod upload_progress;
mod waker;

pub use errors::{BodyError, ConnectError, SendError};
pub use head_defect::HeadDefect;
pub use response_body::ResponseBody;
pub use send::{RequestRenewal, Upstream, WithoutRenewal};
pub use upgrade::{Tunnel, Upgrade};
pub use upload_progress::OutgoingBody;
