//! What a server calls to respond to requests. Any `tower` service of the right types will do.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use super::request_body::RequestBody;

/// A body that can be sent as a response.
pub trait SendableBody:
    Body<Data = Bytes, Error: Into<BoxedBodyError> + Send> + Send + 'static
{
}

impl<B: Body<Data = Bytes, Error: Into<BoxedBodyError> + Send> + Send + 'static> SendableBody
    for B
{
}

/// Any error of a response body, in the form that hyper takes.
type BoxedBodyError = Box<dyn std::error::Error + Send + Sync>;

/// A service that responds to requests. Each connection gets its own.
pub trait HttpService:
    tower::Service<
        Request<RequestBody>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type Body: SendableBody;
}

impl<S, B> HttpService for S
where
    S: tower::Service<
            Request<RequestBody>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static,
    B: SendableBody,
{
    type Body = B;
}
