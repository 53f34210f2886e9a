//! Request bodies: JSON with errors that name the field.
//!
//! Guarantees `unsupported_type`, `too_large`, `bad_json`, `unknown_field`, `missing`, `wrong_type` and
//! `invalid_value` as the contract has them. One reader for all calls.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::error::Error;
use crate::domain::error::{Reason, Refusal};

/// Largest body, in bytes, except a batch's.
pub const MAX_BODY: usize = 64 * 1024;
/// Largest body of a batch, in bytes.
pub const MAX_BATCH_BODY: usize = 16 * 1024 * 1024;

/// A body of at most [`MAX_BODY`].
pub struct Body64<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body64<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let bytes = read(request, MAX_BODY).await?;
        Ok(Body64(parse(&bytes)?))
    }
}

/// Reads a JSON body of at most `max` bytes.
///
/// # Errors
/// `unsupported_type`, `too_large`, `bad_json` (it ended too soon).
pub async fn read(request: Request, max: usize) -> Result<Bytes, Error> {
    if !is_json(request.headers()) {
        let detail = "send Content-Type: application/json";
        return Err(Refusal::new(Reason::UnsupportedType, detail).into());
    }
    bytes(request.into_body(), max).await
}

/// Reads a body of at most `max` bytes.
///
/// # Errors
/// `too_large`, `bad_json` (it ended too soon).
pub async fn bytes(body: Body, max: usize) -> Result<Bytes, Error> {
    match axum::body::to_bytes(body, max).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if is_too_large(&error) => {
            Err(Refusal::new(Reason::TooLarge, format!("a body is at most {} KiB", max / 1024)).into())
        }
        Err(_) => Err(Refusal::new(Reason::BadJson, "the body ended before it was whole").into()),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Reads a value from bytes.
///
/// # Errors
/// `bad_json`, and those of [`from_value`].
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| {
        Refusal::new(Reason::BadJson, format!("not JSON: line {}, column {}", e.line(), e.column()))
    })?;
    from_value(value)
}

/// Reads a value from JSON that is known to be JSON.
///
/// # Errors
/// `unknown_field`, `missing`, `wrong_type`, `invalid_value`, each with its field.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Refusal> {
    // serde would read a list as a struct without names.
    if !value.is_object() {
        return Err(Refusal::new(Reason::WrongType, "a JSON object is expected"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let message = error.into_inner().to_string();
        refusal(path, &message)
    })
}

/// What a field that serde could not read means.
///
/// serde tells kinds of errors apart only by their texts, which have been the same for ten years; a test reads
/// each of them.
pub fn refusal(path: String, message: &str) -> Refusal {
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let inside = |name: &str| match (path.is_empty(), path.ends_with(name)) {
        (true, _) => name.to_owned(),
        (false, true) => path.clone(),
        (false, false) => format!("{path}.{name}"),
    };
    if message.starts_with("unknown field") {
        let field = inside(quoted);
        return Refusal::field(Reason::UnknownField, field, format!("there is no field \"{quoted}\" here"));
    }
    if message.starts_with("missing field") {
        return Refusal::field(Reason::Missing, inside(quoted), "this field is missing");
    }
    let reason = if message.starts_with("invalid type") { Reason::WrongType } else { Reason::InvalidValue };
    let detail = message.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    match path.is_empty() {
        true => Refusal::new(reason, detail),
        false => Refusal::field(reason, path, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::request::NewLink;

    #[derive(Debug, serde::Deserialize)]
    struct Needs {
        #[serde(rename = "name")]
        _name: String,
    }

    #[test]
    fn each_error_names_its_field() {
        let table = [
            ("{", Reason::BadJson, None),
            ("", Reason::BadJson, None),
            (r#"{"url": 5}"#, Reason::WrongType, Some("url")),
            (r#"{"tags": [1]}"#, Reason::WrongType, Some("tags[0]")),
            (r#"{"tags": "a"}"#, Reason::WrongType, Some("tags")),
            (r#"{"ulr": "x"}"#, Reason::UnknownField, Some("ulr")),
            (r#"{"article": {"titel": "x"}}"#, Reason::UnknownField, Some("article.titel")),
            (r#"{"not_before": "soon"}"#, Reason::InvalidValue, Some("not_before")),
            (r#"{"redirect_status": 70000}"#, Reason::InvalidValue, Some("redirect_status")),
            (r#"{"redirect_status": -1}"#, Reason::InvalidValue, Some("redirect_status")),
            ("[1, 2]", Reason::WrongType, None),
            ("\"x\"", Reason::WrongType, None),
        ];
        for (json, reason, field) in table {
            let refusal = parse::<NewLink>(json.as_bytes()).unwrap_err();
            assert_eq!((refusal.reason, refusal.field.as_deref()), (reason, field), "{json}");
        }
        let refusal = parse::<Needs>(b"{}").unwrap_err();
        assert_eq!((refusal.reason, refusal.field.as_deref()), (Reason::Missing, Some("name")));
    }
}
