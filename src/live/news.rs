//! What there is to tell besides numbers: links that were made or changed, and what is unusual about their clicks.
//!
//! Guarantees that nothing is told twice while somebody watches, and that what it remembers is bounded.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TopLink, title_of};
use crate::domain::calendar::Day;
use crate::domain::link::Link;
use crate::domain::spike;
use crate::domain::tally::{BEYOND, Scope, Series, shown_value};
use crate::store::{self, Links, Tallies};

/// Clicks at which a link's milestone is told.
const MILESTONES: [u64; 9] = [100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];
/// Clicks of a day with which a source is told.
const SOURCE: u64 = 100;
/// A spike of one link is told once in this time, in seconds.
const AGAIN_S: i64 = 1_800;
/// Changed links that are told at once; a batch of more is told by its first.
const MOST: usize = 20;
/// How old a link may be that is told as new, in seconds, if it was not: some are changed before anybody looks.
const NEW_S: i64 = 60;
/// Links whose clicks are remembered; with more all are forgotten.
const REMEMBERED: usize = 10_000;

/// One change.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Change {
    /// When it was seen.
    pub at: Timestamp,
    /// created, changed, retired, milestone, spike or source.
    pub kind: Cow<'static, str>,
    /// The link's.
    pub code: Option<String>,
    /// Its title, the number that was passed, or the source.
    pub value: String,
    /// Its title, where `value` is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What was told.
#[derive(Default)]
pub(super) struct News {
    /// How far the change feed is told.
    version: Option<u64>,
    /// When that was asked first: what was made before is not new.
    began: Timestamp,
    /// Links that were told as new, and when they were made; those of long ago are forgotten.
    created: HashMap<String, Timestamp>,
    /// Clicks of links when they were last looked at.
    clicks: HashMap<String, u64>,
    /// When a link's spike was told, in UTC seconds.
    spikes: HashMap<String, i64>,
    sources: HashSet<(Day, String)>,
    /// False at the first look: what is there already is no news.
    looked: bool,
}

impl News {
    pub(super) fn new() -> News {
        News::default()
    }

    /// Links that were made, changed or retired since the last look.
    pub(super) async fn links(&mut self, links: &dyn Links, now: Timestamp) -> store::Result<Vec<Change>> {
        let Some(version) = self.version else {
            self.version = Some(links.changes_since(0).await?.version);
            self.began = now;
            return Ok(vec![]);
        };
        let changes = links.changes_since(version).await?;
        self.version = Some(changes.version);
        let mut keys = changes.keys.unwrap_or_default();
        keys.truncate(MOST);
        let found = if keys.is_empty() { vec![] } else { links.find_many(&keys).await? };
        let since = now.as_second() - NEW_S;
        self.created.retain(|_, made| made.as_second() >= since);
        let told = found.iter().map(|found| Change {
            at: now,
            kind: self.kind_of(&found.link, since).into(),
            code: Some(found.link.code.to_string()),
            value: title_of(found, now),
            title: None,
        });
        Ok(told.collect())
    }

