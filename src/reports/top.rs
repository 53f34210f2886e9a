//! Top lists: which links, articles, sections ... got the hits of a scope.
//!
//! Lists over links are exact: each link is in one lane, and all links with hits in the range are read, not a
//! trimmed list. `other` is what the scope has beyond the rows shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::{Question, ReportService, Result, countries};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::Found;
use crate::domain::report::{Range, ReportScope};
use crate::domain::tally::{BEYOND, Counts, Scope, ScopeKind, Series, shown_value};
use crate::hits::fold::{NO_COUNTRY, NO_REFERRER};
use crate::store;

/// Links whose records are read at once.
const CHUNK: usize = 10_000;

/// What a top list is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// Links.
    Link,
    /// Articles.
    Article,
    /// Sections.
    Section,
    /// Authors; a shared story counts for each of them.
    Author,
    /// Channels.
    Channel,
    /// Campaigns.
    Campaign,
    /// Who made the link.
    Creator,
    /// Hosts of the targets.
    Host,
    /// How links were followed.
    Trigger,
    /// Which of the link's targets; links only.
    Target,
    /// Networks that previews are fetched for.
    Preview,
    /// Kinds of bots.
    Bot,
    /// Named origins.
    Source,
    /// Kinds of origins.
    Medium,
    /// Domains of referrers.
    Referrer,
    /// Countries of the networks that readers use.
    Country,
    /// Kinds of devices.
    Device,
    /// Systems.
    Os,
    /// Browsers.
    Browser,
}

impl By {
    const ALL: [By; 19] = [
        By::Link,
        By::Article,
        By::Section,
        By::Author,
        By::Channel,
        By::Campaign,
        By::Creator,
        By::Source,
        By::Medium,
        By::Referrer,
        By::Country,
        By::Device,
        By::Os,
        By::Browser,
        By::Trigger,
        By::Target,
        By::Preview,
        By::Bot,
        By::Host,
    ];

    /// Reads the word.
    ///
    /// # Errors
    /// `missing` or `invalid_value` on `by`.
    pub fn parse(text: Option<&str>) -> std::result::Result<By, Refusal> {
        let text =
            text.ok_or_else(|| Refusal::field(Reason::Missing, "by", "what the list is by is missing"))?;
        By::ALL.into_iter().find(|by| by.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = By::ALL.iter().map(|by| by.as_str()).collect();
            Refusal::field(Reason::InvalidValue, "by", format!("one of {}", names.join(", ")))
        })
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            By::Link => "link",
            By::Article => "article",
            By::Section => "section",
            By::Author => "author",
            By::Channel => "channel",
            By::Campaign => "campaign",
            By::Creator => "creator",
            By::Host => "host",
            By::Trigger => "trigger",
            By::Target => "target",
            By::Preview => "preview",
            By::Bot => "bot",
            By::Source => "source",
            By::Medium => "medium",
            By::Referrer => "referrer",
            By::Country => "country",
            By::Device => "device",
            By::Os => "os",
            By::Browser => "browser",
        }
    }

    /// True for lists whose values have days of their own in any scope, and no other numbers of their own.
    #[must_use]
    pub fn is_value(self) -> bool {
        self.dimension().is_some_and(|series| series != Series::Target)
    }

    /// How its hits are kept by value; None for what is counted as a scope, or by links.
    pub(super) fn dimension(self) -> Option<Series> {
        match self {
            By::Trigger => Some(Series::Trigger),
            By::Target => Some(Series::Target),
            By::Preview => Some(Series::Preview),
            By::Bot => Some(Series::Bot),
            By::Source => Some(Series::Source),
            By::Medium => Some(Series::Medium),
            By::Referrer => Some(Series::Referrer),
            By::Country => Some(Series::Country),
            By::Device => Some(Series::Device),
            By::Os => Some(Series::Os),
            By::Browser => Some(Series::Browser),
            By::Link
            | By::Article
            | By::Section
            | By::Author
            | By::Channel
            | By::Campaign
            | By::Creator
            | By::Host => None,
        }
    }
}

/// By which class a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// People's hits.
    Click,
    /// Previews.
    Preview,
    /// Bots.
    Bot,
    /// All hits.
    All,
}

