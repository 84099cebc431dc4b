//! The responses that cupbearer generates itself: the table of reasons, problem details, the small HTML page, and the
//! form for gRPC clients.
//!
//! A caller tells our 503 from the API's by `Proxy-Status`. A `detail` says what to do next, such as which key to
//! set, and never shows the internals of the process.

mod escape;
mod format;
mod grpc;
mod markdown;
mod page;
mod plain;
mod reason;
mod request_id;
mod response;
mod sign_in_links;

pub(crate) use escape::escape_html;
pub use format::ProblemFormat;
pub use grpc::GrpcStatus;
pub use markdown::markdown_table;
pub(crate) use page::protect as protect_page;
pub use reason::Reason;
pub use request_id::{RequestId, X_REQUEST_ID};
pub(crate) use response::PROXY_STATUS;
pub use response::ProblemResponse;
pub use sign_in_links::SignInLinks;

#[cfg(test)]
mod tests;
