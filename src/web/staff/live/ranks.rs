//! What is followed most, as the board ranks it: by story, or by link, author or section.
//!
//! Guarantees that a board asks for no more than a bounded number of links however busy it is, and that a link which is for
//! few eyes is there by its code alone, and in no group.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::code::fold;
use crate::domain::link::Found;
use crate::domain::tally::{BEYOND, Scope, Series, shown_value};
use crate::live::title_of;
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::charts::spark;
use crate::web::staff::format::number;

/// How far back, in seconds.
pub(super) const BACK: i64 = 600;
/// Minutes of a picture.
const MINUTES: usize = 10;
/// The busiest links that are looked at; what they make together is what the board ranks.
const BUSY: usize = 300;
/// Links of one row whose minutes and sources are added up.
const OF_ONE: usize = 5;

/// What a row of the board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Story,
    Link,
    Author,
    Section,
}

impl Group {
    pub(super) fn read(text: &str) -> Group {
        match text {
            "link" => Group::Link,
            "author" => Group::Author,
            "section" => Group::Section,
            _ => Group::Story,
        }
    }

    pub(super) fn heading(self) -> &'static str {
        match self {
            Group::Story => "Stories followed most, in ten minutes",
            Group::Link => "Links followed most, in ten minutes",
            Group::Author => "Authors followed most, in ten minutes",
            Group::Section => "Sections followed most, in ten minutes",
        }
    }
}

/// A row of the board.
pub(super) struct Ranked {
    /// Tells rows apart from one look to the next.
    pub(super) key: String,
    pub(super) title: String,
    /// The newsroom wrote the title.
    pub(super) is_headline: bool,
    pub(super) href: String,
    pub(super) byline: String,
    /// The code of the one link, or how many there are.
    pub(super) of: String,
    pub(super) clicks: String,
    /// Where most came from today.
    pub(super) source: String,
    pub(super) spark: String,
}

/// A row, while links are still being added to it.
#[derive(Default)]
struct Sum {
    title: String,
    is_headline: bool,
    href: String,
    byline: String,
    codes: Vec<String>,
    links: usize,
    clicks: u64,
}

/// The `most` first rows.
pub(super) async fn ranks(state: &State, group: Group, most: usize, now: Timestamp) -> Result<Vec<Ranked>> {
    let to = now.as_second();
    let call = state.tallies.links_by_minute(to - BACK, to + 60);
    let mut busy = state.links.within(call).await?;
    busy.retain(|(_, counts)| counts.clicks > 0);
    busy.sort_by(|a, b| b.1.clicks.cmp(&a.1.clicks).then_with(|| a.0.cmp(&b.0)));
    busy.truncate(BUSY);
    let keys: Vec<String> = busy.iter().map(|(code, _)| fold(code).into_owned()).collect();
    let found = state.links.within(state.links.store().find_many(&keys)).await?;
    let found: HashMap<&str, &Found> = found.iter().map(|found| (found.link.code.as_str(), found)).collect();
    let mut sums: HashMap<String, Sum> = HashMap::new();
    for (code, counts) in &busy {
        let found = found.get(code.as_str()).copied();
        for (key, row) in rows_of(group, code, found, now) {
            let sum = sums.entry(key).or_insert(row);
            sum.clicks += counts.clicks;
            sum.links += 1;
            if sum.codes.len() < OF_ONE {
                sum.codes.push(code.clone());
            }
        }
    }
    let mut sums: Vec<(String, Sum)> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.clicks.cmp(&a.1.clicks).then_with(|| a.0.cmp(&b.0)));
    sums.truncate(most);
    let mut ranked = Vec::with_capacity(sums.len());
    for (key, sum) in sums {
        ranked.push(finished(state, key, sum, now).await?);
    }
    Ok(ranked)
}

/// The rows that a link is part of, each by its key.
fn rows_of(group: Group, code: &str, found: Option<&Found>, now: Timestamp) -> Vec<(String, Sum)> {
    let link = || {
        let title = found.map_or_else(|| code.to_owned(), |found| title_of(found, now));
        let is_headline = !title.starts_with("http") && title != code;
        let sum = Sum { title, is_headline, href: format!("/-/links/{code}"), ..Sum::default() };
        vec![(format!("link {code}"), sum)]
    };
    let open = found.filter(|found| !found.link.is_secret(now));
    let Some(article) = open.and_then(|found| found.article.as_deref()) else {
        return if matches!(group, Group::Story | Group::Link) { link() } else { vec![] };
    };
    let (facts, byline) = (&article.facts, article.facts.authors.join(", "));
    let named = |kind: &str, name: &String| {
        let scope = format!("{kind}:{name}");
        let scope = url::form_urlencoded::byte_serialize(scope.as_bytes()).collect::<String>();
        let href = format!("/-/reports?scope={scope}&period=24h");
        (format!("{kind} {name}"), Sum { title: name.clone(), is_headline: true, href, ..Sum::default() })
    };
    match group {
        Group::Link => {
            let mut rows = link();
            rows.iter_mut().for_each(|(_, sum)| sum.byline.clone_from(&byline));
            rows
        }
        Group::Story => {
            let title = facts.title.clone().unwrap_or_else(|| article.url.clone());
            let (is_headline, id) = (facts.title.is_some(), &article.id.0);
            let href = format!("/-/articles/{id}");
            vec![(format!("story {id}"), Sum { title, is_headline, href, byline, ..Sum::default() })]
        }
        Group::Author => facts.authors.iter().map(|name| named("author", name)).collect(),
        Group::Section => facts.section.iter().map(|name| named("section", name)).collect(),
    }
}

async fn finished(state: &State, key: String, sum: Sum, now: Timestamp) -> Result<Ranked> {
    let day = i64::from(state.reports.calendar().day(now));
    let minute = now.as_second() - now.as_second().rem_euclid(60);
    let first = minute - 60 * (i64::try_from(MINUTES).unwrap_or(0) - 1);
    let (mut minutes, mut sources) = ([0_u64; MINUTES], HashMap::<String, u64>::new());
    for code in &sum.codes {
        let scope = Scope::Link(code.as_str().into());
        let rows = state.links.within(state.tallies.rows(&scope, Series::Minute, first, minute + 60)).await?;
        for row in rows {
            let at = usize::try_from((row.bucket - first) / 60).unwrap_or(MINUTES);
            if let Some(clicks) = minutes.get_mut(at) {
                *clicks += row.counts.clicks;
            }
        }
        let rows = state.links.within(state.tallies.rows(&scope, Series::Source, day, day + 1)).await?;
        for row in rows.iter().filter(|row| row.value != BEYOND && row.counts.clicks > 0) {
            *sources.entry(shown_value(&row.value).to_owned()).or_default() += row.counts.clicks;
        }
    }
    let source = sources.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
    Ok(Ranked {
        of: match (&sum.codes[..], sum.links) {
            ([code], 1) => code.clone(),
            (_, links) => format!("{links} links"),
        },
        key,
        title: sum.title,
        is_headline: sum.is_headline,
        href: sum.href,
        byline: sum.byline,
        clicks: number(sum.clicks),
        source: source.map(|(source, _)| source).unwrap_or_default(),
        spark: spark(&minutes),
    })
}
