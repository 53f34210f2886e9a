//! Reports: the whole newsroom, or a part of it, by stories, sections, authors, channels, sources, places and times.
//!
//! Guarantees that rows and "others" are the total, that rows lead to the numbers of what they name and nowhere where
//! there are none, that each list can be had as CSV of the same range, and that for an address which says what is not
//! there no numbers stand.

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
pub(super) use self::lost::adopt;
use self::lost::{Broken, Orphans};
use super::format::Times;
use super::heat::Heat;
use super::looking::Looking;
use super::numbers::{Numbers, Subject};
use super::question::{Address, NoNumbers, Picker, When, in_words, question};
use super::rows::maker;
use super::shell::{Shell, page, times};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::{Compare, Range, ReportScope};
use crate::reports::By;
use crate::web::State;
use crate::web::error::{Error, Result, status_of};

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
    Times(Heat),
    Broken(Broken),
    Orphans(Orphans),
    /// Nothing, and why.
    Wrong(String),
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
    /// Its address, to be shared; empty for what is not there.
    view: String,
}

impl Asked {
    fn tab(&self) -> Result<(&'static str, &'static str)> {
        let (usual, name, _) = TABS[0];
        let found = TABS.into_iter().find(|(name, ..)| *name == self.tab).map(|(tab, name, _)| (tab, name));
        let found = found.or_else(|| self.tab.is_empty().then_some((usual, name)));
        Ok(found.ok_or_else(|| Refusal::field(Reason::InvalidValue, "tab", "there is no such list"))?)
    }

    /// What of it is none, as its page says it; None for what is wrong elsewhere.
    fn wrong(&self, refusal: &Refusal) -> Option<NoNumbers> {
        match refusal.field.as_deref()? {
            "tab" => Some(NoNumbers::named("There is no list", &self.tab)),
            "scope" => Some(NoNumbers::named("There is no report of", &self.scope)),
            _ => self.when.wrong(refusal),
        }
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

    /// The lists beside this one, and their addresses.
    fn tabs(&self, tab: &str) -> Vec<(String, &'static str, bool)> {
        let tabs = TABS.iter().filter(|(its, _, chosen)| *chosen || *its == tab);
        // Broken links and unknown codes are those of the whole newsroom.
        let tabs = tabs.filter(|(its, ..)| self.scope.is_empty() || ![BROKEN, ORPHANS].contains(its));
        tabs.map(|(its, words, _)| (self.address("/-/reports", its, "").at(&self.when), *words, *its == tab))
            .collect()
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
    let asked = Asked { when: asked.when.clone().or(USUAL), ..asked };
    match report(&state, &looking, &asked).await {
        Err(Error::Refused(refusal)) => match asked.wrong(&refusal) {
            Some(wrong) => Ok(page(status_of(refusal.reason), &none(&state, &looking, &asked, wrong)?)),
            None => Err(refusal.into()),
        },
        report => Ok(page(StatusCode::OK, &report?)),
    }
}

/// The page of an address that says what is not there: what is wrong with it, and all ways on.
fn none(state: &State, looking: &Looking, asked: &Asked, wrong: NoNumbers) -> Result<Reports> {
    let now = times(state).now;
    let when = asked.when.known();
    let (tab, name) = asked.tab().unwrap_or((TABS[0].0, TABS[0].1));
    let scope = asked.scope().map_or("", |_| asked.scope.as_str()).to_owned();
    let usual = When::default().or(USUAL);
    let range = usual.range(state, Timestamp::UNIX_EPOCH, now)?;
    let is_time = wrong.dates.is_none() && when.range(state, Timestamp::UNIX_EPOCH, now).is_ok();
    let on = if is_time { when.clone().or(USUAL) } else { usual };
    let to = Asked { tab: tab.to_owned(), scope, value: String::new(), when: on };
    let picker = Picker::new(state, to.address("/-/reports", tab, ""), (&when, range), false, now);
    let mut shell = Shell::new(state, &looking.actor, "/-/reports");
    shell.shared = looking.shared;
    Ok(Reports {
        shell,
        of: None,
        tabs: to.tabs(if asked.tab().is_ok() { tab } else { "" }),
        picker: Some(picker.without(Some(&wrong))),
        name,
        shown: Shown::Wrong(wrong.text),
        csv: None,
        period: "no numbers".into(),
        view: String::new(),
    })
}

async fn report(state: &State, looking: &Looking, asked: &Asked) -> Result<Reports> {
    let (times, scope, (tab, name)) = (times(state), asked.scope()?, asked.tab()?);
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
            let zone = state.reports.calendar().zone_name(times.now);
            Shown::Times(Heat::of(&state.reports.heat(&asked).await?.rows, &zone))
        }
        BROKEN => Shown::Broken(lost::broken(state, &looking.actor, &times).await?),
        ORPHANS => Shown::Orphans(lost::orphans(state, looking, &times, None).await?),
        by => match By::parse(Some(by))? {
            by if !asked.value.is_empty() && by.is_value() => {
                let back = asked.address("/-/reports", tab, "").at(&asked.when);
                Shown::Value(Box::new(lists::value(state, &subject, (by, &asked.value), back, &times).await?))
            }
            by => Shown::List(lists::list(state, &subject, by, &times).await?),
        },
    };
    let value = if matches!(shown, Shown::Value(_)) { asked.value.as_str() } else { "" };
    let own = asked.address("/-/reports", tab, value);
    let picker = Picker::new(state, own, (&asked.when, range), false, times.now);
    let picker = if tab == TIMES { picker.alone() } else { picker };
    let mut shell = Shell::new(state, &looking.actor, "/-/reports");
    shell.shared = looking.shared;
    Ok(Reports {
        shell,
        of,
        tabs: asked.tabs(tab),
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
    /// What its share is called.
    fn title(&self) -> String {
        match &self.of {
            Some(of) => format!("Report: {}, {}", self.name, of.name),
            None => format!("Report: {}", self.name),
        }
    }
}
