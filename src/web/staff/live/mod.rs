//! The live board, for the wall: clicks of the last minute, the last half hour, what is followed most, what happened.
//!
//! Guarantees the same numbers as `/api/v1/live`, from which the script goes on, that without a script the page comes again
//! by itself, and that a screen's token shows this page alone.

mod ranks;

use std::fmt::Write;

use askama::Template;
use axum::extract::{FromRequestParts, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use self::ranks::{Group, Ranked, ranks};
use super::format::{Times, number};
use super::login::From;
use super::looking::stranger;
use super::shell::{Shell, page, times};
use crate::domain::error::{Reason, Refusal};
use crate::live::{Change, Minute};
use crate::sessions::GrantKind;
use crate::web::State;
use crate::web::error::{Error, Result};
use crate::web::session::Staff;

/// Minutes shown.
const MINUTES: usize = 30;
/// Things that happened.
const EVENTS: usize = 12;
/// Rows, if a screen does not say, ...
const ROWS: usize = 10;
/// ... and most of them.
const MOST_ROWS: usize = 20;

/// How a screen wants it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    rows: String,
    theme: String,
    /// What a row is: a story, or a link, an author, a section.
    group: String,
    /// "0" leaves authors out.
    bylines: String,
    token: String,
}

#[derive(Template)]
#[template(path = "staff/templates/live.html")]
struct Board {
    shell: Shell,
    times: Times,
    /// Where the script listens.
    source: String,
    heading: &'static str,
    /// The script asks for the rows anew also when its own list of links is the same.
    grouped: bool,
    bylines: bool,
    /// Clicks of the last 60 seconds.
    minute: String,
    today: String,
    uniques: String,
    bars: String,
    minutes: Vec<Minute>,
    top: Vec<Ranked>,
    events: Vec<Told>,
    /// The last event that is shown.
    last: u64,
}

/// Something that happened: when, and in words around the link that it is about.
struct Told {
    at: Timestamp,
    kind: String,
    before: String,
    /// Its code, and what it is called; "" for none.
    code: String,
    title: String,
    after: String,
}

impl Board {
    fn hour(&self, minute: &Minute) -> String {
        self.times.hour(minute.start.as_second())
    }

    fn short(&self, at: &Timestamp) -> String {
        self.times.short(*at)
    }

    fn number(&self, value: &u64) -> String {
        number(*value)
    }
}

/// The board.
pub(super) async fn show(
    Shared(state): Shared<State>,
    From(mut parts): From,
    Query(asked): Query<Asked>,
) -> std::result::Result<Response, Response> {
    let actor = match asked.token.as_str() {
        "" => Staff::from_request_parts(&mut parts, &state).await?.0,
        token => {
            let granted = state.sessions.granted(GrantKind::Screen, token, crate::clock::now()).await;
            if granted.map_err(|error| Error::from(error).into_response())?.is_none() {
                state.limits.failed_from(&parts, &state).map_err(IntoResponse::into_response)?;
                let detail = "this screen's address is not valid, or not any more; ask for another";
                return Err(Error::from(Refusal::new(Reason::NotFound, detail)).into_response());
            }
            stranger()
        }
    };
    let mut shell = Shell::new(&state, &actor, "/-/live");
    shell.shared = !asked.token.is_empty();
    shell.theme = ["dark", "light"].into_iter().find(|theme| *theme == asked.theme).unwrap_or_default();
    board(&state, shell, &asked).await.map_err(IntoResponse::into_response)
}

