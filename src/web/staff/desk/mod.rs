//! The desk: paste an address, get a short URL.
//!
//! Guarantees that what was made is in the page's address, so that it can be reloaded and sent on, that an undo reverses
//! only what this action made, and that of several lines each has its own answer.

mod card;
mod form;

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::Serializer;

use self::card::{Card, card_of};
pub(super) use self::card::{card, code};
use self::form::{Form, Wrong};
use super::format::{Times, number};
use super::question::question;
use super::rows::{Row, rows, without_scheme};
use super::shell::{Shell, page, see_other, times};
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::{Range, ReportScope};
use crate::links::codes::Entropy;
use crate::links::{Error as LinkError, Made};
use crate::reports::{By, Order, TopRow};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::error::Result;
use crate::web::pages::bookmarklet;
use crate::web::session::{Form64, Staff};

/// Links that are shown as one's recent ones.
const RECENT: usize = 10;
/// Stories that are shown as today's.
const STORIES: usize = 5;
/// Most lines of one paste.
const MAX_LINES: usize = 1_000;
/// Links that are shown as made a moment ago.
const SHOWN: usize = 50;
/// Fields of the form that an error can stand beside; what is wrong elsewhere stands beside the first.
const FIELDS: [&str; 6] = ["urls", "code", "campaign", "not_before", "expires_at", "note"];

#[derive(Template)]
#[template(path = "staff/templates/desk.html")]
struct Desk {
    shell: Shell,
    asked: Form,
    card: Option<Card>,
    channels: Vec<(String, bool)>,
    made: Vec<MadeRow>,
    /// Links that an undo took back a moment ago.
    undone: Option<usize>,
    lines: Vec<Line>,
    wrong: Option<Wrong>,
    recent: Vec<Row>,
    today: Today,
    times: Times,
    may_make: bool,
    bookmarklet: String,
    public_url: String,
}

/// What is older than this says of when it is.
const MOMENT: SignedDuration = SignedDuration::from_secs(5);

/// The newsroom's day so far.
struct Today {
    clicks: String,
    readers: String,
    /// Address, headline and clicks of the stories that are read most; none while they are summed the first time.
    stories: Option<Vec<(String, String, String)>>,
    /// Of when the stories are, if of more than a moment ago.
    as_of: Option<Timestamp>,
}

/// A link that was made or found a moment ago.
struct MadeRow {
    row: Row,
    is_new: bool,
}

