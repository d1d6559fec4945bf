//! Bodies in and out: bounded in size, time and memory, decoded strictly.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use minicbor::{Decode, Encode};
use selkie_wire::cbor;
use selkie_wire::relay::MEDIA_TYPE;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::app::App;
use crate::limits::DRAIN_BYTES_MAX;
use crate::problem::Problem;

/// A whole body, and the permits for the memory it takes.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    /// Given back when the body is dropped.
    _held: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// Decodes the one message the body must be.
    pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(&self) -> Result<T, Problem> {
        cbor::decode(&self.bytes).map_err(Problem::bad_body)
    }

    /// Decodes a large message and lets its bytes go: the permits count for the message then.
    pub(crate) fn take<T: for<'b> Decode<'b, ()>>(&mut self) -> Result<T, Problem> {
        let message = self.decode();
        self.bytes = Vec::new();
        message
    }
}

/// Reads a body of at most `bytes_max`; memory is taken only for what has arrived.
pub(crate) async fn read(app: &App, mut body: Body, bytes_max: usize) -> Result<Received, Problem> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(refuse(app, body, Problem::too_large(bytes_max)).await);
    }
    let deadline = Instant::now() + app.config.timeouts.body;
    let mut received = Received { bytes: Vec::new(), _held: None };
    while let Some(data) = next(app, &mut body, deadline).await? {
        if received.bytes.len() + data.len() > bytes_max {
            return Err(refuse(app, body, Problem::too_large(bytes_max)).await);
        }
        let held = u32::try_from(data.len())
            .ok()
            .and_then(|bytes| Arc::clone(&app.body_bytes).try_acquire_many_owned(bytes).ok());
        let Some(held) = held else { return Err(refuse(app, body, Problem::busy()).await) };
        match &mut received._held {
            Some(all) => all.merge(held),
            none => *none = Some(held),
        }
        received.bytes.extend_from_slice(&data);
    }
    Ok(received)
}

/// Reads a body that is not wanted and drops it, within limits: a client that is still sending
/// would otherwise see a broken connection instead of the reason.
pub(crate) async fn refuse(app: &App, mut body: Body, problem: Problem) -> Problem {
    let deadline = Instant::now() + app.config.timeouts.body_idle;
    let mut drained = 0;
    if body.size_hint().lower() > DRAIN_BYTES_MAX as u64 {
        return problem;
    }
    while let Ok(Some(data)) = next(app, &mut body, deadline).await {
        drained += data.len();
        if drained > DRAIN_BYTES_MAX {
            break;
        }
    }
    problem
}

async fn next(app: &App, body: &mut Body, deadline: Instant) -> Result<Option<Bytes>, Problem> {
    let frame = timeout(app.config.timeouts.body_idle, timeout_at(deadline, body.frame()));
    match frame.await {
        Ok(Ok(None)) => Ok(None),
        // Trailers carry nothing here.
        Ok(Ok(Some(Ok(frame)))) => Ok(Some(frame.into_data().unwrap_or_default())),
        Ok(Ok(Some(Err(_)))) => Err(Problem::incomplete_body()),
        Ok(Err(_)) | Err(_) => Err(Problem::timeout()),
    }
}

/// A good answer.
pub(crate) struct Answer {
    status: StatusCode,
    media_type: &'static str,
    bytes: Vec<u8>,
    held: Option<OwnedSemaphorePermit>,
}

impl Answer {
    /// A message, with status 200.
    pub(crate) fn of<T: Encode<()>>(message: &T) -> Self {
        let bytes = cbor::encode(message);
        Self { status: StatusCode::OK, media_type: MEDIA_TYPE, bytes, held: None }
    }

    /// Bytes the relay does not read.
    pub(crate) fn opaque(bytes: Vec<u8>) -> Self {
        let media_type = "application/octet-stream";
        Self { status: StatusCode::OK, media_type, bytes, held: None }
    }

    /// Nothing but a status.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, ..Self::opaque(Vec::new()) }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Keeps permits until the client has taken the answer, or is cut off.
    pub(crate) fn holding(self, held: OwnedSemaphorePermit) -> Self {
        Self { held: Some(held), ..self }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = Held { bytes: Some(Bytes::from(self.bytes)), _held: self.held };
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// A body in one piece that holds its permits until it is dropped.
struct Held {
    bytes: Option<Bytes>,
    _held: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = core::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.bytes.take().filter(|bytes| !bytes.is_empty()).map(|b| Ok(Frame::data(b))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
