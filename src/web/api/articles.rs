//! `/articles`: a story with its links.

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;

use super::links::views;
use super::query::{Name, Params};
use super::view::ArticleView;
use crate::clock;
use crate::domain::article::{Article, ArticleId};
use crate::domain::error::{Reason, Refusal};
use crate::store::links::{ArticleKey, LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;

/// Most links shown with an article, newest first.
const MAX_LINKS: usize = 200;

/// An article by one of its addresses or its CMS id.
#[utoipa::path(get, path = "/api/v1/articles", tag = "articles",
    params(("url" = Option<String>, Query), ("cms_id" = Option<String>, Query)),
    responses((status = 200, body = ArticleView), (status = 404, description = "unknown_article")))]
pub async fn find(
    Shared(state): Shared<State>,
    Caller(_): Caller,
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
    show(&state, key).await
}

/// An article by our id.
#[utoipa::path(get, path = "/api/v1/articles/{id}", tag = "articles", params(("id" = String, Path)),
    responses((status = 200, body = ArticleView), (status = 404, description = "unknown_article")))]
pub async fn read(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    Name(id): Name,
) -> Result<Json<ArticleView>> {
    show(&state, ArticleKey::Id(ArticleId(id.into()))).await
}

async fn show(state: &State, key: ArticleKey) -> Result<Json<ArticleView>> {
    let article = state.links.within(state.links.store().article(key)).await?;
    let unknown = || Refusal::new(Reason::UnknownArticle, "there is no article known by this");
    let article = article.ok_or_else(unknown)?;
    Ok(Json(with_links(state, &article, clock::now()).await?))
}

async fn with_links(state: &State, article: &Article, now: Timestamp) -> Result<ArticleView> {
    let page = LinkPage {
        filter: LinkFilter { article: Some(article.id.clone()), ..LinkFilter::default() },
        order: LinkOrder::Created,
        descending: true,
        after: None,
        limit: MAX_LINKS,
    };
    let found = state.links.within(state.links.store().list(page, now)).await?;
    Ok(ArticleView { links: Some(views(state, &found, now).await?), ..ArticleView::new(article) })
}
