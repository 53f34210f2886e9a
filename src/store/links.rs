//! What a store of links must do.
//!
//! Every write compares versions, carries a random request tag and is durable when it returns; a link is written
//! whole or not at all. A retry with the same tag meets its own record. Each write that readers must see is in the
//! change feed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::Result;
use crate::domain::article::{Article, ArticleFacts, ArticleId, PageState, fill};
use crate::domain::code::{Code, Codes};
use crate::domain::link::{Broken, Found, HistoryEntry, Link, Status, Via};

/// The random name of one write; the same in every retry of it.
pub type RequestTag = u64;

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Names this request.
    pub tag: RequestTag,
    /// Which codes it may get.
    pub code: NewCode,
    /// Which story it is about; None reserves a code.
    pub article: Option<ArticleClaim>,
    /// All else. Its `code` and `article` are filled in by the store; and it follows its article if it says so, or
    /// if its target is the article's `url`, and leads where that lives ([`Link::follow`]).
    pub link: Link,
    /// Makes a link even if its slot is taken; a free one is its own.
    pub force_new: bool,
}

/// Which code a new link gets.
#[derive(Clone, Debug)]
pub enum NewCode {
    /// This one or none.
    Chosen(Code),
    /// One of these that is free. Which of them is the store's choice, and the same in each retry.
    Drawn(Codes),
}

/// How the story of a new link is known: by CMS id within its site, then by address, then by aliases. One that was
/// merged into another means that other.
#[derive(Clone, Debug)]
pub struct ArticleClaim {
    /// The id it gets if it is new.
    pub new_id: ArticleId,
    /// Its normalised address.
    pub url: String,
    /// The spelling of it that readers are led to, if it is new; None for `url` itself.
    pub address: Option<String>,
    /// The host it lives on.
    pub site: String,
    /// The CMS's id; it wins over the address within its site.
    pub cms_id: Option<String>,
    /// Other normalised addresses of it. They become its aliases as far as nobody else has them and there is room. If
    /// nothing else of the claim is known, the story that has one of them is meant.
    pub aliases: Vec<String>,
    /// What the CMS or staff say of it; fills what neither has said yet.
    pub facts: ArticleFacts,
    /// What its page says of it.
    pub page: Option<ArticleFacts>,
    /// What came of reading its page, if somebody has tried to.
    pub read: Option<PageState>,
}

impl ArticleClaim {
    /// The story that it makes, if nobody knows it. Times are whole milliseconds, as they are kept.
    #[must_use]
    pub fn story(&self, now: Timestamp) -> Article {
        let mut article = Article::new(self.new_id.clone(), self.url.clone(), self.site.clone(), now);
        article.move_to(self.url.clone(), self.address.clone());
        article.cms_id.clone_from(&self.cms_id);
        article.fill(&self.facts);
        article.hear(&self.page.clone().unwrap_or_default());
        article.read = self.read.unwrap_or_default();
        article.at_times(millisecond)
    }

    /// Adds what it says to its story, which is a version on if that is anything new. True if the record is another.
    pub fn tell(&self, article: &mut Article, now: Timestamp) -> bool {
        let before = article.read;
        let cms_id = self.cms_id.as_ref().filter(|_| article.site == self.site);
        let mut news = fill(&mut article.cms_id, cms_id);
        news |= article.fill(&self.facts.clone().at_times(millisecond));
        if let Some(page) = &self.page {
            news |= article.hear(&page.clone().at_times(millisecond));
        }
        if news {
            article.version += 1;
            article.updated_at = now;
        }
        if let Some(read) = self.read {
            article.read = read.at_times(millisecond);
        }
        news || article.read != before
    }
}

/// The precision in which every store keeps times.
fn millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// What came of a [`NewLink`].
#[derive(Clone, Debug)]
pub enum Creation {
    /// It was made (now, or by an earlier try with the same tag).
    Created(Found),
    /// This live link had the slot, or the chosen code for the same article; nothing of it was changed. Facts of
    /// the claim fill what its story did not know.
    Existing(Found),
    /// The chosen code is another story's, or retired; nothing was changed.
    Taken(Found),
    /// None of the drawn codes was free; draw others.
    NoneFree,
}

/// A change of a link: a whole record that replaces version `version - 1`.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Names this request.
    pub tag: RequestTag,
    /// The record as it shall be; its `version` is one more than the one that was read.
    pub link: Link,
    /// Its line in the history.
    pub entry: HistoryEntry,
    /// What becomes of its slot.
    pub slot: SlotWish,
    /// For a reserved code that gets its first target: the story to find or make and put into `link.article`
    /// (as with a new link).
    pub article: Option<ArticleClaim>,
}

/// What becomes of an edited link's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotWish {
    /// (channel, campaign, target) and article are as they were.
    Keep,
    /// One of them changed: the new slot must be free and is claimed.
    Claim,
    /// The same, but where another link holds the new slot, this one goes on without. For a link that comes to another
    /// article, this is the least that can be wished.
    ClaimIfFree,
}

