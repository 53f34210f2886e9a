//! The desk: paste an address, get a short URL.
//!
//! Guarantees that what was made is in the page's address, so that it can be reloaded and sent on, that an undo reverses
//! only what this action made, and that of several lines each has its own answer.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::format::{Times, number};
use super::question::question;
use super::rows::{Row, rows, without_scheme};
use super::shell::{Shell, page, see_other, times};
use crate::domain::access::{Actor, Role};
use crate::domain::error::Refusal;
use crate::domain::link::{Found, Via};
use crate::domain::report::{Range, ReportScope};
use crate::links::codes::Entropy;
use crate::links::request::NewLink;
use crate::links::{Error as LinkError, Lookup, Made};
use crate::reports::{By, Order};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff};

/// Links that are shown as one's recent ones.
const RECENT: usize = 10;
/// Stories that are shown as today's.
const STORIES: usize = 5;
/// Most lines of one paste.
const MAX_LINES: usize = 1_000;

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    /// What was pasted.
    #[serde(default)]
    url: String,
    /// What a phone shares, with other words around it.
    #[serde(default)]
    text: String,
    /// Likewise; some put the address here.
    #[serde(default)]
    title: String,
    /// Codes of links that were made or found a moment ago.
    #[serde(default)]
    made: String,
    /// Those of them that this made: they can be undone.
    #[serde(default)]
    new: String,
    /// By what it came.
    #[serde(default)]
    via: String,
}

#[derive(Template)]
#[template(path = "staff/templates/desk.html")]
struct Desk {
    shell: Shell,
    asked: Form,
    card: Option<Card>,
    channels: Vec<(String, bool)>,
    made: Vec<MadeRow>,
    lines: Vec<Line>,
    wrong: Option<String>,
    recent: Vec<Row>,
    today: Today,
    times: Times,
    may_make: bool,
}

/// The newsroom's day so far.
struct Today {
    clicks: String,
    readers: String,
    /// Address, headline and clicks of the stories that are read most.
    stories: Vec<(String, String, String)>,
}

/// What is known of an address before a link is made.
#[derive(Template)]
#[template(path = "staff/templates/card.html")]
pub(super) struct Card {
    headline: Option<String>,
    about: String,
    target: String,
    dropped: Vec<String>,
    /// Leaves the newsroom's own hosts.
    leaves: Option<String>,
    links: Vec<(String, String, String)>,
    wrong: Option<String>,
}

struct MadeRow {
    row: Row,
    is_new: bool,
}

/// One line of several.
struct Line {
    asked: String,
    row: Option<Row>,
    wrong: Option<String>,
}

/// The form as it was sent.
#[derive(Clone, Default)]
struct Form {
    urls: String,
    channels: Vec<String>,
    code: String,
    campaign: String,
    not_before: String,
    expires_at: String,
    note: String,
    confidential: bool,
    keep_params: bool,
    via: String,
}

impl Form {
    fn of(pairs: Vec<(String, String)>) -> Form {
        let mut form = Form::default();
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            match name.as_str() {
                "urls" => form.urls = value,
                "channel" if !value.is_empty() => form.channels.push(value),
                "code" => form.code = value,
                "campaign" => form.campaign = value,
                "not_before" => form.not_before = value,
                "expires_at" => form.expires_at = value,
                "note" => form.note = value,
                "confidential" => form.confidential = true,
                "keep_params" => form.keep_params = true,
                "via" => form.via = value,
                _ => {}
            }
        }
        form
    }

    fn lines(&self) -> Vec<&str> {
        self.urls.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    fn via(&self) -> Via {
        if self.via == "bookmarklet" { Via::Bookmarklet } else { Via::Page }
    }

    fn request(&self, url: &str, times: &Times) -> std::result::Result<NewLink, String> {
        let text = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        let time = |name: &str, value: &str| match value {
            "" => Ok(None),
            value => times.read(value).map(Some).ok_or(format!("{name} is no time")),
        };
        let several = self.channels.len() > 1;
        Ok(NewLink {
            url: text(url),
            code: text(&self.code),
            channel: self.channels.first().cloned().filter(|_| !several),
            channels: several.then(|| self.channels.clone()),
            campaign: text(&self.campaign),
            not_before: time("Opens", &self.not_before)?,
            expires_at: time("Ends", &self.expires_at)?,
            note: text(&self.note),
            confidential: self.confidential.then_some(true),
            keep_params: self.keep_params.then_some(true),
            ..NewLink::default()
        })
    }
}

