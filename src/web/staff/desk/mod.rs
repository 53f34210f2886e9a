//! The desk: paste an address, get a short URL.
//!
//! Guarantees that what was made is in the page's address, so that it can be reloaded and sent on, that an undo reverses
//! only what this action made, and that of several lines each has its own answer.

mod card;
mod form;
mod make;
mod undo;

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use self::card::{Card, card_of};
pub(super) use self::card::{card, code};
use self::form::{Form, Wrong};
pub(super) use self::make::make;
pub(super) use self::undo::undo;
use self::undo::{may_undo, said};
use super::format::{Times, number};
use super::question::question;
use super::rows::{Row, rows};
use super::shell::{Shell, page, times};
use crate::domain::access::{Actor, Role};
use crate::domain::link::Found;
use crate::domain::report::{Range, ReportScope};
use crate::reports::{By, Order, TopRow};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::error::Result;
use crate::web::pages::bookmarklet;
use crate::web::session::Staff;

/// Links that are shown as one's recent ones.
const RECENT: usize = 10;
/// Says in the page's address that what was made is shown as a table.
const TABLE: &str = "table";
/// Stories that are shown as today's.
const STORIES: usize = 5;
/// Links that are shown as made a moment ago, and most that stand in the page's address.
const SHOWN: usize = 100;

/// Kinds of redirects: what is sent, and what people read.
const REDIRECTS: [(&str, &str); 5] = [
    ("", "the usual one"),
    ("301", "301: for good"),
    ("302", "302: for now"),
    ("307", "307: for now, method kept"),
    ("308", "308: for good, method kept"),
];

#[derive(Template)]
#[template(path = "staff/templates/desk.html")]
struct Desk {
    shell: Shell,
    asked: Form,
    card: Option<Card>,
    channels: Vec<(String, bool)>,
    made: Vec<MadeRow>,
    /// What an undo did a moment ago, in words.
    undone: Option<String>,
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
    can_undo: bool,
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

impl Line {
    fn of(made: MadeRow) -> Line {
        Line { asked: String::new(), made: Some(made), wrong: None }
    }
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
        let card = card_of(&state, &actor, line).await?;
        // Beside the field, as when it is sent.
        match card.wrong {
            Some(wrong) => desk.wrong = Some(("urls", wrong)),
            None => desk.card = Some(card),
        }
    }
    let mut found = vec![];
    for code in made.into_iter().filter(|code| !code.is_empty()).take(SHOWN) {
        found.extend(state.links.find(code).await?.map(|found| {
            let is_new = is_new.contains(&found.link.code.as_str());
            (found, is_new)
        }));
    }
    let made = made_rows(&state, &actor, found, desk.times.now).await?;
    if get("as") == TABLE {
        desk.lines = made.into_iter().map(Line::of).collect();
    } else {
        desk.made = made;
    }
    desk.undone = said(&state, &actor, [get("undone"), get("not")], desk.times.now).await?;
    Ok(page(StatusCode::OK, &desk))
}

/// The rows of what was made or found; of each, whether it is new.
async fn made_rows(
    state: &State,
    actor: &Actor,
    made: Vec<(Found, bool)>,
    now: Timestamp,
) -> Result<Vec<MadeRow>> {
    let (found, is_new): (Vec<Found>, Vec<bool>) = made.into_iter().unzip();
    let rows = rows(state, &found, actor, now).await?;
    let each = rows.into_iter().zip(found).zip(is_new);
    Ok(each
        .map(|((row, found), is_new)| MadeRow {
            row,
            is_new,
            can_undo: is_new && may_undo(&found.link, actor, now).is_ok(),
        })
        .collect())
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
        let made = self.made.iter().chain(of_lines).filter(|made| made.can_undo);
        made.map(|made| made.row.code.as_str()).collect()
    }

    /// Whether what is folded away has something to say.
    fn has_more(&self) -> bool {
        self.asked.has_more() || self.wrong.as_ref().is_some_and(|(field, _)| *field != "urls")
    }
}
