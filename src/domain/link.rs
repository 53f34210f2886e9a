//! A link: a code, its target, who made it, and its life.
//!
//! Guarantees that a link's status follows from its fields and the time alone. Knows nothing of how it is kept.

use std::sync::Arc;

use jiff::Timestamp;

use super::access::{Actor, Role};
use super::article::{Article, ArticleId};
use super::code::Code;
pub use super::history::HistoryEntry;
use super::hit::MissedReason;
use super::target::{with_added, without_added};

/// Most tags of a link, and the longest, in characters.
pub const MAX_TAGS: usize = 20;
/// Longest tag, in characters.
pub const MAX_TAG: usize = 50;
/// Longest title, in characters.
pub const MAX_TITLE: usize = 300;
/// Longest note or message, in characters.
pub const MAX_NOTE: usize = 2_000;
/// Longest channel or campaign name, in characters.
pub const MAX_CHANNEL: usize = 50;
/// Statuses a redirect may have.
pub const REDIRECT_STATUSES: [u16; 4] = [301, 302, 307, 308];

/// How a link was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Through the API.
    Api,
    /// On a page.
    Page,
    /// By the bookmarklet.
    Bookmarklet,
    /// By the button on an article.
    Button,
    /// By an import.
    Import,
}

impl Via {
    /// The contract's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Api => "api",
            Via::Page => "page",
            Via::Bookmarklet => "bookmarklet",
            Via::Button => "button",
            Via::Import => "import",
        }
    }

    /// Reads the contract's spelling.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Via> {
        [Via::Api, Via::Page, Via::Bookmarklet, Via::Button, Via::Import]
            .into_iter()
            .find(|v| v.as_str() == name)
    }
}

/// Where a link is in its life. The first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// For good; the code is never given away.
    Retired,
    /// Its article was taken back.
    Withdrawn,
    /// Switched off by hand.
    Disabled,
    /// Past its `expires_at`.
    Expired,
    /// A code without a target yet.
    Reserved,
    /// Before its `not_before`.
    Scheduled,
    /// Leads on.
    Active,
}

impl Status {
    /// The contract's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Retired => "retired",
            Status::Withdrawn => "withdrawn",
            Status::Disabled => "disabled",
            Status::Expired => "expired",
            Status::Reserved => "reserved",
            Status::Scheduled => "scheduled",
            Status::Active => "active",
        }
    }

    /// Reads the contract's spelling.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Status> {
        [
            Status::Retired,
            Status::Withdrawn,
            Status::Disabled,
            Status::Expired,
            Status::Reserved,
            Status::Scheduled,
            Status::Active,
        ]
        .into_iter()
        .find(|s| s.as_str() == name)
    }

    /// The reason a visit to a link of this status is missed; None if it is not.
    #[must_use]
    pub fn missed(self) -> Option<MissedReason> {
        match self {
            Status::Active => None,
            Status::Reserved | Status::Scheduled => Some(MissedReason::NotOpen),
            Status::Withdrawn => Some(MissedReason::Withdrawn),
            Status::Disabled => Some(MissedReason::Disabled),
            Status::Expired => Some(MissedReason::Expired),
            Status::Retired => Some(MissedReason::Retired),
        }
    }
}

/// What a look at a link's target found wrong. It is about one target: a link that leads elsewhere is not broken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broken {
    /// The target that was looked at.
    pub target: String,
    /// Since when it is known.
    pub since: Timestamp,
    /// What the target's host answered; None if nobody did.
    pub status: Option<u16>,
    /// Where the target has gone, if it says so.
    pub proposal: Option<String>,
}