impl SlotWish {
    /// The wish, or what a link that comes to another article wishes at least. One without an article had no slot.
    #[must_use]
    pub fn at_least(self, from: Option<&ArticleId>, to: Option<&ArticleId>) -> SlotWish {
        match self {
            SlotWish::Keep if from.is_some() && from != to => SlotWish::ClaimIfFree,
            wish => wish,
        }
    }
}

/// What came of an [`Edit`].
#[derive(Clone, Debug)]
pub enum Edited {
    /// It was changed (now, or by an earlier try with the same tag).
    Changed(Found),
    /// It has another version; this is what it is.
    Stale(Found),
    /// Another link holds the slot it would have.
    SlotHeld(Found),
    /// No such link.
    NotFound,
}

/// A change of an article: a whole record that replaces version `version - 1`; version 1 makes it. Links that follow
/// it lead to its new address at once.
#[derive(Clone, Debug)]
pub struct ArticleEdit {
    /// Names this request.
    pub tag: RequestTag,
    /// The record as it shall be; its `version` is one more than the one that was read. A CMS id that it has stays.
    pub article: Article,
    /// Its line in the history; None for what only a page says.
    pub entry: Option<HistoryEntry>,
    /// Addresses that become its aliases, as far as nobody else has them and there is room.
    pub aliases: Vec<String>,
    /// Aliases that are taken from another article: the address, and whose it is now. One that is not that article's
    /// any more, or is its own address, stays where it is.
    pub take: Vec<(String, ArticleId)>,
}

/// What came of an [`ArticleEdit`].
#[derive(Clone, Debug)]
pub enum ArticleEdited {
    /// It was changed (now, or by an earlier try with the same tag).
    Changed(Arc<Article>),
    /// It has another version; this is what it is.
    Stale(Arc<Article>),
    /// Its new address or CMS id is this other article's.
    AddressHeld(Arc<Article>),
    /// It was to be merged into this one, which is not older ([`Article::yields_to`]).
    NotOlder(Arc<Article>),
    /// No such article, or none to merge into.
    NotFound,
}

/// Which links a list shows. All given filters must hold; strings are compared exactly, `q` is contained
/// (without regard to ASCII case) in code, title, target or note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkFilter {
    /// Words of the search box.
    pub q: Option<String>,
    /// The article's section.
    pub section: Option<String>,
    /// One of the article's authors.
    pub author: Option<String>,
    /// The link's channel.
    pub channel: Option<String>,
    /// The link's campaign.
    pub campaign: Option<String>,
    /// One of the link's tags.
    pub tag: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// How it was made.
    pub via: Option<Via>,
    /// Its status at `now` of the call.
    pub status: Option<Status>,
    /// Only links whose target is broken.
    pub broken: bool,
    /// Its article.
    pub article: Option<ArticleId>,
    /// Leaves out links that are secret at `now` of the call to whoever is not this one ([`Link::is_secret`]).
    pub viewer: Option<String>,
    /// Made at or after.
    pub from: Option<Timestamp>,
    /// Made before.
    pub to: Option<Timestamp>,
}

/// What a list is sorted by; ties by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkOrder {
    /// When it was made.
    Created,
    /// When it last changed.
    Updated,
    /// Its code.
    Code,
    /// Its title, or its article's; links without one come first.
    Title,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct LinkPage {
    /// Which links.
    pub filter: LinkFilter,
    /// In which order.
    pub order: LinkOrder,
    /// From the largest down.
    pub descending: bool,
    /// After the link with this (sort key, code), both as [`LinkOrder::key_of`] gives them.
    pub after: Option<(String, String)>,
    /// At most so many, 1 to 1,000.
    pub limit: usize,
}

impl LinkOrder {
    /// Reads what a list is sorted by and whether from the largest down: `created`, `updated`, `code`, `title`, with `-`
    /// for descending.
    #[must_use]
    pub fn parse(text: &str) -> Option<(LinkOrder, bool)> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let order = match name {
            "created" => LinkOrder::Created,
            "updated" => LinkOrder::Updated,
            "code" => LinkOrder::Code,
            "title" => LinkOrder::Title,
            _ => return None,
        };
        Some((order, descending))
    }

    /// The sort key of a link as text that a cursor can hold: milliseconds for times, else the text itself.
    #[must_use]
    pub fn key_of(self, found: &Found) -> String {
        let link = &found.link;
        match self {
            LinkOrder::Created => link.created_at.as_millisecond().to_string(),
            LinkOrder::Updated => link.updated_at.as_millisecond().to_string(),
            LinkOrder::Code => link.code.as_str().to_owned(),
            LinkOrder::Title => link
                .title
                .clone()
                .or_else(|| found.article.as_ref().and_then(|a| a.facts.title.clone()))
                .unwrap_or_default(),
        }
    }
}

/// How an article is asked for.
#[derive(Clone, Debug)]
pub enum ArticleKey {
    /// By our id.
    Id(ArticleId),
    /// By one of its addresses, normalised. One that was merged into another gives that other, as with CMS ids.
    Url(String),
    /// By the CMS's id; if several sites use it, the oldest article's.
    CmsId(String),
    /// By the CMS's id within its site.
    CmsIdIn {
        /// The site.
        site: String,
        /// The id.
        id: String,
    },
}

