//! Reports: the whole newsroom, or a part of it, by stories, sections, authors, channels, sources, places and times.
//!
//! Guarantees that rows and "others" are the total, that rows lead to the numbers of what they name and nowhere where
//! there are none, and that each list can be had as CSV of the same range.

mod csv;
mod lists;
mod lost;

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

pub(super) use self::csv::csv;
use self::lists::{List, ValueOf};
pub(super) use self::lists::{Week, week};
pub(super) use self::lost::adopt;
use self::lost::{Broken, Orphans};
use super::format::Times;
use super::looking::Looking;
use super::numbers::{Numbers, Subject};
use super::question::{Address, Picker, When, in_words, question};
use super::rows::maker;
use super::shell::{Shell, page, times};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::{Compare, Range, ReportScope};
use crate::reports::By;
use crate::web::State;
use crate::web::error::Result;

/// What is shown if nothing is asked for.
const USUAL: &str = "7d";

/// Lists: what stands in the address, what people say, and whether one chooses it here or comes to it by a row.
const TABS: [(&str, &str, bool); 21] = [
    ("overview", "Overview", true),
    ("article", "Stories", true),
    ("link", "Links", true),
    ("section", "Sections", true),
    ("author", "Authors", true),
    ("channel", "Channels", true),
    ("campaign", "Campaigns", true),
    ("creator", "Makers", true),
    ("source", "Sources", true),
    ("country", "Countries", true),
    ("preview", "Previews", true),
    ("bot", "Bots", true),
    (TIMES, "Times", true),
    (BROKEN, "Broken", true),
    (ORPHANS, "Unknown codes", true),
    ("medium", "Ways they came", false),
    ("referrer", "Referring sites", false),
    ("device", "Devices", false),
    ("browser", "Browsers", false),
    ("os", "Systems", false),
    ("trigger", "How links were opened", false),
];
const TIMES: &str = "times";
/// Of the whole newsroom only, and as it is now.
const BROKEN: &str = "broken";
const ORPHANS: &str = "orphans";

/// The view that is asked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tab: String,
    scope: String,
    value: String,
    #[serde(flatten)]
    when: When,
}

/// Whose numbers a report shows, as people say it.
struct Of {
    kind: &'static str,
    name: String,
    href: Option<String>,
}

/// What a report shows.
enum Shown {
    Numbers(Box<Numbers>),
    List(List),
    Value(Box<ValueOf>),
    Times(lists::Week),
    Broken(Broken),
    Orphans(Orphans),
}

#[derive(Template)]
#[template(path = "staff/templates/reports.html")]
struct Reports {
    shell: Shell,
    of: Option<Of>,
    tabs: Vec<(String, &'static str, bool)>,
    picker: Option<Picker>,
    name: &'static str,
    shown: Shown,
    csv: Option<String>,
    /// Which time, and what it is compared with, in words.
    period: String,
    /// Its address, to be shared.
    view: String,
}

impl Asked {
    fn tab(&self) -> (&'static str, &'static str) {
        let (tab, name, _) = TABS.into_iter().find(|(name, ..)| *name == self.tab).unwrap_or(TABS[0]);
        (tab, name)
    }

    /// What it is compared with; the hours of a week with nothing.
    fn compare(&self) -> Result<Option<Compare>> {
        if self.tab == TIMES { Ok(None) } else { Ok(self.when.compare()?) }
    }

    fn scope(&self) -> Result<ReportScope> {
        match self.scope.as_str() {
            "" => Ok(ReportScope::Site),
            scope => Ok(ReportScope::parse(scope)?),
        }
    }

