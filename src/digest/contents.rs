//! What a digest says: the numbers of its days beside the same weekdays before, and what was most read.
//!
//! Guarantees that it says nothing that a viewer might not see when it is put together: no story that is secret to
//! anybody, none that was withdrawn or redacted. Texts of others are on one line and not too long.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::mail::one_line;
use super::period::Period;
use super::{DigestService, Result};
use crate::domain::access::{Actor, Role};
use crate::domain::article::ArticleId;
use crate::domain::link::Found;
use crate::domain::numbers::{change, number};
use crate::domain::report::{Compare, Range, ReportScope};
use crate::links;
use crate::reports::{By, Order, Question, TopRow};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::webhooks::message::in_a_sentence;

/// Stories that are named.
const STORIES: usize = 8;
/// Stories that are looked at, because some may not be named.
const LOOKED_AT: usize = 40;
/// Sections and sources that are named.
const NAMES: usize = 5;
/// Broken links that are named, and looked at.
const BROKEN: usize = 5;
const BROKEN_LOOKED_AT: usize = 100;
/// Links of a page, and pages, when new ones are counted.
const PAGE: usize = 1_000;
const PAGES: usize = 20;
/// Longest text of others, in characters.
const LONGEST: usize = 160;

/// A number, and what it was before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// In the digest's days.
    pub now: u64,
    /// On the same weekdays before.
    pub before: u64,
}

impl Number {
    /// With separators.
    #[must_use]
    pub fn shown(&self) -> String {
        number(self.now)
    }

    /// How it changed, in brackets after a blank; "" for what cannot be said.
    #[must_use]
    pub fn change(&self) -> String {
        match change(self.now, self.before).0 {
            text if text.is_empty() => text,
            text => format!(" ({text})"),
        }
    }
}

/// A story, a section, a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What it is called.
    pub name: String,
    /// Its page; "" for none.
    pub url: String,
    /// Clicks.
    pub clicks: Number,
}

/// A link whose target is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenLink {
    /// Its code.
    pub code: String,
    /// What it is called; its code, if nothing.
    pub name: String,
    /// Its page.
    pub url: String,
}

/// All that a digest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Whose.
    pub newsroom: String,
    /// The days, in words.
    pub days: String,
    /// What they are called beside others: "day" or "week".
    pub unit: &'static str,
    /// The first and the last day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// The zone that days begin in.
    pub zone: String,
    /// Clicks.
    pub clicks: Number,
    /// Unique readers, an estimate.
    pub readers: Number,
    /// Links that were made.
    pub new_links: u64,
    /// The most read stories.
    pub stories: Vec<Named>,
    /// The most read sections.
    pub sections: Vec<Named>,
    /// Where most came from.
    pub sources: Vec<Named>,
    /// Links whose targets are not there, now.
    pub broken: Vec<BrokenLink>,
    /// There are more of them.
    pub more_broken: bool,
    /// The page with all numbers of these days.
    pub report_url: String,
    /// The list of broken links.
    pub broken_url: String,
}

impl Contents {
    /// New links, with separators.
    #[must_use]
    pub fn new_links(&self) -> String {
        number(self.new_links)
    }

    /// Lists of names without pages, each with its heading.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &[Named]); 2] {
        [("Sections", &self.sections), ("Where readers came from", &self.sources)]
    }
}

impl Contents {
    /// In one sentence or two, for chats.
    #[must_use]
    pub fn text(&self) -> String {
        let (clicks, readers) = (&self.clicks, &self.readers);
        let mut text = format!(
            "{}: {} clicks{}, {} unique readers (estimate){}.",
            self.days,
            clicks.shown(),
            clicks.change(),
            readers.shown(),
            readers.change()
        );
        for (story, place) in self.stories.iter().take(3).zip(1..) {
            let separator = if place == 1 { " Most read: " } else { "; " };
            text.push_str(&format!(
                "{separator}{place}. {} ({})",
                in_a_sentence(&story.name),
                story.clicks.shown()
            ));
        }
        text
    }

    /// For programs.
    #[must_use]
    pub fn data(&self) -> Value {
        let of = |number: &Number| json!({ "now": number.now, "before": number.before });
        let named = |all: &[Named]| -> Vec<Value> {
            let one = |its: &Named| {
                let url = Some(&its.url).filter(|url| !url.is_empty());
                json!({ "name": its.name, "url": url, "clicks": of(&its.clicks) })
            };
            all.iter().map(one).collect()
        };
        let broken: Vec<Value> = self
            .broken
            .iter()
            .map(|link| json!({ "code": link.code, "name": link.name, "url": link.url }))
            .collect();
        json!({
            "from": self.from,
            "to": self.to,
            "timezone": self.zone,
            "clicks": of(&self.clicks),
            "uniques": of(&self.readers),
            "new_links": self.new_links,
            "stories": named(&self.stories),
            "sections": named(&self.sections),
            "sources": named(&self.sources),
            "broken": broken,
            "report_url": self.report_url,
        })
    }
}

/// Somebody who may see what everybody of staff may, and has made nothing.
fn anybody() -> Actor {
    Actor { name: "digest".into(), role: Role::Viewer }
}

/// A text of others as it may stand in a list.
fn plain(text: &str) -> String {
    let line = one_line(text.trim());
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\u{2026}", &line[..end]),
        None => line,
    }
}