/// A link as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its code, as its maker spelt it.
    pub code: Code,
    /// Where it leads; None for a reserved code.
    pub target: Option<String>,
    /// The version at which this target was set (1 for the first).
    pub target_version: u32,
    /// The story it is about; None only for a reserved code.
    pub article: Option<ArticleId>,
    /// True while its target is its article's own address, so that it moves with the article.
    pub follows_article: bool,
    /// What its channel adds to its target's query (`utm_source=x`), wherever its story moves.
    pub added: Option<String>,
    /// A title of its own; else the article's is shown.
    pub title: Option<String>,
    /// Where it is meant to be shared.
    pub channel: Option<String>,
    /// The campaign it belongs to.
    pub campaign: Option<String>,
    /// Free words, sorted, without duplicates.
    pub tags: Vec<String>,
    /// For colleagues.
    pub note: Option<String>,
    /// Opens at this time.
    pub not_before: Option<Timestamp>,
    /// Closes at this time.
    pub expires_at: Option<Timestamp>,
    /// Where visits go after that, instead of a notice.
    pub expired_url: Option<String>,
    /// Shown to readers while it is closed.
    pub message: Option<String>,
    /// 301, 302, 307 or 308.
    pub redirect_status: u16,
    /// Appends the request's query to the target's.
    pub forward_query: bool,
    /// Until it opens, title and target are shown to its maker and admins alone.
    pub confidential: bool,
    /// Switched off by hand.
    pub disabled: bool,
    /// What is wrong with its target.
    pub broken: Option<Broken>,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// How it was made.
    pub via: Via,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// 1 at first, each change adds 1.
    pub version: u64,
}

impl Link {
    /// Its status at `now`, if its article is `withdrawn` or is not. Who has the article asks [`Found::status`].
    #[must_use]
    pub fn status(&self, withdrawn: bool, now: Timestamp) -> Status {
        if self.retired_at.is_some() {
            Status::Retired
        } else if withdrawn {
            Status::Withdrawn
        } else if self.disabled {
            Status::Disabled
        } else if self.expires_at.is_some_and(|t| t <= now) {
            Status::Expired
        } else if self.target.is_none() {
            Status::Reserved
        } else if self.not_before.is_some_and(|t| now < t) {
            Status::Scheduled
        } else {
            Status::Active
        }
    }

    /// True while its title and target are for its maker and admins alone.
    #[must_use]
    pub fn is_secret(&self, now: Timestamp) -> bool {
        self.confidential && self.not_before.is_some_and(|opens| now < opens)
    }

    /// True if its title and target are for others than this one, still.
    #[must_use]
    pub fn is_hidden_from(&self, viewer: &Actor, now: Timestamp) -> bool {
        self.is_secret(now) && viewer.role != Role::Admin && viewer.name != self.created_by
    }

    /// Leaves out what was said of another target than the one it has.
    pub fn settle_broken(&mut self) {
        if self.broken.as_ref().is_some_and(|broken| Some(&broken.target) != self.target.as_ref()) {
            self.broken = None;
        }
    }

    /// True if nothing is left of it that must not be read any more.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.disabled
            && self.target.is_none()
            && [&self.title, &self.note, &self.message, &self.expired_url].iter().all(|text| text.is_none())
            && self.broken.is_none()
    }

    /// The link without anything that must not be read any more, one version on: it leads nowhere and says nothing.
    #[must_use]
    pub fn redacted(&self, at: Timestamp) -> Link {
        Link {
            target: None,
            follows_article: false,
            added: None,
            title: None,
            note: None,
            message: None,
            expired_url: None,
            broken: None,
            disabled: true,
            updated_at: at,
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }

    /// Leads a link to where its article lives, if it follows it; what its channel adds stays.
    pub fn follow(&mut self, article: &Article) {
        if self.follows_article {
            self.target = Some(with_added(article.address(), self.added.as_deref()));
        }
    }

    /// The link as one of this article, which it follows if it says so or has the article's address.
    #[must_use]
    pub fn in_article(&self, article: &Article) -> Link {
        let own = self.target.as_ref() == Some(&article.url);
        let follows_article = self.target.is_some() && (self.follows_article || own);
        let mut link = Link { article: Some(article.id.clone()), follows_article, ..self.clone() };
        link.follow(article);
        link
    }

    /// The place this link would hold among its article's links: no two live links made on request share one.
    /// None for a reserved code.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        let target = match (&self.target, self.follows_article) {
            (None, _) => return None,
            (Some(_), true) => SlotTarget::Own,
            (Some(url), false) => SlotTarget::Other(without_added(url, self.added.as_deref())),
        };
        Some(Slot {
            article: self.article.clone()?,
            channel: self.channel.clone(),
            campaign: self.campaign.clone(),
            target,
        })
    }
}

