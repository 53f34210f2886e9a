//! `/articles`: a story with its links, what staff change of it, and what its page says.

use axum::Json;
use axum::extract::State as Shared;
use serde::Deserialize;
use utoipa::ToSchema;

use super::cursor;
use super::links::{HistoryList, views};
use super::query::{Name, Params};
use super::view::ArticleView;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::article::ArticleId;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::Found;
use crate::links::ArticleChange;
use crate::store::links::ArticleKey;
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::json::Body64;

/// Most links shown with an article, newest first.
const MAX_LINKS: usize = 200;
/// Longest list page.
const MAX_PAGE: usize = 200;

/// `POST /articles/{id}/merge`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The id of the article that is the same story.
    other: String,
}

/// `POST /articles/{id}/split`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Codes of links of this article, 1 to 200.
    links: Vec<String>,
}

/// An article by one of its addresses or its CMS id.
#[utoipa::path(get, path = "/api/v1/articles", tag = "articles",
    params(("url" = Option<String>, Query), ("cms_id" = Option<String>, Query)),
    responses((status = 200, body = ArticleView), (status = 404, description = "unknown_article")))]
pub async fn find(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<Json<ArticleView>> {
    let (url, cms_id) = (params.take("url"), params.take("cms_id"));
    params.end()?;
    let key = match (url, cms_id) {
        (Some(url), None) => ArticleKey::Url(state.links.rules().address(&url, false, "url")?.article),
        (None, Some(id)) => ArticleKey::CmsId(id),
        (None, None) => return Err(Refusal::field(Reason::Missing, "url", "give url or cms_id").into()),
        (Some(_), Some(_)) => {
            return Err(Refusal::field(Reason::InvalidValue, "cms_id", "give url or cms_id, not both").into());
        }
    };
    let article = state.links.within(state.links.store().article(key)).await?;
    let article = article.ok_or_else(unknown)?;
    show(&state, &article.id, &actor).await
}

/// An article by our id.
#[utoipa::path(get, path = "/api/v1/articles/{id}", tag = "articles", params(("id" = String, Path)),
    responses((status = 200, body = ArticleView), (status = 404, description = "unknown_article")))]
pub async fn read(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<Json<ArticleView>> {
    show(&state, &ArticleId(id.into()), &actor).await
}

/// Change an article: what it is called, where it lives, whether it stands.
#[utoipa::path(patch, path = "/api/v1/articles/{id}", tag = "articles", params(("id" = String, Path)),
    request_body = ArticleChange,
    responses((status = 200, body = ArticleView), (status = 409, description = "stale (with version), conflict")))]
pub async fn change(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    Body64(body): Body64<ArticleChange>,
) -> Result<Json<ArticleView>> {
    let article = state
        .links
        .change_article(&visible(&state, &ArticleId(id.into()), &actor).await?, body, &actor, clock::now())
        .await?;
    show(&state, &article.id, &actor).await
}

/// Every change of an article: who, when, what.
#[utoipa::path(get, path = "/api/v1/articles/{id}/history", tag = "articles",
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = HistoryList)))]
pub async fn history(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    mut params: Params,
) -> Result<Json<HistoryList>> {
    let limit = params.number("limit", 1, MAX_PAGE, 50)?;
    let after = params.take("cursor");
    params.end()?;
    let id = visible(&state, &ArticleId(id.into()), &actor).await?;
    let name = format!("article history {}", id.0);
    let before = cursor::read_number(&name, after)?;
    let mut items = state.links.article_history(&id, before, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|e| cursor::write(&name, &(e.version.to_string(), String::new())));
    Ok(Json(HistoryList { items, next_cursor }))
}

/// Read an article's page again, now.
#[utoipa::path(post, path = "/api/v1/articles/{id}/refresh", tag = "articles", params(("id" = String, Path)),
    responses((status = 200, body = ArticleView), (status = 422, description = "The page could not be read")))]
pub async fn refresh(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<Json<ArticleView>> {
    let article = state
        .links
        .refresh(&visible(&state, &ArticleId(id.into()), &actor).await?, &actor, clock::now())
        .await?;
    show(&state, &article.id, &actor).await
}

/// Look now whether the targets of an article's links are still there.
#[utoipa::path(post, path = "/api/v1/articles/{id}/check", tag = "articles", params(("id" = String, Path)),
    responses((status = 200, body = ArticleView)))]
pub async fn check(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<Json<ArticleView>> {
    let article = state
        .links
        .check_article(&visible(&state, &ArticleId(id.into()), &actor).await?, &actor, clock::now())
        .await?;
    show(&state, &article.id, &actor).await
}

/// Make two articles one: all codes live, reports join, later requests get the older.
#[utoipa::path(post, path = "/api/v1/articles/{id}/merge", tag = "articles", params(("id" = String, Path)),
    request_body = Merge,
    responses((status = 200, description = "The older of the two", body = ArticleView)))]
pub async fn merge(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    Body64(body): Body64<Merge>,
) -> Result<Json<ArticleView>> {
    let id = visible(&state, &ArticleId(id.into()), &actor).await?;
    let other = visible(&state, &ArticleId(body.other.into()), &actor).await?;
    let article = state.links.merge(&id, &other, &actor, clock::now()).await?;
    show(&state, &article.id, &actor).await
}

/// Give links back to the article that they came from by a merge, or to one of their own.
#[utoipa::path(post, path = "/api/v1/articles/{id}/split", tag = "articles", params(("id" = String, Path)),
    request_body = Split,
    responses((status = 200, description = "The article that has them now", body = ArticleView)))]
pub async fn split(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    Body64(body): Body64<Split>,
) -> Result<Json<ArticleView>> {
    let article = state
        .links
        .split(&visible(&state, &ArticleId(id.into()), &actor).await?, &body.links, &actor, clock::now())
        .await?;
    show(&state, &article.id, &actor).await
}

/// Blank an article, its links and their histories; codes and numbers stay.
#[utoipa::path(post, path = "/api/v1/articles/{id}/redact", tag = "administration",
    params(("id" = String, Path)), responses((status = 200, body = ArticleView)))]
pub async fn redact(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<Json<ArticleView>> {
    let article = state.links.redact(&ArticleId(id.into()), &actor, clock::now()).await?;
    show(&state, &article.id, &actor).await
}

/// The same id, if the caller may know of the article.
async fn visible(state: &State, id: &ArticleId, viewer: &Actor) -> Result<ArticleId> {
    let (article, _) = state.links.article_for(id, viewer, clock::now()).await?;
    Ok(article.id.clone())
}

fn unknown() -> Refusal {
    Refusal::new(Reason::UnknownArticle, "there is no article known by this")
}

/// An article with its newest links.
async fn show(state: &State, id: &ArticleId, viewer: &Actor) -> Result<Json<ArticleView>> {
    let now = clock::now();
    let (article, links) = state.links.article_for(id, viewer, now).await?;
    let newest: Vec<Found> = links.into_iter().rev().take(MAX_LINKS).collect();
    let links = Some(views(state, &newest, viewer, now).await?);
    Ok(Json(ArticleView { links, ..ArticleView::new(&article) }))
}
