//! Links and articles as the API shows them. Field names are the contract's.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::access::Actor;
use crate::domain::article::{Article, Note};
use crate::domain::link::{Broken, Found, Status, Via};
use crate::domain::tally::Counts;

/// All hits of a link, ever.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Totals)]
pub struct TotalsView {
    /// People's.
    pub clicks: u64,
    /// Different people of each day, all days together: an estimate.
    pub uniques: u64,
    /// Link previews'.
    pub previews: u64,
    /// Bots'.
    pub bots: u64,
}

/// A link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub struct LinkView {
    /// Its code.
    pub code: String,
    /// The address to share.
    pub short_url: String,
    /// Where it leads; null for a reserved code.
    pub target: Option<String>,
    /// Its own title; the article may have another.
    pub title: Option<String>,
    /// Where it is meant to be shared.
    pub channel: Option<String>,
    /// The campaign it belongs to.
    pub campaign: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// For colleagues.
    pub note: Option<String>,
    /// The story it is about; null only for a reserved code.
    pub article: Option<ArticleView>,
    /// Where it is in its life.
    #[schema(value_type = String, example = "active")]
    pub status: Status,
    /// What a check of its target found; null while nothing is known to be wrong.
    pub broken: Option<BrokenView>,
    /// When it opens.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// When it closes.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Where visits go then.
    pub expired_url: Option<String>,
    /// What readers are told while it is closed.
    pub message: Option<String>,
    /// 301, 302, 307 or 308.
    pub redirect_status: u16,
    /// Appends a visit's query to the target's.
    pub forward_query: bool,
    /// Shown only to its creator and admins until it opens.
    pub confidential: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// How it was made.
    #[schema(value_type = String, example = "api")]
    pub via: Via,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Send it back with a change.
    pub version: u64,
    /// All hits, ever; null while the store cannot be asked.
    pub totals: Option<TotalsView>,
}

/// What is wrong with a link's target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Broken)]
pub struct BrokenView {
    /// Since when it is known.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What its site answers; null if it cannot be reached, or leads to its home page.
    pub status: Option<u16>,
    /// Where it lives now, if its site says so: a proposal.
    pub proposal: Option<String>,
}

impl From<&Broken> for BrokenView {
    fn from(broken: &Broken) -> BrokenView {
        let Broken { since, status, proposal, .. } = broken.clone();
        BrokenView { since, status, proposal }
    }
}

/// True if a link's title and target are shown to its maker and admins alone: it is confidential and not open yet.
#[must_use]
pub fn is_hidden(found: &Found, viewer: Option<&Actor>, now: Timestamp) -> bool {
    let link = &found.link;
    viewer.map_or_else(|| link.is_secret(now), |viewer| link.is_hidden_from(viewer, now))
}

/// A story.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Article)]
pub struct ArticleView {
    /// Ours, opaque.
    pub id: String,
    /// The CMS's.
    pub cms_id: Option<String>,
    /// Its normalised address.
    pub url: String,
    /// Headline.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Address of its picture.
    pub image: Option<String>,
    /// Section.
    pub section: Option<String>,
    /// Names.
    pub authors: Vec<String>,
    /// When it was published.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published_at: Option<Timestamp>,
    /// When it was last changed by the newsroom.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_at: Option<Timestamp>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// The host it lives on.
    pub site: String,
    /// True if it was taken back.
    pub withdrawn: bool,
    /// Where its links lead instead then.
    pub replacement_url: Option<String>,
    /// What readers are told then.
    pub message: Option<String>,
    /// The article that it turned out to be, and that has its links now.
    pub merged_into: Option<String>,
    /// What staff noted of it, by time.
    #[schema(value_type = Vec<Object>)]
    pub notes: Vec<Note>,
    /// Send it back with a change.
    pub version: u64,
    /// Its links; on its own call only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub links: Option<Vec<LinkView>>,
}

impl LinkView {
    /// How a link looks to `viewer` at `now`; None for one who is not known.
    #[must_use]
    pub fn new(
        found: &Found,
        totals: Option<Counts>,
        public_url: &str,
        viewer: Option<&Actor>,
        now: Timestamp,
    ) -> LinkView {
        let link = &found.link;
        let hidden = is_hidden(found, viewer, now);
        let shown = |text: &Option<String>| text.clone().filter(|_| !hidden);
        LinkView {
            code: link.code.to_string(),
            short_url: format!("{public_url}/{}", link.code),
            target: shown(&link.target),
            title: shown(&link.title),
            channel: link.channel.clone(),
            campaign: link.campaign.clone(),
            tags: link.tags.clone(),
            note: shown(&link.note),
            article: found.article.as_deref().filter(|_| !hidden).map(ArticleView::new),
            status: found.status(now),
            broken: link.broken.as_ref().filter(|_| !hidden).map(BrokenView::from),
            not_before: link.not_before,
            expires_at: link.expires_at,
            expired_url: link.expired_url.clone(),
            message: link.message.clone(),
            redirect_status: link.redirect_status,
            forward_query: link.forward_query,
            confidential: link.confidential,
            created_at: link.created_at,
            created_by: link.created_by.clone(),
            via: link.via,
            updated_at: link.updated_at,
            version: link.version,
            totals: totals.map(|t| TotalsView {
                clicks: t.clicks,
                uniques: t.uniques,
                previews: t.previews,
                bots: t.bots,
            }),
        }
    }
}

impl ArticleView {
    /// How an article looks from outside, without its links.
    #[must_use]
    pub fn new(article: &Article) -> ArticleView {
        let facts = article.facts.clone();
        ArticleView {
            id: article.id.0.to_string(),
            cms_id: article.cms_id.clone(),
            url: article.url.clone(),
            title: facts.title,
            description: facts.description,
            image: facts.image,
            section: facts.section,
            authors: facts.authors,
            published_at: facts.published_at,
            modified_at: facts.modified_at,
            language: facts.language,
            site: article.site.clone(),
            withdrawn: article.withdrawn,
            replacement_url: article.replacement_url.clone(),
            message: article.message.clone(),
            merged_into: article.merged_into.as_ref().map(|id| id.0.to_string()),
            notes: article.notes.clone(),
            version: article.version,
            links: None,
        }
    }
}