impl DigestService {
    /// What the digest of a period says.
    ///
    /// # Errors
    /// The store's.
    pub async fn contents(&self, period: &Period, now: Timestamp) -> Result<Contents> {
        let calendar = self.needs.reports.calendar();
        let range = Range { from: calendar.start_of(period.first), to: calendar.start_of(period.end) };
        let before = range.before(Compare::Weekday, calendar);
        let asked = |range: Range| Question { scope: ReportScope::Site, range, now, as_of: now };
        let (asked, before) = (asked(range), asked(before));
        let (its, was) =
            (self.needs.reports.summary(&asked).await?, self.needs.reports.summary(&before).await?);
        let (from, to) = (
            crate::domain::calendar::date_of(period.first).to_string(),
            crate::domain::calendar::date_of(period.end.saturating_sub(1)).to_string(),
        );
        let (broken, more_broken) = self.broken(now).await?;
        let staff_url = &self.needs.staff_url;
        Ok(Contents {
            newsroom: plain(&self.needs.settings.now().config.newsroom.name),
            days: period.words(),
            unit: if period.every == super::Every::Daily { "day" } else { "week" },
            zone: calendar.zone_name(now),
            clicks: Number { now: its.counts.clicks, before: was.counts.clicks },
            readers: Number { now: its.counts.uniques, before: was.counts.uniques },
            new_links: self.new_links(range, now).await?,
            stories: self.stories(&asked, &before).await?,
            sections: self.named(&asked, &before, By::Section).await?,
            sources: self.named(&asked, &before, By::Source).await?,
            broken,
            more_broken,
            report_url: format!("{staff_url}/-/reports?from={from}&to={to}"),
            broken_url: format!("{staff_url}/-/links?status=broken"),
            from,
            to,
        })
    }

    async fn stories(&self, asked: &Question, before: &Question) -> Result<Vec<Named>> {
        let top = self.needs.reports.top(asked, By::Article, Order::Click, LOOKED_AT).await?;
        let was = self.needs.reports.counts_of(before, By::Article, &top.rows).await?;
        let mut stories = vec![];
        for (row, was) in top.rows.iter().zip(was).filter(|(row, _)| row.counts.clicks > 0) {
            if stories.len() == STORIES {
                break;
            }
            let id = ArticleId(row.value.as_str().into());
            let article = match self.needs.links.article_for(&id, &anybody(), asked.now).await {
                Ok((article, _)) => article,
                // It is secret, or has become a part of another meanwhile.
                Err(links::Error::Refused(_)) => continue,
                Err(links::Error::Store(error)) => return Err(error.into()),
            };
            if article.withdrawn || article.is_redacted() {
                continue;
            }
            let name = article.facts.title.as_deref().unwrap_or(&article.url);
            stories.push(Named {
                name: plain(name),
                url: format!("{}/-/articles/{}", self.needs.staff_url, article.id.0),
                clicks: Number { now: row.counts.clicks, before: was.clicks },
            });
        }
        Ok(stories)
    }

    async fn named(&self, asked: &Question, before: &Question, by: By) -> Result<Vec<Named>> {
        let top = self.needs.reports.top(asked, by, Order::Click, NAMES).await?;
        let was = self.needs.reports.counts_of(before, by, &top.rows).await?;
        let clicked = top.rows.iter().zip(was).filter(|(row, _)| row.counts.clicks > 0);
        let name = |row: &TopRow| if row.label.is_empty() { "Not known".into() } else { plain(&row.label) };
        Ok(clicked
            .map(|(row, was)| Named {
                name: name(row),
                url: String::new(),
                clicks: Number { now: row.counts.clicks, before: was.clicks },
            })
            .collect())
    }

    async fn broken(&self, now: Timestamp) -> Result<(Vec<BrokenLink>, bool)> {
        let filter = LinkFilter { broken: true, viewer: Some(anybody().name), ..LinkFilter::default() };
        let found = self.page(filter, None, BROKEN_LOOKED_AT, now).await?;
        let may_be_named = |found: &&Found| {
            let article = found.article.as_deref();
            !found.link.is_secret(now)
                && !found.link.is_redacted()
                && !article.is_some_and(|article| article.withdrawn || article.is_redacted())
        };
        let named: Vec<&Found> = found.iter().filter(may_be_named).collect();
        let of = |found: &&Found| {
            let (link, article) = (&found.link, found.article.as_deref());
            let title = link.title.as_deref().or(article.and_then(|article| article.facts.title.as_deref()));
            BrokenLink {
                code: link.code.to_string(),
                name: plain(title.unwrap_or(link.code.as_str())),
                url: format!("{}/-/links/{}", self.needs.staff_url, link.code),
            }
        };
        Ok((named.iter().take(BROKEN).map(of).collect(), named.len() > BROKEN))
    }

    async fn new_links(&self, range: Range, now: Timestamp) -> Result<u64> {
        let at = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let filter =
            LinkFilter { from: Some(at(range.from)), to: Some(at(range.to)), ..LinkFilter::default() };
        let (mut count, mut after) = (0, None);
        for _ in 0..PAGES {
            let found = self.page(filter.clone(), after, PAGE, now).await?;
            count += found.len();
            after = found.last().map(|last| (LinkOrder::Created.key_of(last), last.link.code.to_string()));
            if found.len() < PAGE {
                break;
            }
        }
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn page(
        &self,
        filter: LinkFilter,
        after: Option<(String, String)>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Found>> {
        let page = LinkPage { filter, order: LinkOrder::Created, descending: true, after, limit };
        Ok(self.needs.links.within(self.needs.links.store().list(page, now)).await?)
    }
}
