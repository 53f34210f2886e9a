//! Errors as clients see them: `application/problem+json` (RFC 9457), with nothing of the inside.
//!
//! Guarantees that what breaks inside is logged once, with its cause, and shown to nobody.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::api::view::LinkView;
use crate::domain::error::{Reason, Refusal};
use crate::{accounts, digest, links, reports, sessions, settings, store, webhooks};

/// Seconds after which a client may try again when the store is away.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("5");

/// Why a request failed.
#[derive(Debug)]
pub enum Error {
    /// The client's to mend.
    Refused(Refusal),
    /// Too many requests; seconds until the next may come.
    Limited(u64),
    /// The store cannot be asked.
    Unavailable,
    /// Something else of ours; logged where it became this.
    Internal,
}

/// The usual result of a handler.
pub type Result<T> = std::result::Result<T, Error>;

/// The HTTP status of each of the contract's errors.
#[must_use]
pub fn status_of(reason: Reason) -> StatusCode {
    match reason {
        Reason::BadJson => StatusCode::BAD_REQUEST,
        Reason::Unauthenticated => StatusCode::UNAUTHORIZED,
        Reason::Forbidden | Reason::HostNotAllowed => StatusCode::FORBIDDEN,
        Reason::NotFound | Reason::UnknownArticle => StatusCode::NOT_FOUND,
        Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Reason::CodeTaken | Reason::Stale | Reason::Conflict | Reason::Withdrawn | Reason::InProgress => {
            StatusCode::CONFLICT
        }
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::UnknownField
        | Reason::Missing
        | Reason::WrongType
        | Reason::InvalidValue
        | Reason::KeyReused
        | Reason::InvalidUrl
        | Reason::OwnHost
        | Reason::DeniedHost
        | Reason::CodeInvalid
        | Reason::CodeReserved
        | Reason::OutOfRange
        | Reason::BadCursor
        | Reason::TooWide => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

impl Error {
    /// The status and body of the answer. `public_url` makes the short URL of the link in the way.
    #[must_use]
    pub fn problem(&self, public_url: &str) -> (StatusCode, Map<String, Value>) {
        let (status, code, detail) = match self {
            Error::Refused(refusal) => (status_of(refusal.reason), refusal.reason.as_str(), &*refusal.detail),
            Error::Limited(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests; wait a little")
            }
            Error::Unavailable => {
                let detail = "the store cannot be reached right now; nothing was changed, try again";
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
            }
            Error::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "something broke on our side"),
        };
        let mut body = Map::new();
        body.insert("type".into(), json!(format!("/errors/{code}")));
        body.insert("title".into(), json!(title(status)));
        body.insert("status".into(), json!(status.as_u16()));
        body.insert("detail".into(), json!(detail));
        body.insert("code".into(), json!(code));
        if let Error::Refused(refusal) = self {
            if let Some(field) = &refusal.field {
                body.insert("field".into(), json!(field));
            }
            if let Some(version) = refusal.version {
                body.insert("version".into(), json!(version));
            }
            if let Some(found) = &refusal.link {
                let view = LinkView::new(found, None, public_url, None, crate::clock::now());
                let mut link = serde_json::to_value(view).unwrap_or(Value::Null);
                // The numbers were not asked for.
                if let Value::Object(link) = &mut link {
                    link.remove("totals");
                }
                body.insert("link".into(), link);
            }
        }
        (status, body)
    }
}

/// The answer's error, for the layer that renders it with what only the state knows.
#[derive(Clone, Debug)]
pub struct Rendered(pub std::sync::Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, body) = self.problem("");
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match &self {
            Error::Limited(seconds) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Error::Unavailable => {
                headers.insert(RETRY_AFTER, TRY_AGAIN);
            }
            Error::Refused(refusal) if refusal.reason == Reason::Unauthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"slugline\""));
            }
            Error::Refused(refusal) if refusal.reason == Reason::RateLimited => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("90"));
            }
            Error::Refused(_) | Error::Internal => {}
        }
        response.extensions_mut().insert(Rendered(std::sync::Arc::new(self)));
        response
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        tracing::error!(%error, "a store call failed");
        match error {
            store::Error::Unavailable(_) | store::Error::Fenced(_) => Error::Unavailable,
            store::Error::Corrupt(_) | store::Error::Refused(_) => Error::Internal,
        }
    }
}

macro_rules! from_service {
    ($error:path, $($rest:tt)*) => {
        impl From<$error> for Error {
            fn from(error: $error) -> Error {
                use $error as E;
                match error {
                    E::Refused(refusal) => refusal.into(),
                    E::Store(error) => error.into(),
                    $($rest)*
                }
            }
        }
    };
}

from_service!(links::Error,);
from_service!(digest::Error, E::Writing(error) => {
    tracing::error!(%error, "a letter could not be written");
    Error::Internal
});
from_service!(reports::Error,);
from_service!(settings::Error,);
from_service!(webhooks::Error,);
from_service!(sessions::Error,
    E::Limited(wait) => Error::Limited(wait.as_secs() + 1),
    E::Hashing(why) => {
        tracing::error!(%why, "a password could not be hashed");
        Error::Internal
    }
);
from_service!(accounts::Error, E::Hashing(why) => {
    tracing::error!(%why, "a password could not be hashed");
    Error::Internal
});
