//! Query strings and path parameters, with errors that name the field.

use std::collections::BTreeMap;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::domain::error::{Reason, Refusal};
use crate::web::State;
use crate::web::error::Error;

/// A call's parameters, each at most once.
#[derive(Debug)]
pub struct Params(BTreeMap<String, String>);

impl FromRequestParts<State> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Params, Error> {
        Ok(Params::read(parts.uri.query().unwrap_or_default())?)
    }
}

impl Params {
    fn read(query: &str) -> Result<Params, Refusal> {
        let mut params = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if params.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                let detail = "this parameter is given twice";
                return Err(Refusal::field(Reason::InvalidValue, name.into_owned(), detail));
            }
        }
        Ok(Params(params))
    }

    /// Takes one out; empty is as if it were missing.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|v| !v.is_empty())
    }

    /// Takes one out if it has one of these values.
    pub fn take_if(&mut self, name: &str, values: &[&str]) -> bool {
        let has = self.0.get(name).is_some_and(|v| values.contains(&v.as_str()));
        if has {
            self.0.remove(name);
        }
        has
    }

    /// Takes a whole number out.
    ///
    /// # Errors
    /// `wrong_type`, `out_of_range`.
    pub fn number(
        &mut self,
        name: &'static str,
        min: usize,
        max: usize,
        default: usize,
    ) -> Result<usize, Refusal> {
        let Some(text) = self.take(name) else { return Ok(default) };
        let out_of_range = || Refusal::field(Reason::OutOfRange, name, format!("{min} to {max}"));
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.strip_prefix('-').is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit())) {
                true => Err(out_of_range()),
                false => Err(Refusal::field(Reason::WrongType, name, "a whole number is expected")),
            };
        }
        text.parse().ok().filter(|n| (min..=max).contains(n)).ok_or_else(out_of_range)
    }

    /// Nothing may be left: a misspelt parameter must not be ignored silently.
    ///
    /// # Errors
    /// `unknown_field`.
    pub fn end(self) -> Result<(), Refusal> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Refusal::field(Reason::UnknownField, name, "there is no such parameter here")),
        }
    }
}

/// The one name in a path; what cannot be decoded is not found.
pub struct Name(pub String);

impl FromRequestParts<State> for Name {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Name, Error> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        match path {
            Ok(Path(name)) => Ok(Name(name)),
            Err(_) => Err(Refusal::new(Reason::NotFound, "there is nothing of this name").into()),
        }
    }
}

/// The two names in a path.
pub struct Names(pub String, pub String);

impl FromRequestParts<State> for Names {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Names, Error> {
        let path: Result<Path<(String, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        match path {
            Ok(Path((one, other))) => Ok(Names(one, other)),
            Err(_) => Err(Refusal::new(Reason::NotFound, "there is nothing of this name").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let mut params = Params::read("limit=20&q=a%20b&empty=").unwrap();
        assert_eq!(params.number("limit", 1, 200, 50).unwrap(), 20);
        assert_eq!(params.take("q").as_deref(), Some("a b"));
        assert_eq!(params.take("empty"), None);
        params.end().unwrap();
        assert_eq!(Params::read("a=1&a=2").unwrap_err().reason, Reason::InvalidValue);
        let reason =
            |query: &str| Params::read(query).unwrap().number("limit", 1, 200, 50).unwrap_err().reason;
        assert_eq!(reason("limit=201"), Reason::OutOfRange);
        assert_eq!(reason("limit=0"), Reason::OutOfRange);
        assert_eq!(reason("limit=-1"), Reason::OutOfRange);
        assert_eq!(reason("limit=99999999999999999999999"), Reason::OutOfRange);
        assert_eq!(reason("limit=many"), Reason::WrongType);
        assert_eq!(Params::read("x=1").unwrap().end().unwrap_err().reason, Reason::UnknownField);
    }
}
