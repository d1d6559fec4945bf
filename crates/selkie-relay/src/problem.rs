//! Errors as the client sees them (RFC 9457): a stable code for programs, a title for people, and a
//! detail that says what to do. None names a vault, a device or a digest.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use selkie_wire::relay::{PROBLEM_MEDIA_TYPE, problem_code as code};

use crate::limits::{RETRY_AFTER_BUSY_SECONDS, RETRY_AFTER_FULL_SECONDS};

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code, title, detail: detail.into(), retry_after_seconds: None }
    }

    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// One answer for every reason, so that a foreign vault looks like an absent one.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            code::UNAUTHORIZED,
            "No valid token for this vault",
            "Ask for a challenge, sign it with the auth key of a device that belongs to the vault, \
             and send the token. A vault that does not exist gives this answer too.",
        )
    }

    pub(crate) fn origin_mismatch() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            code::ORIGIN_MISMATCH,
            "The signed origin is not this relay's",
            "Sign the origin of the address you connect to, as scheme://host or \
             scheme://host:port. Behind a proxy, the operator must configure the public origin.",
        )
    }

    pub(crate) fn bad_body(reason: impl core::fmt::Display) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            code::BAD_BODY,
            "The request body cannot be read",
            format!("The body {reason}. Send the deterministic CBOR of docs/PROTOCOL.md."),
        )
    }

    pub(crate) fn incomplete_body() -> Self {
        Self::bad_body("ends before its length says")
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            code::TOO_LARGE,
            "The request body is too large",
            format!("Send at most {bytes_max} bytes; split what you send into several requests."),
        )
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            code::TIMEOUT,
            "The request came too slowly",
            "Send less in one request, or try again on a better connection.",
        )
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            code::NOT_FOUND,
            "Nothing is here",
            "Check the path. In a mailbox: the message is not there yet, or has expired.",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            code::METHOD_NOT_ALLOWED,
            "This path does not take this method",
            "See docs/PROTOCOL.md for the methods of each path.",
        )
    }

    pub(crate) fn slot_taken() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            code::FORK,
            "Another message is in this slot",
            "Someone else used this pairing code. Begin again with a new one.",
        )
    }

    pub(crate) fn roster_fork() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            code::FORK,
            "The roster has two histories",
            "The relay holds other entries under these numbers. Fetch its roster, and make your \
             change again as an entry that follows it.",
        )
    }

    pub(crate) fn roster_gap() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            code::GAP,
            "Roster entries are missing",
            "Fetch the roster, and send the entries that follow its last one.",
        )
    }

    pub(crate) fn roster_refused(reason: impl core::fmt::Display) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code::ROSTER_REFUSED,
            "The roster does not verify",
            format!("Nothing was stored: {reason}."),
        )
    }

    pub(crate) fn roster_quota() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            code::QUOTA,
            "The vault's room is used up",
            "The relay stores no more roster entries for this vault. Ask its operator for room.",
        )
    }

    pub(crate) fn relay_full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            code::QUOTA,
            "The relay takes no more vaults",
            "Use another relay, or ask the operator for room.",
        )
    }

    pub(crate) fn mailboxes_full() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code::BUSY,
            "Too many pairings are under way",
            "Try again in a minute.",
        )
        .retry_after(RETRY_AFTER_FULL_SECONDS)
    }

    pub(crate) fn rate_limited() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            code::RATE_LIMITED,
            "Too many vaults were made in a short time",
            "Try again in a minute.",
        )
        .retry_after(RETRY_AFTER_FULL_SECONDS)
    }

    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code::BUSY,
            "The relay is busy",
            "Send the same request again after a moment.",
        )
        .retry_after(RETRY_AFTER_BUSY_SECONDS)
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code::INTERNAL,
            "The relay failed",
            "Send the same request again later. The operator finds the cause in the relay's log.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": format!("urn:selkie:problem:{}", self.code),
            "code": self.code,
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
