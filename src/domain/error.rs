//! What a client did wrong, in the words of the contract.
//!
//! A [`Refusal`] is always the client's to mend and safe to show; what breaks inside is a `store::Error` and is
//! never shown. The HTTP status belongs to the surface, not here.

use std::borrow::Cow;

use super::link::Found;

/// The `code` of a problem document (contract 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The body is not JSON.
    BadJson,
    /// No key, or one that is not valid.
    Unauthenticated,
    /// The role does not allow this.
    Forbidden,
    /// The target's host is not one that may be shortened.
    HostNotAllowed,
    /// Nothing is kept under that name.
    NotFound,
    /// No article has that address or CMS id.
    UnknownArticle,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The code leads elsewhere already; the answer carries its link.
    CodeTaken,
    /// Someone else changed it since it was read; the answer carries the version.
    Stale,
    /// It contradicts what is there; the answer names the field and the link.
    Conflict,
    /// The story was taken back: it gets no new link.
    Withdrawn,
    /// The same Idempotency-Key is being worked on.
    InProgress,
    /// The body is over the limit.
    TooLarge,
    /// The body is not `application/json`.
    UnsupportedType,
    /// A field the call does not know.
    UnknownField,
    /// A field the call cannot do without.
    Missing,
    /// A field of another type.
    WrongType,
    /// A field whose value cannot be.
    InvalidValue,
    /// An Idempotency-Key with another body.
    KeyReused,
    /// Not an http(s) address.
    InvalidUrl,
    /// The address is one of our own.
    OwnHost,
    /// The operator denies that host.
    DeniedHost,
    /// Not 1 to 64 of `A-Z a-z 0-9 - _`.
    CodeInvalid,
    /// A code that a route, or nobody, may have.
    CodeReserved,
    /// Outside the permitted range.
    OutOfRange,
    /// A cursor that this list did not give out.
    BadCursor,
    /// The report would sum over too many links.
    TooWide,
    /// Too many requests.
    RateLimited,
}

impl Reason {
    /// The contract's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::BadJson => "bad_json",
            Reason::Unauthenticated => "unauthenticated",
            Reason::Forbidden => "forbidden",
            Reason::HostNotAllowed => "host_not_allowed",
            Reason::NotFound => "not_found",
            Reason::UnknownArticle => "unknown_article",
            Reason::MethodNotAllowed => "method_not_allowed",
            Reason::CodeTaken => "code_taken",
            Reason::Stale => "stale",
            Reason::Conflict => "conflict",
            Reason::Withdrawn => "withdrawn",
            Reason::InProgress => "in_progress",
            Reason::TooLarge => "too_large",
            Reason::UnsupportedType => "unsupported_type",
            Reason::UnknownField => "unknown_field",
            Reason::Missing => "missing",
            Reason::WrongType => "wrong_type",
            Reason::InvalidValue => "invalid_value",
            Reason::KeyReused => "key_reused",
            Reason::InvalidUrl => "invalid_url",
            Reason::OwnHost => "own_host",
            Reason::DeniedHost => "denied_host",
            Reason::CodeInvalid => "code_invalid",
            Reason::CodeReserved => "code_reserved",
            Reason::OutOfRange => "out_of_range",
            Reason::BadCursor => "bad_cursor",
            Reason::TooWide => "too_wide",
            Reason::RateLimited => "rate_limited",
        }
    }
}

/// A request that was understood and refused, or not understood.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which of the contract's errors.
    pub reason: Reason,
    /// The field at fault, as the client spelt it.
    pub field: Option<Cow<'static, str>>,
    /// One sentence that names the thing and the value.
    pub detail: Cow<'static, str>,
    /// The link in the way, for `code_taken` and `conflict`.
    pub link: Option<Box<Found>>,
    /// The version there is, for `stale`.
    pub version: Option<u64>,
}

impl Refusal {
    /// A refusal that is about the request as a whole.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Refusal { reason, field: None, detail: detail.into(), link: None, version: None }
    }

    /// A refusal that is about one field.
    pub fn field(
        reason: Reason,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal { field: Some(field.into()), ..Refusal::new(reason, detail) }
    }

    /// Adds the link in the way.
    #[must_use]
    pub fn with_link(self, link: Found) -> Self {
        Refusal { link: Some(Box::new(link)), ..self }
    }

    /// Adds the version there is.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Refusal { version: Some(version), ..self }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}: {field}: {}", self.reason.as_str(), self.detail),
            None => write!(f, "{}: {}", self.reason.as_str(), self.detail),
        }
    }
}

impl std::error::Error for Refusal {}