impl MadeRow {
    /// Ways to pass it on, as name and address. Nothing is asked of anybody before one of them is followed.
    fn shares(&self) -> [(&'static str, String); 3] {
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let title = if self.row.is_headline { self.row.title.as_str() } else { "" };
        let both = escaped(format!("{title} {}", self.row.url).trim());
        let (title, url) = (escaped(title), escaped(&self.row.url));
        [
            ("E-mail", format!("mailto:?subject={title}&body={both}")),
            ("WhatsApp", format!("https://wa.me/?text={both}")),
            ("X", format!("https://x.com/intent/post?text={title}&url={url}")),
        ]
    }
}

/// One line of several.
struct Line {
    asked: String,
    made: Option<MadeRow>,
    wrong: Option<String>,
}

/// The desk as it is, with what was made a moment ago.
pub(super) async fn desk(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(asked): Query<Vec<(String, String)>>,
) -> Result<Response> {
    let get = |name: &str| asked.iter().find(|(its, _)| its == name).map_or("", |(_, value)| value.as_str());
    let (made, is_new): (Vec<&str>, Vec<&str>) =
        (get("made").split(',').collect(), get("new").split(',').collect());
    let mut desk = new(&state, &actor, Form::of(asked.clone())).await?;
    if let [line] = desk.asked.lines()[..] {
        desk.card = Some(card_of(&state, &actor, line).await?);
    }
    let mut found = vec![];
    for code in made.into_iter().filter(|code| !code.is_empty()).take(SHOWN) {
        found.extend(state.links.get(code).await.ok());
    }
    let made = rows(&state, &found, &actor, desk.times.now).await?.into_iter();
    desk.made = made.map(|row| MadeRow { is_new: is_new.contains(&row.code.as_str()), row }).collect();
    desk.undone = get("undone").parse().ok();
    Ok(page(StatusCode::OK, &desk))
}

async fn new(state: &State, actor: &Actor, asked: Form) -> Result<Desk> {
    let times = times(state);
    let chosen = |name: &String| asked.channels.contains(name);
    let channels = state.links.channel_names().into_iter().map(|name| (chosen(&name), name));
    Ok(Desk {
        shell: Shell::new(state, actor, "/-/"),
        channels: channels.map(|(chosen, name)| (name, chosen)).collect(),
        asked,
        card: None,
        made: vec![],
        undone: None,
        lines: vec![],
        wrong: None,
        recent: recent(state, actor, &times).await?,
        today: today(state, &times).await?,
        times,
        may_make: actor.role >= Role::Creator,
        // The pages that it opens are staff's.
        bookmarklet: bookmarklet(&state.staff_url),
        public_url: state.public_url.to_string(),
    })
}

async fn recent(state: &State, actor: &Actor, times: &Times) -> Result<Vec<Row>> {
    let filter = LinkFilter { created_by: Some(actor.name.clone()), ..LinkFilter::default() };
    let recent = LinkPage { filter, order: LinkOrder::Created, descending: true, after: None, limit: RECENT };
    let recent = state.links.within(state.links.store().list(recent, times.now)).await?;
    rows(state, &recent, actor, times.now).await
}

async fn today(state: &State, times: &Times) -> Result<Today> {
    let calendar = state.reports.calendar();
    let day = calendar.day(times.now);
    let range = Range { from: calendar.start_of(day), to: calendar.start_of(day.saturating_add(1)) };
    let asked = question(state, ReportScope::Site, range, times.now);
    let summary = state.reports.summary(&asked).await?;
    let top = state.reports.top_at_hand(&asked, By::Article, Order::Click, STORIES).await;
    let stories = top.as_deref().map(|top| {
        let story = |row: &TopRow| {
            (format!("/-/articles/{}", row.value), row.label.clone(), number(row.counts.clicks))
        };
        top.rows.iter().map(story).collect()
    });
    Ok(Today {
        clicks: number(summary.counts.clicks),
        readers: number(summary.counts.uniques),
        stories,
        as_of: top.map(|top| top.as_of).filter(|at| times.now.duration_since(*at) > MOMENT),
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
        0 => Some(("urls", "Paste the address of an article first.".into())),
        n if n > MAX_LINES => Some(("urls", format!("At most {} lines at once.", number(1_000)))),
        n if n > 1 && !form.code.is_empty() => {
            Some(("code", "One code cannot be that of several links.".into()))
        }
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
        let asked = line.to_owned();
        match one(&state, &actor, &form, line, &desk.times).await? {
            Err((_, wrong)) => desk.lines.push(Line { asked, made: None, wrong: Some(wrong) }),
            Ok(made) => {
                let (found, is_new): (Vec<_>, Vec<bool>) =
                    made.into_iter().map(|made| (made.found, made.created)).unzip();
                let rows = rows(&state, &found, &actor, desk.times.now).await?.into_iter().zip(is_new);
                desk.lines.extend(rows.map(|(row, is_new)| Line {
                    asked: asked.clone(),
                    made: Some(MadeRow { row, is_new }),
                    wrong: None,
                }));
            }
        }
    }
    desk.asked.urls.clear();
    desk.recent = recent(&state, &actor, &desk.times).await?;
    Ok(page(StatusCode::OK, &desk))
}

/// The links of one line, or why there are none.
async fn one(
    state: &State,
    actor: &Actor,
    form: &Form,
    line: &str,
    times: &Times,
) -> Result<std::result::Result<Vec<Made>, Wrong>> {
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

fn why(refusal: &Refusal, state: &State) -> Wrong {
    let its = refusal.field.as_deref().unwrap_or_default();
    let field = FIELDS.into_iter().find(|name| *name == its).unwrap_or("urls");
    match &refusal.link {
        // What a parser says helps nobody who pasted something else.
        None if refusal.reason == Reason::InvalidUrl => {
            (field, "This is no address: one begins with https://, or http://.".into())
        }
        Some(found) => {
            let url = format!("{}/{}", state.public_url, found.link.code);
            (field, format!("{} ({})", refusal.detail, without_scheme(&url)))
        }
        None => (field, refusal.detail.to_string()),
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
    let mut undone = 0_usize;
    for (_, code) in pairs.iter().filter(|(name, _)| name == "code") {
        let found = state.links.get(code).await?;
        // Who has changed it meanwhile does not undo that.
        if found.link.created_by == actor.name && found.link.version == 1 {
            state.links.retire(code, &actor, clock::now()).await?;
            undone += 1;
        }
    }
    Ok(see_other(&format!("/-/?undone={undone}")))
}

impl Desk {
    /// How many links came of several lines, and how many lines have none.
    fn count(&self) -> String {
        let wrong = self.lines.iter().filter(|line| line.made.is_none()).count();
        let text = |n: usize| number(u64::try_from(n).unwrap_or(0));
        match (self.lines.len() - wrong, wrong) {
            (links, 0) => format!("{} links", text(links)),
            (links, 1) => format!("{} links, and one line that is none", text(links)),
            (links, wrong) => format!("{} links, and {} lines that are none", text(links), text(wrong)),
        }
    }

    fn wrong_in(&self, field: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(its, _)| *its == field).map(|(_, text)| text.as_str())
    }

    /// Codes that an undo takes back.
    fn undoable(&self) -> Vec<&str> {
        let of_lines = self.lines.iter().filter_map(|line| line.made.as_ref());
        let made = self.made.iter().chain(of_lines).filter(|made| made.is_new);
        made.map(|made| made.row.code.as_str()).collect()
    }

    /// What an undo did, in words.
    fn undone(&self) -> Option<String> {
        self.undone.map(|undone| match undone {
            0 => "Nothing was taken back: somebody has changed it since.".to_owned(),
            1 => "Taken back: the link is gone, and its code is not given away again.".to_owned(),
            n => format!("Taken back: {n} links are gone, and their codes are not given away again."),
        })
    }
}
