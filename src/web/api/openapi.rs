//! `/openapi.json`, made from the handlers themselves, and a page for each error's `type`.

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::query::Name;
use super::{
    accounts, articles, audit, channels, grants, links, live, lookup, qr, reports, sessions, settings, view,
    webhooks,
};
use crate::domain::error::{Reason, Refusal};
use crate::links::request;
use crate::web::State;
use crate::web::error::Error;

#[derive(OpenApi)]
#[openapi(
    info(title = "Slugline", description = "Short URLs for newsrooms: every hit counted exactly once, people, \
        previews and bots apart. Errors are application/problem+json (RFC 9457) with a `code` and, where one field \
        is at fault, its `field`. Every POST takes an Idempotency-Key."),
    paths(links::create, links::batch, links::list, links::read, links::change, links::retire, links::history,
        qr::svg, qr::png, lookup::lookup, lookup::short_url, articles::find, articles::read, articles::change,
        articles::history, articles::refresh, articles::check, articles::merge, articles::split, articles::redact, reports::summary, reports::series, reports::top,
        reports::more::heat, reports::more::curve, reports::more::orphans, reports::reasons::reasons, live::live,
        accounts::keys, accounts::create_key, accounts::revoke_key, accounts::users, accounts::add_user,
        accounts::disable_user, accounts::change_user, accounts::sign_in_link, sessions::list, sessions::sign_in,
        sessions::end, sessions::end_all, grants::screens, grants::make_screen, grants::revoke_screen,
        grants::shares, grants::make_share, grants::revoke_share, audit::list, settings::list, settings::read, settings::set, settings::change,
        settings::remove, channels::list, channels::create, channels::change, channels::remove,
        webhooks::list, webhooks::create, webhooks::read, webhooks::change, webhooks::remove, webhooks::new_secret,
        webhooks::deliveries, webhooks::test, webhooks::retry),
    components(schemas(request::NewLink, request::Change, request::ArticleFactsSchema, view::LinkView,
        view::ArticleView, view::TotalsView)),
    tags((name = "links"), (name = "articles"), (name = "reports"), (name = "administration")),
    modifiers(&Key),
    security(("key" = []), ("session" = []))
)]
struct Document;

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("slk_ID_SECRET").build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
        let cookie = "The pages' session; `slugline` where they are not encrypted. For changes the request must come from \
                      a page of this service (Sec-Fetch-Site, else Origin).";
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description("__Host-slugline", cookie));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The description of the API, as JSON.
///
/// # Errors
/// None that a release can have: a test makes it.
pub fn document() -> serde_json::Result<String> {
    Document::openapi().to_pretty_json()
}

/// `GET /openapi.json`.
pub async fn serve() -> Response {
    match document() {
        Ok(text) => ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")], text)
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "the API's description could not be made");
            Error::Internal.into_response()
        }
    }
}

/// `GET /errors/{code}`: what an error's `type` leads to.
pub async fn error(Shared(_): Shared<State>, Name(code): Name) -> Response {
    match MEANINGS.iter().find(|(c, _)| *c == code) {
        Some((code, meaning)) => {
            let text = format!("{code}\n\n{meaning}\n");
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        None => Error::from(Refusal::new(Reason::NotFound, "there is no error of this name")).into_response(),
    }
}

/// What each error means, in words.
pub const MEANINGS: &[(&str, &str)] = &[
    ("bad_json", "The body is not JSON."),
    ("unauthenticated", "Send Authorization: Bearer and an API key that is valid, or sign in."),
    (
        "forbidden",
        "The role does not allow this, or a change by session did not come from a page of this service.",
    ),
    ("host_not_allowed", "This host may not be linked to (links.only_allowed_hosts)."),
    ("not_found", "There is nothing of this name."),
    ("unknown_article", "No article is known by this address or CMS id."),
    ("method_not_allowed", "The path exists; see Allow for its methods."),
    ("code_taken", "The code leads elsewhere already; `link` is what has it."),
    ("stale", "It was changed since it was read; `version` is the one it has now. Read again, then change."),
    ("conflict", "It contradicts what is there: `field` says where, `link` shows it."),
    ("in_progress", "A request with this Idempotency-Key is being worked on; try again in a moment."),
    ("withdrawn", "The article was withdrawn; it gets no new links."),
    ("too_large", "The body is over the limit (64 KiB; 16 MiB for a batch)."),
    ("unsupported_type", "Send Content-Type: application/json."),
    ("unknown_field", "The call does not know `field`."),
    ("missing", "The call cannot do without `field`."),
    ("wrong_type", "`field` is of another type."),
    ("invalid_value", "`field` has a value that cannot be."),
    ("key_reused", "This Idempotency-Key was used with another body."),
    ("invalid_url", "`field` is not an http(s) address without user name and password, of at most 8 KiB."),
    ("own_host", "The address is one of this service."),
    (
        "denied_host",
        "The operator does not allow this host, or, for a webhook, it is not on the public internet.",
    ),
    ("code_invalid", "A code is 1 to 64 of A-Z a-z 0-9 - _."),
    ("code_reserved", "The code is a page of this service."),
    ("out_of_range", "`field` is outside its range."),
    ("bad_cursor", "The cursor is not from this list."),
    ("too_wide", "A report over a tag or creator sums over at most 1,000 links."),
    ("rate_limited", "Too many requests; wait as long as Retry-After says."),
    ("store_unavailable", "The store cannot be reached; nothing was changed. Try again after Retry-After."),
    ("internal", "Something broke on our side; it is in the log."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_describes_every_call() {
        let document: serde_json::Value = serde_json::from_str(&document().unwrap()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        for path in [
            "/api/v1/links",
            "/api/v1/links/{code}/history",
            "/api/v1/reports/top",
            "/api/v1/reports/curve",
            "/api/v1/links/{code}/reasons",
            "/api/v1/audit",
            "/api/v1/webhooks/{id}/deliveries/{delivery}/retry",
            "/api/v1/articles/{id}/merge",
            "/api/v1/short-url",
        ] {
            assert!(paths.contains_key(path), "{path}");
        }
        assert!(document["components"]["schemas"]["Link"]["properties"]["short_url"].is_object());
    }
}