/// The first address in a text.
fn address_in(text: &str) -> &str {
    let mut words = text.split_whitespace();
    words.find(|word| word.starts_with("http://") || word.starts_with("https://")).unwrap_or_default()
}

/// The desk as it is, with what was made a moment ago.
pub(super) async fn desk(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let shared = [&asked.text, &asked.title].map(|text| address_in(text));
    let url = match shared.into_iter().find(|address| !address.is_empty()) {
        Some(address) if asked.url.is_empty() => address.to_owned(),
        _ => asked.url,
    };
    let form = Form { urls: url, via: asked.via, ..Form::default() };
    let mut desk = new(&state, &actor, form).await?;
    if !desk.asked.urls.is_empty() {
        desk.card = Some(card_of(&state, &actor, &desk.asked.urls).await?);
    }
    let is_new: Vec<&str> = asked.new.split(',').collect();
    let mut found = vec![];
    for code in asked.made.split(',').filter(|code| !code.is_empty()).take(50) {
        found.extend(state.links.get(code).await.ok());
    }
    let now = desk.times.now;
    let made = rows(&state, &found, &actor, now).await?.into_iter();
    desk.made = made.map(|row| MadeRow { is_new: is_new.contains(&row.code.as_str()), row }).collect();
    Ok(page(StatusCode::OK, &desk))
}

async fn new(state: &State, actor: &Actor, asked: Form) -> Result<Desk> {
    let times = times(state);
    let filter = LinkFilter { created_by: Some(actor.name.clone()), ..LinkFilter::default() };
    let recent = LinkPage { filter, order: LinkOrder::Created, descending: true, after: None, limit: RECENT };
    let recent = state.links.within(state.links.store().list(recent, times.now)).await?;
    let recent = rows(state, &recent, actor, times.now).await?;
    let chosen = |name: &String| asked.channels.contains(name);
    let channels = state.links.channel_names().into_iter().map(|name| (chosen(&name), name));
    Ok(Desk {
        shell: Shell::new(state, actor, "/-/"),
        channels: channels.map(|(chosen, name)| (name, chosen)).collect(),
        asked,
        card: None,
        made: vec![],
        lines: vec![],
        wrong: None,
        recent,
        today: today(state, &times).await?,
        times,
        may_make: actor.role >= Role::Creator,
    })
}

async fn today(state: &State, times: &Times) -> Result<Today> {
    let calendar = state.reports.calendar();
    let day = calendar.day(times.now);
    let range = Range { from: calendar.start_of(day), to: calendar.start_of(day.saturating_add(1)) };
    let asked = question(state, ReportScope::Site, range, times.now);
    let summary = state.reports.summary(&asked).await?;
    let top = state.reports.top_at_hand(&asked, By::Article, Order::Click, STORIES).await?;
    let stories = top
        .rows
        .iter()
        .map(|row| (format!("/-/articles/{}", row.value), row.label.clone(), number(row.counts.clicks)));
    Ok(Today {
        clicks: number(summary.counts.clicks),
        readers: number(summary.counts.uniques),
        stories: stories.collect(),
    })
}

/// What is known of an address, as a part of a page.
pub(super) async fn card(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    Ok(page(StatusCode::OK, &card_of(&state, &actor, &asked.url).await?))
}