async fn board(state: &State, shell: Shell, asked: &Asked) -> Result<Response> {
    let times = times(state);
    // Before the numbers: what happens meanwhile is told twice rather than not at all.
    let last = state.live.last_id();
    let now = state.live.now(times.now).await?;
    let minutes: Vec<Minute> = now.minutes.into_iter().rev().take(MINUTES).rev().collect();
    let rows = asked.rows.parse().unwrap_or(ROWS).clamp(1, MOST_ROWS);
    let group = Group::read(&asked.group);
    let told = state.live.since(0).into_iter().rev().filter(|event| event.id <= last).take(EVENTS);
    let told = told.filter_map(|event| serde_json::from_str::<Change>(&event.data).ok());
    let source = match asked.token.as_str() {
        "" => "/api/v1/live".to_owned(),
        token => format!("/api/v1/live?token={token}"),
    };
    let view = Board {
        source,
        heading: group.heading(),
        grouped: group != Group::Link,
        bylines: asked.bylines != "0" && matches!(group, Group::Story | Group::Link),
        minute: number(last_minute(&minutes, times.now)),
        today: number(now.today.clicks),
        uniques: number(now.today.uniques),
        bars: bars(&minutes),
        minutes,
        top: ranks(state, group, rows, times.now).await?,
        events: told.map(sentence).collect(),
        last,
        shell,
        times,
    };
    Ok(page(StatusCode::OK, &view))
}

/// Clicks of the last 60 seconds: those of this minute, and as much of the one before as is not over.
fn last_minute(minutes: &[Minute], now: Timestamp) -> u64 {
    let gone = u64::try_from(now.as_second().rem_euclid(60)).unwrap_or(0);
    let mut clicks = minutes.iter().rev().map(|minute| minute.clicks);
    let (this, before) = (clicks.next().unwrap_or(0), clicks.next().unwrap_or(0));
    this + (before * (60 - gone) + 30) / 60
}

/// A bar for each minute. The script moves them.
fn bars(minutes: &[Minute]) -> String {
    let most = minutes.iter().map(|minute| minute.clicks).max().unwrap_or(0).max(1);
    let mut svg = String::new();
    for (at, minute) in minutes.iter().enumerate() {
        let high = (minute.clicks * 96 / most).max(1);
        let class = if at + 1 == minutes.len() { "bar now" } else { "bar" };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"8\" height=\"{high}\"/>",
            at * 10,
            100 - high
        );
    }
    svg
}

/// What happened, as people say it. The script says it likewise.
fn sentence(change: Change) -> Told {
    let count = || change.value.parse().map_or_else(|_| change.value.clone(), number);
    let (before, after) = match &*change.kind {
        "created" => ("New link: ".to_owned(), String::new()),
        "changed" => ("Changed: ".to_owned(), String::new()),
        "retired" => ("Retired: ".to_owned(), String::new()),
        "milestone" => (String::new(), format!(" passed {} clicks", count())),
        "spike" => (String::new(), format!(" takes off: {} clicks in ten minutes", count())),
        "source" => (format!("Readers come from {} now", change.value), String::new()),
        kind => (format!("{kind}: "), format!(" {}", change.value)),
    };
    let code = change.code.unwrap_or_default();
    let title = change.title.unwrap_or(change.value);
    Told { at: change.at, kind: change.kind.into_owned(), before, code, title, after }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(clicks: &[u64]) -> Vec<Minute> {
        let minute =
            |clicks: &u64| Minute { start: Timestamp::UNIX_EPOCH, clicks: *clicks, previews: 0, bots: 0 };
        clicks.iter().map(minute).collect()
    }

    #[test]
    fn the_last_minute_is_part_of_two() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for (second, clicks) in [(0, 63), (30, 33), (59, 4)] {
            assert_eq!(last_minute(&minutes(&[9, 60, 3]), at(second)), clicks, "{second}");
        }
        assert_eq!(last_minute(&[], at(5)), 0);
    }

    #[test]
    fn bars_are_as_many_as_minutes_and_none_is_nothing() {
        let svg = bars(&minutes(&[0, 5, 10]));
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(
            svg.contains("height=\"1\"") && svg.contains("height=\"48\"") && svg.contains("height=\"96\""),
            "{svg}"
        );
        assert_eq!(bars(&[]), "");
    }
}
