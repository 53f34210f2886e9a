//! Sessions over HTTP: the cookie, who is signed in, and whether a request comes from our own pages.
//!
//! Guarantees that a session is believed only where staff are, that its cookie cannot be read by scripts nor set for
//! us by other hosts where we are encrypted, that a change by session comes from our own pages (`Sec-Fetch-Site`, else
//! `Origin`), and that a header of a proxy is believed from the operator's ranges only. No secret is logged.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::State;
use super::auth::address;
use super::error::Error;
use super::json::{self, MAX_BATCH_BODY, MAX_BODY};
use super::surface::Peer;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::sessions::{Began, Client, SessionInfo};

/// Where it is encrypted: the browser takes it from this very host only, over TLS only, for all paths.
const HOST_COOKIE: &str = "__Host-slugline";
/// Where it is not.
const PLAIN_COOKIE: &str = "slugline";
/// Where one signs in.
const LOGIN: &str = "/-/login";
/// Longest way back after signing in, in bytes.
const MAX_NEXT: usize = 2_048;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What stays as it is in the value of a query's parameter.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who is signed in.
#[derive(Clone)]
pub struct SignedIn {
    /// As whom they act.
    pub actor: Actor,
    /// Their session.
    pub info: SessionInfo,
}

/// Somebody of staff who sees a page; who is not signed in is led to where one signs in, and back.
#[derive(Clone, Debug)]
pub struct Staff(pub Actor, pub SessionInfo);

fn is_encrypted(staff_url: &str) -> bool {
    staff_url.starts_with("https:")
}

fn cookie_name(staff_url: &str) -> &'static str {
    if is_encrypted(staff_url) { HOST_COOKIE } else { PLAIN_COOKIE }
}

fn cookie(staff_url: &str, secret: &str, seconds: i64) -> HeaderValue {
    let secure = if is_encrypted(staff_url) { "; Secure" } else { "" };
    let name = cookie_name(staff_url);
    let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The value of `Set-Cookie` for a session that has just begun.
#[must_use]
pub fn set_cookie(staff_url: &str, began: &Began) -> HeaderValue {
    let seconds = began.info.expires_at.duration_since(began.info.created_at).as_secs();
    cookie(staff_url, &began.secret, seconds)
}

/// The value of `Set-Cookie` after signing out.
#[must_use]
pub fn clear_cookie(staff_url: &str) -> HeaderValue {
    cookie(staff_url, "", 0)
}

/// The address of a sign-in link with this secret.
#[must_use]
pub fn link(staff_url: &str, secret: &str) -> String {
    format!("{staff_url}{LOGIN}?token={secret}")
}

/// The session's secret that a request shows, if it shows one.
#[must_use]
pub fn shown<'a>(headers: &'a HeaderMap, staff_url: &str) -> Option<&'a str> {
    let name = cookie_name(staff_url);
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(its, _)| *its == name).map(|(_, secret)| secret)
}

/// Who tries to sign in with this request.
#[must_use]
pub fn client(parts: &Parts, state: &State) -> Client {
    let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Client { address: address(parts, state), agent: agent.to_owned() }
}

/// Who the proxy in front says it is, if it is one that is believed.
fn named_by_proxy<'a>(parts: &'a Parts, state: &State) -> Option<&'a HeaderValue> {
    let settings = state.sessions.settings();
    if settings.trusted_header.is_empty() {
        return None;
    }
    // Who is at the other end of the connection, and nobody that a header names.
    let peer = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
    settings.trusted_ranges.iter().find(|range| range.0.contains(&peer))?;
    parts.headers.get(&settings.trusted_header)
}

/// Who is signed in; None for nobody.
///
/// # Errors
/// `unauthenticated` for a user whom the proxy names and we do not know; the store's.
pub async fn identify(parts: &Parts, state: &State) -> Result<Option<SignedIn>, Error> {
    if !state.staff_here {
        return Ok(None);
    }
    let now = clock::now();
    if let Some(name) = named_by_proxy(parts, state) {
        let several = parts.headers.get_all(&state.sessions.settings().trusted_header).iter().count() > 1;
        // Names are UTF-8 where they are not ASCII.
        let name = std::str::from_utf8(name.as_bytes()).ok().filter(|_| !several);
        let Some((actor, info)) = name.and_then(|name| state.sessions.by_proxy(name, now)) else {
            let detail = "the proxy names somebody who is no user here; ask an admin";
            return Err(Refusal::new(Reason::Unauthenticated, detail).into());
        };
        return Ok(Some(SignedIn { actor, info }));
    }
    let Some(secret) = shown(&parts.headers, &state.staff_url) else { return Ok(None) };
    let held = state.sessions.holder(secret, now).await?;
    Ok(held.map(|(actor, info)| SignedIn { actor, info }))
}