    /// The address of a list of the same scope.
    fn address(&self, path: &str, tab: &str, value: &str) -> Address {
        let view = [("tab", tab), ("value", value), ("scope", self.scope.as_str())];
        let view = view.into_iter().filter(|(_, value)| !value.is_empty());
        Address { path: path.to_owned(), view: view.map(|(name, value)| (name, value.to_owned())).collect() }
    }
}

/// A report.
pub(super) async fn show(
    Shared(state): Shared<State>,
    looking: Looking,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let report = report(&state, &looking, Asked { when: asked.when.clone().or(USUAL), ..asked }).await?;
    Ok(page(StatusCode::OK, &report))
}

async fn report(state: &State, looking: &Looking, asked: Asked) -> Result<Reports> {
    let (times, scope, (tab, name)) = (times(state), asked.scope()?, asked.tab());
    let range = asked.when.range(state, Timestamp::UNIX_EPOCH, times.now)?;
    let of = of(state, &looking.actor, &scope, times.now).await?;
    let of = of.map(|of| Of { href: of.href.filter(|_| !looking.shared), ..of });
    let subject = Subject {
        scope,
        range,
        compare: asked.compare()?,
        when: &asked.when,
        marks: vec![],
        linked: !looking.shared,
    };
    let as_it_is = tab == BROKEN || tab == ORPHANS;
    let shown = match tab {
        "overview" => Shown::Numbers(Box::new(Numbers::new(state, &subject, &times).await?)),
        TIMES => {
            let asked = question(state, subject.scope.clone(), range, times.now);
            Shown::Times(lists::week(&state.reports.heat(&asked).await?.rows))
        }
        BROKEN => Shown::Broken(lost::broken(state, &looking.actor, &times).await?),
        ORPHANS => Shown::Orphans(lost::orphans(state, looking, &times, None).await?),
        by if !asked.value.is_empty() && lists::is_value(By::parse(Some(by))?) => {
            let back = asked.address("/-/reports", tab, "").at(&asked.when);
            let by = By::parse(Some(by))?;
            Shown::Value(Box::new(lists::value(state, &subject, (by, &asked.value), back, &times).await?))
        }
        by => Shown::List(lists::list(state, &subject, By::parse(Some(by))?, &times).await?),
    };
    let value = if matches!(shown, Shown::Value(_)) { asked.value.as_str() } else { "" };
    let own = asked.address("/-/reports", tab, value);
    let tabs = TABS.iter().filter(|(its, _, chosen)| *chosen || *its == tab);
    // Broken links and unknown codes are those of the whole newsroom.
    let tabs = tabs.filter(|(its, ..)| asked.scope.is_empty() || ![BROKEN, ORPHANS].contains(its));
    let tabs = tabs
        .map(|(its, words, _)| (asked.address("/-/reports", its, "").at(&asked.when), *words, *its == tab));
    let picker = Picker::new(state, own, (&asked.when, range), false, times.now);
    let picker = if tab == TIMES { picker.alone() } else { picker };
    let mut shell = Shell::new(state, &looking.actor, "/-/reports");
    shell.shared = looking.shared;
    Ok(Reports {
        shell,
        of,
        tabs: tabs.collect(),
        picker: (!as_it_is).then_some(picker),
        name,
        csv: (!as_it_is).then(|| asked.address("/-/reports/csv", tab, value).at(&asked.when)),
        period: if as_it_is { "as it is now".into() } else { in_period(&subject, &times) },
        shown,
        view: looking.view.clone(),
    })
}

/// A range in words, and what it is compared with.
fn in_period(subject: &Subject<'_>, times: &Times) -> String {
    let Range { from, to } = subject.range;
    let at = |second: i64| Timestamp::from_second(second).map(|at| times.long(at)).unwrap_or_default();
    match subject.compare {
        Some(compare) => format!("{} to {}, against {}", at(from), at(to), in_words(compare)),
        None => format!("{} to {}", at(from), at(to)),
    }
}

/// Whose numbers these are. What somebody may not know of is told as little of as what is not there.
async fn of(state: &State, viewer: &Actor, scope: &ReportScope, now: Timestamp) -> Result<Option<Of>> {
    let of = |kind, name: &str| Some(Of { kind, name: name.to_owned(), href: None });
    Ok(match scope {
        ReportScope::Site => None,
        ReportScope::Link(code) => {
            let found = state.links.get(code.as_str()).await?;
            if found.link.is_hidden_from(viewer, now) {
                return Err(Refusal::new(Reason::NotFound, "there is no report of this").into());
            }
            let story = found.article.as_ref().and_then(|article| article.facts.title.clone());
            let name = found.link.title.clone().or(story).unwrap_or_else(|| found.link.code.to_string());
            Some(Of { kind: "Link", name, href: Some(format!("/-/links/{}", found.link.code)) })
        }
        ReportScope::Article(id) => {
            let (article, _) = state.links.article_for(id, viewer, now).await?;
            let name = article.facts.title.clone().unwrap_or_else(|| article.url.clone());
            Some(Of { kind: "Story", name, href: Some(format!("/-/articles/{}", article.id.0)) })
        }
        ReportScope::Section(name) => of("Section", name),
        ReportScope::Author(name) => of("Author", name),
        ReportScope::Channel(name) => of("Channel", name),
        ReportScope::Campaign(name) => of("Campaign", name),
        ReportScope::Tag(name) => of("Tag", name),
        ReportScope::Creator(name) => of("Maker", &maker(name)),
    })
}

impl Reports {
    fn hours(&self) -> std::ops::Range<u8> {
        0..24
    }

    /// What its share is called.
    fn title(&self) -> String {
        match &self.of {
            Some(of) => format!("Report: {}, {}", self.name, of.name),
            None => format!("Report: {}", self.name),
        }
    }
}
