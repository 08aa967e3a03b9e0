//! Why a request is not answered as it was asked.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A status and a sentence that says what is wrong and what to do.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    pub(super) sentence: String,
}

/// Result of a request.
pub(super) type Answered<T> = Result<T, Refusal>;

impl Refusal {
    /// The request itself is wrong.
    pub(super) fn bad(sentence: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, sentence: sentence.into() }
    }

    /// There is nothing of this name.
    pub(super) fn unknown(sentence: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, sentence: sentence.into() }
    }

    /// There was something of this name.
    pub(super) fn gone(sentence: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::GONE, sentence: sentence.into() }
    }

    /// The server holds as much as it may.
    pub(super) fn full(sentence: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::TOO_MANY_REQUESTS, sentence: sentence.into() }
    }

    /// The key is missing or another one.
    pub(super) fn key() -> Refusal {
        let sentence = "the key is missing or wrong: send it as `X-API-Key: KEY` or `Authorization: Bearer KEY`";
        Refusal { status: StatusCode::UNAUTHORIZED, sentence: sentence.to_owned() }
    }

    /// The body is longer than is read.
    pub(super) fn large(most: usize) -> Refusal {
        let sentence = format!("the request is longer than {most} bytes: send less at once");
        Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, sentence }
    }

    /// The same, of a part of the request.
    pub(super) fn of(self, part: &str) -> Refusal {
        Refusal { sentence: format!("{part}: {}", self.sentence), ..self }
    }

    /// The server could not do it, and that is not the request's fault.
    pub(super) fn broken(sentence: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, sentence: sentence.into() }
    }
}

impl IntoResponse for Refusal {
    /// In the form of the Tinker API (`detail`) and of OpenAI (`error`).
    fn into_response(self) -> Response {
        let Refusal { status, sentence } = self;
        let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let error = json!({ "message": sentence, "type": kind, "code": status.as_u16() });
        (status, Json(json!({ "detail": sentence, "error": error }))).into_response()
    }
}