/// (article, channel, campaign, target): asking twice for the same gives the same link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The story.
    pub article: ArticleId,
    /// The channel.
    pub channel: Option<String>,
    /// The campaign.
    pub campaign: Option<String>,
    /// Where it leads.
    pub target: SlotTarget,
}

/// The target part of a [`Slot`]; a move of the article rewrites no slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SlotTarget {
    /// The article's own address, whatever it is now.
    Own,
    /// Another address.
    Other(String),
}

/// A link with its article, as every surface shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The link.
    pub link: Arc<Link>,
    /// Its article; None only for a reserved code.
    pub article: Option<Arc<Article>>,
}

impl Found {
    /// Its status at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        self.link.status(self.article.as_ref().is_some_and(|article| article.withdrawn), now)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn link(code: &str) -> Link {
        Link {
            code: Code::parse(code).unwrap(),
            target: Some("https://news.example.com/a".into()),
            target_version: 1,
            article: Some(ArticleId("a1".into())),
            follows_article: true,
            added: None,
            title: None,
            channel: None,
            campaign: None,
            tags: vec![],
            note: None,
            not_before: None,
            expires_at: None,
            expired_url: None,
            message: None,
            redirect_status: 302,
            forward_query: false,
            confidential: false,
            disabled: false,
            broken: None,
            retired_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: "key:a".into(),
            via: Via::Api,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    #[test]
    fn status_is_the_first_that_holds() {
        let now = Timestamp::from_second(1_000).unwrap();
        let at = |s| Some(Timestamp::from_second(s).unwrap());
        assert_eq!(link("a").status(false, now), Status::Active);
        let l = Link { not_before: at(1_001), ..link("a") };
        assert_eq!(l.status(false, now), Status::Scheduled);
        let l = Link { not_before: at(1_000), ..link("a") };
        assert_eq!(l.status(false, now), Status::Active);
        let l = Link { target: None, ..l };
        assert_eq!(l.status(false, now), Status::Reserved);
        let l = Link { expires_at: at(1_000), ..l };
        assert_eq!(l.status(false, now), Status::Expired);
        let l = Link { disabled: true, ..l };
        assert_eq!(l.status(false, now), Status::Disabled);
        assert_eq!(l.status(true, now), Status::Withdrawn);
        let l = Link { retired_at: at(1), ..l };
        assert_eq!(l.status(true, now), Status::Retired);
    }

    #[test]
    fn what_was_said_of_another_target_is_left_out() {
        let broken = Broken {
            target: "https://news.example.com/a".into(),
            since: Timestamp::UNIX_EPOCH,
            status: Some(404),
            proposal: None,
        };
        let mut l = Link { broken: Some(broken), ..link("a") };
        l.settle_broken();
        assert!(l.broken.is_some());
        l.target = Some("https://news.example.com/b".into());
        l.settle_broken();
        assert!(l.broken.is_none());
    }

    #[test]
    fn nothing_readable_is_left_of_a_redacted_link() {
        let l = Link { title: Some("t".into()), note: Some("n".into()), ..link("a") };
        let left = l.redacted(Timestamp::UNIX_EPOCH);
        assert!(left.is_redacted() && !l.is_redacted());
        assert_eq!((left.version, left.slot()), (2, None));
        let mut line = HistoryEntry::birth(&Link { channel: Some("x".into()), ..l });
        assert!(line.redact() && !line.redact());
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains("news.example.com") && text.contains("\"x\""), "{text}");
    }
}