    /// What there is to tell of a link that changed. A new one is told as new once, however often it was changed since.
    fn kind_of(&mut self, link: &Link, since: i64) -> &'static str {
        let young = link.created_at >= self.began && link.created_at.as_second() >= since;
        match (link.retired_at, link.version) {
            (Some(_), _) => "retired",
            (None, version) if version == 1 || young => {
                match self.created.insert(link.code.to_string(), link.created_at) {
                    Some(_) if version > 1 => "changed",
                    _ => "created",
                }
            }
            _ => "changed",
        }
    }

    /// Milestones and spikes of the most followed links, and sources that many come from.
    pub(super) async fn numbers(
        &mut self,
        tallies: &dyn Tallies,
        top: &[TopLink],
        day: Day,
        now: Timestamp,
    ) -> store::Result<Vec<Change>> {
        if self.clicks.len() > REMEMBERED || self.spikes.len() > REMEMBERED {
            (self.clicks, self.spikes) = Default::default();
        }
        let mut news = self.milestones(tallies, top, now).await?;
        news.extend(self.spikes(tallies, top, now).await?);
        news.extend(self.sources(tallies, day, now).await?);
        self.looked = true;
        Ok(news)
    }

    async fn milestones(
        &mut self,
        tallies: &dyn Tallies,
        top: &[TopLink],
        now: Timestamp,
    ) -> store::Result<Vec<Change>> {
        let scopes: Vec<Scope> = top.iter().map(|link| Scope::Link(link.code.as_str().into())).collect();
        let mut news = vec![];
        for (link, total) in top.iter().zip(tallies.totals(&scopes).await?) {
            let before = self.clicks.insert(link.code.clone(), total.clicks);
            // A link that only now is among the most followed has passed its milestones unseen.
            let Some(before) = before else { continue };
            let passed = MILESTONES.iter().rev().find(|n| before < **n && **n <= total.clicks);
            news.extend(passed.map(|n| change(now, "milestone", link, n.to_string())));
        }
        Ok(news)
    }

    async fn spikes(
        &mut self,
        tallies: &dyn Tallies,
        top: &[TopLink],
        now: Timestamp,
    ) -> store::Result<Vec<Change>> {
        let (to, mut news) = (now.as_second(), vec![]);
        for link in top.iter().filter(|link| link.clicks >= spike::LEAST) {
            if self.spikes.get(&link.code).is_some_and(|told| to - told < AGAIN_S) {
                continue;
            }
            let scope = Scope::Link(link.code.as_str().into());
            let rows = tallies.rows(&scope, Series::Minute, spike::since(to), to + 60).await?;
            if let Some(clicks) = spike::of(rows.iter().map(|row| (row.bucket, row.counts.clicks)), to) {
                self.spikes.insert(link.code.clone(), to);
                news.push(change(now, "spike", link, clicks.to_string()));
            }
        }
        Ok(news)
    }

    async fn sources(
        &mut self,
        tallies: &dyn Tallies,
        day: Day,
        now: Timestamp,
    ) -> store::Result<Vec<Change>> {
        let rows = tallies.rows(&Scope::Site, Series::Source, day.into(), i64::from(day) + 1).await?;
        self.sources.retain(|(on, _)| *on == day);
        let mut news = vec![];
        for row in rows.iter().filter(|row| row.counts.clicks >= SOURCE && row.value != BEYOND) {
            let source = shown_value(&row.value).to_owned();
            if self.sources.insert((day, source.clone())) && self.looked {
                news.push(Change { at: now, kind: "source".into(), code: None, value: source, title: None });
            }
        }
        Ok(news)
    }
}

fn change(at: Timestamp, kind: &'static str, link: &TopLink, value: String) -> Change {
    let title = Some(link.title.clone());
    Change { at, kind: kind.into(), code: Some(link.code.clone()), value, title }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::tests::link;

    #[test]
    fn a_link_is_told_as_new_once_also_if_it_was_changed_before_anybody_looked() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let of = |version: u64, made: i64| Link { version, created_at: at(made), ..link("a") };
        let mut news = News { began: at(100), ..News::new() };
        assert_eq!(news.kind_of(&of(2, 99), 60), "changed", "it was there before");
        assert_eq!(news.kind_of(&of(2, 110), 60), "created");
        assert_eq!(news.kind_of(&of(3, 110), 60), "changed");
        let mut news = News { began: at(100), ..News::new() };
        assert_eq!(news.kind_of(&of(1, 110), 60), "created");
        assert_eq!(news.kind_of(&of(2, 110), 60), "changed");
        assert_eq!(news.kind_of(&of(2, 110), 171), "changed", "long ago");
        let gone = Link { retired_at: Some(at(120)), ..of(2, 115) };
        assert_eq!(news.kind_of(&gone, 60), "retired");
    }
}