/// Refuses a change that another site makes in the name of who is signed in here.
///
/// # Errors
/// `forbidden`.
pub fn may_change(method: &Method, headers: &HeaderMap, state: &State) -> Result<(), Refusal> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    same_origin(headers, &state.staff_url)
}

/// Refuses what does not come from a page of ours: browsers say so in `Sec-Fetch-Site` where it is encrypted, and in
/// `Origin` elsewhere. A request that says neither comes from no browser's page, and has no business with a session.
///
/// # Errors
/// `forbidden`.
pub fn same_origin(headers: &HeaderMap, staff_url: &str) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = match (text(SEC_FETCH_SITE), text(ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        // Also by another name than the configured one: a page of ours is asked for by the host that it is on.
        (None, Some(origin)) => {
            origin == staff_url
                || text(HOST).is_some_and(|host| {
                    let of_origin = origin.split_once("://").map(|(_, authority)| authority);
                    of_origin.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
                })
        }
        (None, None) => false,
    };
    let detail = "by session, changes are made from the pages of this service only; programs use an API key";
    ours.then_some(()).ok_or_else(|| Refusal::new(Reason::Forbidden, detail))
}

/// Where to go after signing in: the way back that was asked for if it is one of our pages, else the desk.
#[must_use]
pub fn landing(next: Option<&str>) -> &str {
    let plain = |next: &&str| {
        next.starts_with("/-/")
            && next.len() <= MAX_NEXT
            && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
            && !next.starts_with(LOGIN)
    };
    next.filter(plain).unwrap_or("/-/")
}

/// The answer to who has to sign in first.
fn to_login(parts: &Parts) -> Response {
    let back = matches!(parts.method, Method::GET | Method::HEAD)
        .then(|| parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str))
        .flatten();
    login_then(back)
}

fn login_then(back: Option<&str>) -> Response {
    let to = match landing(back) {
        "/-/" => LOGIN.to_owned(),
        next => format!("{LOGIN}?next={}", utf8_percent_encode(next, PLAIN)),
    };
    let headers = [(LOCATION, to), (http::header::CACHE_CONTROL, "no-store".to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The answer that [`Staff`] has for a form of who is not signed in, with a way back to this page; any other as it is.
#[must_use]
pub fn back_after(answer: Response, page: &str) -> Response {
    if answer.status() == StatusCode::SEE_OTHER { login_then(Some(page)) } else { answer }
}

impl FromRequestParts<State> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Staff, Response> {
        let signed_in = identify(parts, state).await.map_err(IntoResponse::into_response)?;
        let Some(SignedIn { actor, info }) = signed_in else { return Err(to_login(parts)) };
        let may = may_change(&parts.method, &parts.headers, state);
        may.map_err(|refusal| Error::from(refusal).into_response())?;
        Ok(Staff(actor, info))
    }
}

/// A form of at most 64 KiB that a page of ours sent. `T` refuses fields that it does not know
/// (`#[serde(deny_unknown_fields)]`); a list of pairs takes a name that comes several times.
pub struct Form64<T>(pub T);

impl<T: DeserializeOwned> FromRequest<State> for Form64<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &State) -> Result<Self, Error> {
        Ok(Form64(sent(request, state, MAX_BODY).await?))
    }
}

/// What a form said in a field, without space around it; None for a field that was not sent.
#[must_use]
pub fn said<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(its, _)| its == name).map(|(_, value)| value.trim())
}

/// The same as large as a batch: for what takes a file.
pub struct FormOfFile<T>(pub T);

impl<T: DeserializeOwned> FromRequest<State> for FormOfFile<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &State) -> Result<Self, Error> {
        Ok(FormOfFile(sent(request, state, MAX_BATCH_BODY).await?))
    }
}

/// Most bytes of a paste: 1,000 lines of 2,048 characters, some of them escaped.
const MAX_PASTE: usize = 4 * 1024 * 1024;

/// What was pasted into a form, also by who is not signed in any more: it can be kept for them. From who is not, no more
/// is read than from anybody.
pub struct Pasted {
    /// Who sent it, or the answer that they get.
    pub by: Result<Staff, Response>,
    /// The fields, as they came.
    pub pairs: Vec<(String, String)>,
}

impl FromRequest<State> for Pasted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let by = Staff::from_request_parts(&mut parts, state).await;
        let most = if by.is_ok() { MAX_PASTE } else { MAX_BODY };
        match (by, sent(Request::from_parts(parts, body), state, most).await) {
            (by, Ok(pairs)) => Ok(Pasted { by, pairs }),
            (Ok(_), Err(error)) => Err(error.into_response()),
            (Err(answer), Err(_)) => Err(answer),
        }
    }
}