/// What changed since a version of the change feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The version now.
    pub version: u64,
    /// Folded codes of changed links, each at least once; None if the feed does not go back that far, so that
    /// everything may have changed.
    pub keys: Option<Vec<String>>,
    /// True if keys or users changed.
    pub accounts: bool,
    /// For how long something may have changed that is not told here yet.
    pub behind: Duration,
}

/// Links, articles and their history.
#[async_trait]
pub trait Links: Send + Sync {
    /// All links whose code folds to `key` (more than one only by import), oldest first, with their articles.
    async fn find(&self, key: &str) -> Result<Vec<Found>>;

    /// The links of these folded codes, in no order; unknown ones are left out. At most 10,000 keys.
    async fn find_many(&self, keys: &[String]) -> Result<Vec<Found>>;

    /// How many codes to draw for a new link. A store of many lanes wants more, so that one lies where the link's
    /// article does; it takes fewer as well.
    fn wanted_codes(&self) -> usize {
        4
    }

    /// Makes links; each outcome is its own, and what is made is durable when this returns. Of links that have a
    /// story or code in common, the first is made first. After an error some may have been made: the same call
    /// again is told of them.
    async fn create(&self, new: Vec<NewLink>, now: Timestamp) -> Result<Vec<Creation>>;

    /// Replaces a link's record if it still is at the version before.
    async fn edit(&self, edit: Edit, now: Timestamp) -> Result<Edited>;

    /// Says what is wrong with a link's target, or that nothing is. That is no change of the link: its version stays.
    /// False, and nothing is said, if there is no such link or it does not lead to `seen_target` any more.
    async fn set_broken(&self, code: &Code, broken: Option<Broken>, seen_target: &str) -> Result<bool>;

    /// Replaces an article's record if it still is at the version before, or makes it.
    async fn edit_article(&self, edit: ArticleEdit) -> Result<ArticleEdited>;

    /// An article's changes, newest first, before version `before` if given, at most `limit`.
    async fn article_history(
        &self,
        id: &ArticleId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>>;

    /// Articles whose page is to be looked at by `now`, the longest due first, at most `limit`. May lag a little.
    async fn articles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<Article>>>;

    /// Blanks all of an article, and of those merged into it, that must not be read any more, with its links, which
    /// lead nowhere from then on, and the histories of all. Codes and numbers stay. Its addresses are free for another
    /// article. Again is the same, and goes on after an error. None if there is no such article.
    async fn redact(&self, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Arc<Article>>>;

    /// A page of links.
    async fn list(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Found>>;

    /// A link's changes, newest first, before version `before` if given, at most `limit`.
    async fn history(&self, code: &Code, before: Option<u64>, limit: usize) -> Result<Vec<HistoryEntry>>;

    /// An article. By id it is the record itself, also of one that was merged into another.
    async fn article(&self, key: ArticleKey) -> Result<Option<Arc<Article>>>;

    /// How many links there are, retired ones too. May lag by a minute.
    async fn count(&self) -> Result<u64>;

    /// The change feed since `version`; 0 asks only for the version now, which is never 0.
    async fn changes_since(&self, version: u64) -> Result<Changes>;

    /// Wakes whoever follows the change feed: it holds the feed's version, as far as this process has seen it
    /// without asking.
    fn changed(&self) -> watch::Receiver<u64>;

    /// Everything this trait keeps, in the export's order, page by page: a page begins after `after` (opaque,
    /// from the page before); an empty page ends it.
    async fn export(&self, after: Option<String>) -> Result<ExportPage>;

    /// Puts back what `export` gave; what is already there is left as it is, and what is put back is durable when
    /// this returns. An item that cannot be (a code that another link has, a story that is not there) is refused in
    /// words, alone. After an error some items may be back: the same call again goes on.
    async fn import(&self, items: Vec<ExportItem>) -> Result<Vec<std::result::Result<(), String>>>;
}

/// A page of an export.
#[derive(Clone, Debug, Default)]
pub struct ExportPage {
    /// Its items.
    pub items: Vec<ExportItem>,
    /// Where the next page begins.
    pub after: Option<String>,
}

/// One thing that is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportItem {
    /// A story; comes before its links.
    Article(Article),
    /// Another address, or the CMS id, of a story.
    Alias {
        /// `url` or `cms_id`.
        kind: String,
        /// For `cms_id`, the site it counts in; else "".
        site: String,
        /// The address or id.
        value: String,
        /// Whose.
        article: ArticleId,
    },
    /// A line of an article's history.
    ArticleHistory {
        /// Whose.
        article: ArticleId,
        /// The line.
        entry: HistoryEntry,
    },
    /// A link, and whether it holds its slot.
    Link {
        /// The record.
        link: Link,
        /// True if asking again for the same gives this link.
        holds_slot: bool,
    },
    /// A line of a link's history.
    History {
        /// Whose.
        code: Code,
        /// The line.
        entry: HistoryEntry,
    },
}
