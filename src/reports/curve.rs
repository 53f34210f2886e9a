//! How a story does since it was published, beside the usual story of its section.
//!
//! Guarantees a bounded cost: at most [`STORIES`] stories with [`LINKS`] links in all are read, a week of hours each.
//! Ages that a story has not reached say nothing of it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{ReportService, Result};
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::Found;
use crate::domain::report::{Range, ReportScope};
use crate::domain::tally::{Scope, Series};
use crate::store;
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};

/// Hours that are shown: a week.
pub const AGES: usize = 168;
/// Most stories that make the usual one: the most recent.
const STORIES: usize = 200;
/// Most links of them.
const LINKS: usize = 2_000;
/// The usual story is of so many past days.
const DAYS_BACK: i64 = 30;
/// Links of those stories are looked for among the ones made within so many past days: some are made ahead.
const MADE_DAYS_BACK: i64 = 60;
/// At most so many pages of them are looked through.
const PAGES: usize = 5;
const PAGE: usize = 1_000;
const HOUR: i64 = 3_600;

/// Since when a story's hours are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Its own time of publication.
    Published,
    /// It has none: since its first link was made.
    Created,
}

impl Basis {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Published => "published",
            Basis::Created => "created",
        }
    }
}

/// What the section's stories had at an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// Half of them had at most this.
    pub median: u64,
    /// A quarter of them.
    pub q1: u64,
    /// Three quarters.
    pub q3: u64,
}

/// One hour of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurveRow {
    /// 0 is the hour in which it was published.
    pub age: usize,
    /// All clicks up to the end of it.
    pub clicks: u64,
    /// What is usual; None without stories to compare with.
    pub usual: Option<Usual>,
    /// How many stories that is of.
    pub stories: usize,
}

/// `GET /reports/curve`.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The story.
    pub article: Arc<Article>,
    /// Since when its age is counted.
    pub began: Timestamp,
    /// Why since then.
    pub basis: Basis,
    /// What the numbers really cover.
    pub range: Range,
    /// The ages that it has reached.
    pub rows: Vec<CurveRow>,
}

/// A story and what counts for it.
struct Story {
    article: Arc<Article>,
    codes: Vec<Arc<str>>,
    first_made: Timestamp,
}

impl Story {
    fn began(&self) -> (Timestamp, Basis) {
        let published = self.article.facts.published_at;
        published.map_or((self.first_made, Basis::Created), |at| (at, Basis::Published))
    }
}

/// Links as stories, in no order.
fn stories(links: impl IntoIterator<Item = Found>) -> Vec<Story> {
    let mut by_id: HashMap<ArticleId, Story> = HashMap::new();
    for found in links {
        let Some(article) = found.article else { continue };
        let (code, made) = (Arc::from(found.link.code.as_str()), found.link.created_at);
        let none = || Story { article: Arc::clone(&article), codes: vec![], first_made: made };
        let story = by_id.entry(article.id.clone()).or_insert_with(none);
        story.codes.push(code);
        story.first_made = story.first_made.min(made);
    }
    by_id.into_values().collect()
}