async fn sent<T: DeserializeOwned>(request: Request, state: &State, most: usize) -> Result<T, Error> {
    same_origin(request.headers(), &state.staff_url)?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let detail = "send Content-Type: application/x-www-form-urlencoded";
        return Err(Refusal::new(Reason::UnsupportedType, detail).into());
    }
    let bytes = json::bytes(request.into_body(), most).await?;
    Ok(form(&bytes)?)
}

fn form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let fields = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(bytes));
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        json::refusal(path, &error.into_inner().to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let of = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(of).collect()
    }

    #[test]
    fn changes_come_from_our_own_pages() {
        type Sent = &'static [(&'static str, &'static str)];
        let table: [(Sent, bool); 13] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://sl.example")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://sl.example")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "")], false),
            (&[("origin", "https://sl.example")], true),
            (&[("origin", "https://sl.example.evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "http://10.0.0.7:8080"), ("host", "10.0.0.7:8080")], true),
            (&[("origin", "http://10.0.0.7:8081"), ("host", "10.0.0.7:8080")], false),
            (&[("origin", "null"), ("host", "null")], false),
            (&[], false),
        ];
        for (sent, ours) in table {
            assert_eq!(same_origin(&headers(sent), "https://sl.example").is_ok(), ours, "{sent:?}");
        }
    }

    #[test]
    fn cookies_are_those_of_the_host_where_it_is_encrypted() {
        let (https, http) = ("https://sl.example", "http://127.0.0.1:8080");
        let text = |url| cookie(url, "abc", 60).to_str().unwrap().to_owned();
        let safe = "__Host-slugline=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(text(https), safe);
        assert_eq!(text(http), "slugline=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        assert!(clear_cookie(https).to_str().unwrap().starts_with("__Host-slugline=; Path=/; Max-Age=0;"));
        let sent = headers(&[("cookie", "a=b; slugline=plain; __Host-slugline=host; c")]);
        assert_eq!((shown(&sent, https), shown(&sent, http)), (Some("host"), Some("plain")));
        assert_eq!(shown(&headers(&[("cookie", "xslugline=1")]), http), None);
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        url: String,
        #[serde(default)]
        version: Option<u64>,
    }

    #[test]
    fn forms_are_read_as_strictly_as_json() {
        let read = form::<Asked>(b"url=https%3A%2F%2Fa.example%2F%C3%A4+b&version=3").unwrap();
        assert_eq!(read, Asked { url: "https://a.example/ä b".into(), version: Some(3) });
        let pairs = form::<Vec<(String, String)>>(b"code=a&code=b&x=").unwrap();
        assert_eq!(pairs, [("code", "a"), ("code", "b"), ("x", "")].map(|(n, v)| (n.into(), v.into())));
        let table: [(&[u8], Reason, Option<&str>); 4] = [
            (b"", Reason::Missing, Some("url")),
            (b"url=a&role=admin", Reason::UnknownField, Some("role")),
            (b"url=a&version=x", Reason::InvalidValue, Some("version")),
            (b"url=a&url=b", Reason::InvalidValue, None),
        ];
        for (sent, reason, field) in table {
            let refusal = form::<Asked>(sent).unwrap_err();
            let got = (refusal.reason, refusal.field.as_deref());
            assert_eq!(got, (reason, field), "{}: {refusal}", sent.escape_ascii());
        }
    }

    #[test]
    fn who_has_to_sign_in_comes_back() {
        let table = [
            (Method::GET, "/-/links?q=a%20b&sort=code", "/-/login?next=/-/links%3Fq%3Da%2520b%26sort%3Dcode"),
            (Method::GET, "/-/", "/-/login"),
            (Method::POST, "/-/links", "/-/login"),
            (Method::GET, "//evil.example/", "/-/login"),
        ];
        for (method, path, to) in table {
            let (parts, ()) =
                http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
            let answer = to_login(&parts);
            let location = answer.headers()[LOCATION].to_str().unwrap();
            assert_eq!((answer.status(), location), (StatusCode::SEE_OTHER, to), "{path}");
        }
    }

    #[test]
    fn one_lands_on_our_own_pages_only() {
        let table = [
            ("/-/links?q=a&sort=-created", true),
            ("/-/", true),
            ("//evil.example/-/", false),
            ("https://evil.example/", false),
            ("/-/\\evil", false),
            ("/kx7dw4m", false),
            ("/-/login?next=/-/login", false),
            ("/-/a b", false),
            ("", false),
        ];
        for (next, ours) in table {
            assert_eq!(landing(Some(next)), if ours { next } else { "/-/" });
        }
        assert_eq!(landing(None), "/-/");
    }
}