impl Order {
    /// Reads the word.
    ///
    /// # Errors
    /// `invalid_value` on `class`.
    pub fn parse(text: &str) -> std::result::Result<Order, Refusal> {
        match text {
            "click" => Ok(Order::Click),
            "preview" => Ok(Order::Preview),
            "bot" => Ok(Order::Bot),
            "all" => Ok(Order::All),
            _ => Err(Refusal::field(Reason::InvalidValue, "class", "click, preview, bot or all")),
        }
    }

    /// What a list is about: previews and bots have lists of their own.
    #[must_use]
    pub fn usual(by: By) -> Order {
        match by {
            By::Preview => Order::Preview,
            By::Bot => Order::Bot,
            _ => Order::Click,
        }
    }

    /// The number that a list is ordered by.
    #[must_use]
    pub fn of(self, counts: &Counts) -> u64 {
        match self {
            Order::Click => counts.clicks,
            Order::Preview => counts.previews,
            Order::Bot => counts.bots,
            Order::All => counts.hits(),
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopRow {
    /// What is counted: a code, an id, a name.
    pub value: String,
    /// How a person would call it.
    pub label: String,
    /// How many.
    pub counts: Counts,
}

/// `GET /reports/top`.
#[derive(Clone, Debug)]
pub struct Top {
    /// What the numbers really cover.
    pub range: Range,
    /// The rows, largest first; ties by value.
    pub rows: Vec<TopRow>,
    /// All hits of the scope that are in no row.
    pub other: Counts,
    /// All hits of the scope.
    pub total: Counts,
    /// Until when hits are counted in it.
    pub as_of: Timestamp,
}

/// What a list was asked for by: of whom, by what, in which order, how long, from which day to which.
pub(super) type Asked = (ReportScope, By, Order, usize, (i64, i64));

impl ReportService {
    /// A top list. One that is summed over links may be some moments old: see its `as_of`.
    ///
    /// # Errors
    /// Those of [`ReportService::summary`]; `invalid_value` for `target` of anything but a link.
    pub async fn top(&self, question: &Question, by: By, order: Order, limit: usize) -> Result<Arc<Top>> {
        let (range, days) = (question.range.to_days(self.calendar()), self.days_of(question));
        let (total, rows) = match by.dimension() {
            Some(series) => self.by_dimension(question, series, days).await?,
            None => {
                let asked = self.asked(question, by, order, limit);
                if let Some(top) = self.tops.get(&asked) {
                    return Ok(top);
                }
                let began = Instant::now();
                let (total, rows) = self.by_links(question, by, days, (order, limit)).await?;
                let top = Arc::new(list(question, range, (total, rows), (order, limit)));
                self.tops.put(asked, &top, began);
                return Ok(top);
            }
        };
        Ok(Arc::new(list(question, range, (total, rows), (order, limit))))
    }

    /// From which day to which a list is.
    fn days_of(&self, question: &Question) -> (i64, i64) {
        let (first, end) = question.range.to_days(self.calendar()).days(self.calendar());
        (first.into(), end.into())
    }

    pub(super) fn asked(&self, question: &Question, by: By, order: Order, limit: usize) -> Asked {
        (question.scope.clone(), by, order, limit, self.days_of(question))
    }

    /// The same rows' hits in another range; zeros where there were none.
    ///
    /// # Errors
    /// Those of [`ReportService::top`].
    pub async fn counts_of(&self, question: &Question, by: By, rows: &[TopRow]) -> Result<Vec<Counts>> {
        let all = self.top(question, by, Order::All, usize::MAX).await?;
        let counts: HashMap<&str, Counts> = all.rows.iter().map(|r| (r.value.as_str(), r.counts)).collect();
        Ok(rows.iter().map(|r| counts.get(r.value.as_str()).copied().unwrap_or_default()).collect())
    }

    async fn by_dimension(
        &self,
        question: &Question,
        series: Series,
        (from, to): (i64, i64),
    ) -> Result<(Counts, Vec<TopRow>)> {
        if series == Series::Target && !matches!(question.scope, ReportScope::Link(_)) {
            let detail = "hits by target are known for one link only";
            return Err(Refusal::field(Reason::InvalidValue, "by", detail).into());
        }
        let scopes = self.scopes(&question.scope).await?;
        let total = self.rows(&scopes, Series::Day, from, to).await?.iter().map(|r| r.counts).sum();
        let mut sums: HashMap<String, Counts> = HashMap::new();
        // What is beyond the values that have rows of their own is in `other`, where all that has no row is.
        for row in self.rows(&scopes, series, from, to).await?.into_iter().filter(|row| row.value != BEYOND) {
            *sums.entry(shown_value(&row.value).to_owned()).or_default() += row.counts;
        }
        let named =
            |(value, counts): (String, Counts)| TopRow { label: label(series, &value), value, counts };
        let mut rows: Vec<TopRow> = sums.into_iter().map(named).collect();
        if series == Series::Target {
            self.name_targets(question, &mut rows).await?;
        }
        Ok((total, rows))
    }

    /// A target's label is its address, from the link's history.
    async fn name_targets(&self, question: &Question, rows: &mut [TopRow]) -> Result<()> {
        for found in self.links_of(&question.scope).await? {
            for entry in self.links.history(&found.link.code, None, 1_000).await? {
                let address = entry.changes.get("target").and_then(|c| c.get("to")).and_then(|t| t.as_str());
                if let (Some(address), Some(row)) =
                    (address, rows.iter_mut().find(|r| r.value == entry.version.to_string()))
                {
                    row.label = address.to_owned();
                }
            }
        }
        Ok(())
    }

    async fn by_links(
        &self,
        question: &Question,
        by: By,
        (from, to): (i64, i64),
        (order, limit): (Order, usize),
    ) -> Result<(Counts, Vec<TopRow>)> {
        let kept = match by {
            By::Section => Some(ScopeKind::Section),
            By::Author => Some(ScopeKind::Author),
            By::Channel => Some(ScopeKind::Channel),
            _ => None,
        };
        if let (ReportScope::Site, Some(kind)) = (&question.scope, kept) {
            // These are counted as such: what they were when the hits came, not what the links are now.
            let total =
                self.rows(&[Scope::Site], Series::Day, from, to).await?.iter().map(|r| r.counts).sum();
            let named = self.tallies.by_scope(kind, from, to, None).await?.into_iter();
            // What is beyond the sections and authors that are counted is in `other`, likewise.
            let named = named.filter(|(value, _)| kind == ScopeKind::Channel || value != BEYOND);
            let rows = named.map(|(value, counts)| TopRow { label: value.clone(), value, counts });
            return Ok((total, rows.collect()));
        }
        let shown = (by == By::Link).then_some((order, limit));
        let (total, links) = self.links_with_hits(question, (from, to), shown).await?;
        let mut sums: HashMap<String, (String, Counts)> = HashMap::new();
        for (found, counts) in &links {
            for (value, label) in values(by, found, question.now) {
                sums.entry(value).or_insert_with(|| (label, Counts::default())).1 += *counts;
            }
        }
        let rows = sums.into_iter().map(|(value, (label, counts))| TopRow { value, label, counts });
        Ok((total, rows.collect()))
    }

    /// The links of a scope that have hits in these days, with their records; and the scope's hits. With `shown`,
    /// only the largest by that order, so that a list of ten reads ten records.
    async fn links_with_hits(
        &self,
        question: &Question,
        (from, to): (i64, i64),
        shown: Option<(Order, usize)>,
    ) -> Result<(Counts, Vec<(Found, Counts)>)> {
        if question.scope == ReportScope::Site {
            let total =
                self.rows(&[Scope::Site], Series::Day, from, to).await?.iter().map(|r| r.counts).sum();
            let mut hit = self.tallies.by_scope(ScopeKind::Link, from, to, None).await?;
            if let Some((order, limit)) = shown {
                hit.sort_by(|a, b| order.of(&b.1).cmp(&order.of(&a.1)).then_with(|| a.0.cmp(&b.0)));
                hit.truncate(limit);
            }
            return Ok((total, self.records(hit).await?));
        }
        let links = self.links_of(&question.scope).await?;
        let codes: Vec<String> = links.iter().map(|f| f.link.code.to_string()).collect();
        let mut counts: HashMap<String, Counts> = HashMap::new();
        for chunk in codes.chunks(CHUNK) {
            counts.extend(self.tallies.by_scope(ScopeKind::Link, from, to, Some(chunk)).await?);
        }
        let hit: Vec<(Found, Counts)> = links
            .into_iter()
            .filter_map(|f| counts.get(f.link.code.as_str()).copied().map(|n| (f, n)))
            .collect();
        let of_links: Counts = hit.iter().map(|(_, n)| *n).sum();
        let total = match &question.scope {
            ReportScope::Section(_) | ReportScope::Author(_) | ReportScope::Channel(_) => {
                let scopes = self.scopes(&question.scope).await?;
                self.rows(&scopes, Series::Day, from, to).await?.iter().map(|r| r.counts).sum()
            }
            _ => of_links,
        };
        Ok((total, hit))
    }

    async fn records(&self, hit: Vec<(String, Counts)>) -> store::Result<Vec<(Found, Counts)>> {
        let mut with_records = Vec::with_capacity(hit.len());
        for chunk in hit.chunks(CHUNK) {
            let keys: Vec<String> =
                chunk.iter().map(|(code, _)| crate::domain::code::fold(code).into_owned()).collect();
            let found = self.links.find_many(&keys).await?;
            let by_code: HashMap<&str, &Found> = found.iter().map(|f| (f.link.code.as_str(), f)).collect();
            with_records.extend(
                chunk.iter().filter_map(|(code, n)| by_code.get(code.as_str()).map(|f| ((*f).clone(), *n))),
            );
        }
        Ok(with_records)
    }
}

/// The largest rows, and what is beyond them.
fn list(
    question: &Question,
    range: Range,
    (total, mut rows): (Counts, Vec<TopRow>),
    (order, limit): (Order, usize),
) -> Top {
    rows.retain(|r| r.counts.hits() > 0);
    rows.sort_by(|a, b| order.of(&b.counts).cmp(&order.of(&a.counts)).then_with(|| a.value.cmp(&b.value)));
    rows.truncate(limit);
    let shown: Counts = rows.iter().map(|r| r.counts).sum();
    Top { range, other: total.less(&shown), total, rows, as_of: question.as_of }
}

/// Under which values (and labels) a link's hits go in a list by `by`.
fn values(by: By, found: &Found, now: Timestamp) -> Vec<(String, String)> {
    let (link, secret) = (&found.link, found.link.is_secret(now));
    let article = found.article.as_deref().filter(|_| !secret);
    let same = |value: &str| (value.to_owned(), value.to_owned());
    match by {
        By::Link => {
            let title = link.title.as_deref().or(article.and_then(|a| a.facts.title.as_deref()));
            let label = title.or(link.target.as_deref()).filter(|_| !secret).unwrap_or(link.code.as_str());
            vec![(link.code.to_string(), label.to_owned())]
        }
        By::Article => article
            .map(|a| (a.id.0.to_string(), a.facts.title.clone().unwrap_or_else(|| a.url.clone())))
            .into_iter()
            .collect(),
        By::Section => article.and_then(|a| a.facts.section.as_deref()).map(same).into_iter().collect(),
        By::Author => article.map(|a| a.facts.authors.iter().map(|n| same(n)).collect()).unwrap_or_default(),
        By::Channel => link.channel.as_deref().map(same).into_iter().collect(),
        By::Campaign => link.campaign.as_deref().map(same).into_iter().collect(),
        By::Creator => vec![same(&link.created_by)],
        By::Host => {
            let target = link.target.as_deref().filter(|_| !secret);
            let url = target.and_then(|t| url::Url::parse(t).ok());
            url.and_then(|u| u.host_str().map(same)).into_iter().collect()
        }
        _ => vec![],
    }
}

/// What a person would call a value of a dimension.
pub(super) fn label(series: Series, value: &str) -> String {
    match (series, value) {
        (Series::Referrer, NO_REFERRER) => "No referrer".to_owned(),
        (Series::Country, NO_COUNTRY) => "Not known".to_owned(),
        (Series::Country, code) => countries::name(code).unwrap_or(code).to_owned(),
        (Series::Trigger, "link") => "Link".to_owned(),
        (Series::Trigger, "qr") => "QR code".to_owned(),
        (_, value) => value.to_owned(),
    }
}