impl ReportService {
    /// The curve of an article.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn curve(&self, id: &ArticleId, now: Timestamp) -> Result<Curve> {
        let links = self.links_of(&ReportScope::Article(id.clone())).await?;
        let own = match stories(links).pop() {
            Some(story) => story,
            // Its only link may have gone to another story.
            None => {
                let article = self.article(id).await?;
                Story { first_made: article.created_at, codes: vec![], article }
            }
        };
        let (began, basis) = own.began();
        let begin = self.calendar().place(began.as_millisecond()).hour;
        let reached = match began <= now {
            true => reached(begin, now).saturating_add(1).min(AGES),
            false => 0,
        };
        let end = begin.saturating_add(i64::try_from(reached).unwrap_or(0) * HOUR);
        let range = Range { from: begin, to: end };
        // Of a story whose hours have gone nothing is said.
        let kept = self.hours_gone(range, now).await?.is_none();
        let own_clicks = match kept {
            true => self.clicks_by_age(&own.codes, begin, reached).await?,
            false => vec![],
        };
        let others = match &own.article.facts.section {
            Some(section) if !own_clicks.is_empty() => self.others(section, id, now).await?,
            _ => vec![],
        };
        let row = |(age, clicks): (usize, &u64)| {
            let mut at_age: Vec<u64> = others.iter().filter_map(|other| other.get(age).copied()).collect();
            at_age.sort_unstable();
            CurveRow { age, clicks: *clicks, usual: usual(&at_age), stories: at_age.len() }
        };
        let rows = own_clicks.iter().enumerate().map(row).collect();
        Ok(Curve { article: own.article, began, basis, range, rows })
    }

    /// The clicks of the section's other recent stories by age, as far as they have reached it.
    async fn others(&self, section: &str, id: &ArticleId, now: Timestamp) -> Result<Vec<Vec<u64>>> {
        let since = now - SignedDuration::from_hours(DAYS_BACK * 24);
        let mut recent = stories(self.recent_links(section, now).await?);
        recent.retain(|story| {
            let (began, _) = story.began();
            story.article.id != *id && began >= since && began <= now
        });
        recent.sort_by(|a, b| b.began().0.cmp(&a.began().0).then_with(|| a.article.id.cmp(&b.article.id)));
        let (mut others, mut links) = (vec![], 0);
        for story in recent.into_iter().take(STORIES) {
            links += story.codes.len();
            if links > LINKS {
                break;
            }
            let begin = self.calendar().place(story.began().0.as_millisecond()).hour;
            // Only whole hours: the one that is not over would make it look slow.
            others.push(self.clicks_by_age(&story.codes, begin, reached(begin, now).min(AGES)).await?);
        }
        Ok(others)
    }

    /// The latest links of a section.
    async fn recent_links(&self, section: &str, now: Timestamp) -> store::Result<Vec<Found>> {
        let mut links: Vec<Found> = vec![];
        for _ in 0..PAGES {
            let page = LinkPage {
                filter: LinkFilter {
                    section: Some(section.to_owned()),
                    from: Some(now - SignedDuration::from_hours(MADE_DAYS_BACK * 24)),
                    ..LinkFilter::default()
                },
                order: LinkOrder::Created,
                descending: true,
                after: links.last().map(|f| (LinkOrder::Created.key_of(f), f.link.code.to_string())),
                limit: PAGE,
            };
            let found = self.links.list(page, now).await?;
            let full = found.len() == PAGE;
            links.extend(found);
            if !full {
                break;
            }
        }
        Ok(links)
    }

    /// All clicks of these links up to each age.
    async fn clicks_by_age(&self, codes: &[Arc<str>], begin: i64, ages: usize) -> store::Result<Vec<u64>> {
        let mut clicks = vec![0; ages];
        let scopes: Vec<Scope> = codes.iter().map(|code| Scope::Link(Arc::clone(code))).collect();
        let end = begin.saturating_add(i64::try_from(ages).unwrap_or(0) * HOUR);
        for row in self.rows(&scopes, Series::Hour, begin, end).await? {
            let age = usize::try_from((row.bucket - begin) / HOUR).ok();
            if let Some(there) = age.and_then(|age| clicks.get_mut(age)) {
                *there += row.counts.clicks;
            }
        }
        let mut sum = 0;
        clicks.iter_mut().for_each(|here: &mut u64| {
            sum += *here;
            *here = sum;
        });
        Ok(clicks)
    }
}

/// How many hours have gone by since `begin`.
fn reached(begin: i64, now: Timestamp) -> usize {
    usize::try_from((now.as_second() - begin) / HOUR).unwrap_or(0)
}

/// Median and quartiles of ascending numbers, between two of them in proportion, rounded down.
fn usual(ascending: &[u64]) -> Option<Usual> {
    let quarters = |n: usize| {
        let place = ascending.len().checked_sub(1)? * n;
        let (low, part) = (*ascending.get(place / 4)?, u64::try_from(place % 4).ok()?);
        let high = ascending.get(place / 4 + 1).copied().unwrap_or(low);
        Some(low + (high - low) / 4 * part + (high - low) % 4 * part / 4)
    };
    Some(Usual { median: quarters(2)?, q1: quarters(1)?, q3: quarters(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual() {
        let of = |numbers: &[u64]| usual(numbers).map(|u| (u.q1, u.median, u.q3));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7, 7)));
        assert_eq!(of(&[0, 10]), Some((2, 5, 7)));
        assert_eq!(of(&[1, 2, 3, 4, 5]), Some((2, 3, 4)));
        assert_eq!(of(&[0, 0, 0, 100]), Some((0, 0, 25)));
        assert_eq!(of(&[0, u64::MAX]).map(|(_, median, _)| median), Some(u64::MAX / 2));
    }
}