async fn card_of(state: &State, actor: &Actor, url: &str) -> Result<Card> {
    let times = times(state);
    match state.links.lookup(url, actor, times.now).await {
        Ok(lookup) => known(state, actor, lookup, &times).await,
        Err(LinkError::Refused(refusal)) => Ok(Card {
            headline: None,
            about: String::new(),
            target: String::new(),
            dropped: vec![],
            leaves: None,
            links: vec![],
            wrong: Some(refusal.detail.to_string()),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn known(state: &State, actor: &Actor, lookup: Lookup, times: &Times) -> Result<Card> {
    let facts = lookup.article.as_deref().map(|article| article.facts.clone()).unwrap_or_default();
    let mut about: Vec<String> = facts.section.into_iter().collect();
    if !facts.authors.is_empty() {
        about.push(facts.authors.join(", "));
    }
    about.extend(facts.published_at.map(|at| format!("published {}", times.short(at))));
    about.push(lookup.address.site.clone());
    let open: Vec<Found> = lookup.links.into_iter().filter(|found| found.link.retired_at.is_none()).collect();
    let links = rows(state, &open, actor, times.now).await?.into_iter();
    let host = url::Url::parse(&lookup.address.target).ok().and_then(|url| url.host_str().map(str::to_owned));
    let leaves = host.filter(|_| !lookup.address.allowed && state.links.knows_own_hosts());
    Ok(Card {
        headline: facts.title,
        about: about.join(" · "),
        target: lookup.address.target,
        dropped: lookup.address.dropped,
        leaves,
        links: links.map(|row| (row.short, format!("/-/links/{}", row.code), row.clicks)).collect(),
        wrong: None,
    })
}

/// Makes links of one line or several.
pub(super) async fn make(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let form = Form::of(pairs);
    let mut desk = new(&state, &actor, form.clone()).await?;
    let lines = form.lines();
    let each = lines.len() * form.channels.len().max(1);
    desk.wrong = match lines.len() {
        0 => Some("Paste the address of an article first.".into()),
        n if n > MAX_LINES => Some(format!("At most {MAX_LINES} lines at once.")),
        n if n > 1 && !form.code.is_empty() => Some("One code cannot be that of several links.".into()),
        _ => None,
    };
    if desk.wrong.is_some() {
        return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &desk));
    }
    state.limits.creations(&actor.name, each)?;
    if let [line] = lines[..] {
        return match one(&state, &actor, &form, line, &desk.times).await? {
            Ok(made) => Ok(see_other(&where_it_is(&made))),
            Err(wrong) => {
                desk.wrong = Some(wrong);
                desk.card = Some(card_of(&state, &actor, line).await?);
                Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &desk))
            }
        };
    }
    for line in lines {
        let (found, wrong) = match one(&state, &actor, &form, line, &desk.times).await? {
            Ok(made) => (made.into_iter().map(|made| made.found).collect(), None),
            Err(wrong) => (vec![], Some(wrong)),
        };
        let mut its = rows(&state, &found, &actor, desk.times.now).await?.into_iter().peekable();
        if its.peek().is_none() {
            desk.lines.push(Line { asked: line.to_owned(), row: None, wrong });
            continue;
        }
        desk.lines.extend(its.map(|row| Line { asked: line.to_owned(), row: Some(row), wrong: None }));
    }
    desk.asked.urls.clear();
    Ok(page(StatusCode::OK, &desk))
}

/// The links of one line, or why there are none.
async fn one(
    state: &State,
    actor: &Actor,
    form: &Form,
    line: &str,
    times: &Times,
) -> Result<std::result::Result<Vec<Made>, String>> {
    let request = match form.request(line, times) {
        Ok(request) => request,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match state.links.create(request, actor, form.via(), &Entropy::System, times.now).await {
        Ok(made) => Ok(Ok(made)),
        Err(LinkError::Refused(refusal)) => Ok(Err(why(&refusal, state))),
        Err(error) => Err(error.into()),
    }
}

fn why(refusal: &Refusal, state: &State) -> String {
    match &refusal.link {
        Some(found) => {
            let url = format!("{}/{}", state.public_url, found.link.code);
            format!("{} ({})", refusal.detail, without_scheme(&url))
        }
        None => refusal.detail.to_string(),
    }
}

/// The desk's address with what was made in it.
fn where_it_is(made: &[Made]) -> String {
    let codes = |new: bool| {
        let codes =
            made.iter().filter(|made| made.created || !new).map(|made| made.found.link.code.to_string());
        codes.collect::<Vec<_>>().join(",")
    };
    let mut query = Serializer::new(String::new());
    query.append_pair("made", &codes(false));
    if made.iter().any(|made| made.created) {
        query.append_pair("new", &codes(true));
    }
    format!("/-/?{}", query.finish())
}

/// Takes back links that were just made: they end, with their codes.
pub(super) async fn undo(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    for (_, code) in pairs.iter().filter(|(name, _)| name == "code") {
        let found = state.links.get(code).await?;
        // Who has changed it meanwhile does not undo that.
        if found.link.created_by == actor.name && found.link.version == 1 {
            state.links.retire(code, &actor, now()).await?;
        }
    }
    Ok(see_other("/-/"))
}

fn now() -> Timestamp {
    crate::clock::now()
}

impl Desk {
    fn count(&self) -> String {
        number(u64::try_from(self.lines.iter().filter(|line| line.row.is_some()).count()).unwrap_or(0))
    }

    fn has_more(&self) -> bool {
        let Form { code, campaign, not_before, expires_at, note, confidential, keep_params, .. } =
            &self.asked;
        let texts = [code, campaign, not_before, expires_at, note];
        texts.iter().any(|text| !text.is_empty()) || *confidential || *keep_params
    }

    fn undone(&self) -> Vec<&str> {
        self.made.iter().filter(|made| made.is_new).map(|made| made.row.code.as_str()).collect()
    }
}
