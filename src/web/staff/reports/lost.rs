//! What does not lead where it should: links whose target is gone, and codes that nobody has.
//!
//! Guarantees that what is secret to the viewer is in neither list, and that a code which somebody has meanwhile is not
//! offered.

use axum::extract::State as Shared;
use axum::response::Response;
use http::StatusCode;

use super::super::format::{Times, number};
use super::super::link::what_is_broken;
use super::super::looking::Looking;
use super::super::rows::{Row, rows};
use super::super::shell::{page, see_other, times};
use super::{Asked, ORPHANS, report};
use crate::domain::access::{Actor, Role};
use crate::domain::code::fold;
use crate::domain::link::Via;
use crate::links::Error as LinkError;
use crate::links::codes::Entropy;
use crate::links::request::NewLink;
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff, said};

/// Rows of each list.
const ROWS: usize = 50;

/// Links whose target is gone.
pub(super) struct Broken {
    pub(super) rows: Vec<BrokenRow>,
    pub(super) more: bool,
}

/// One of them.
pub(super) struct BrokenRow {
    pub(super) row: Row,
    /// What its target answers.
    pub(super) what: String,
    /// Where it moved, if that is known.
    pub(super) proposal: Option<String>,
}

/// Codes that nobody has.
pub(super) struct Orphans {
    pub(super) rows: Vec<OrphanRow>,
    /// Since when this is known.
    pub(super) since: Option<String>,
    /// All other visits.
    pub(super) other: Option<String>,
    pub(super) may_make: bool,
    /// What is wrong with a link that was to be made of a code that is not among the rows any more.
    pub(super) wrong: Option<String>,
}

/// One of them.
pub(super) struct OrphanRow {
    pub(super) code: String,
    pub(super) count: String,
    pub(super) last: String,
    /// Codes that may have been meant.
    pub(super) near: Vec<String>,
    /// The address that somebody wanted it to lead to, and why it does not.
    pub(super) wrong: Option<(String, String)>,
}

/// The links whose target is gone, those first that changed last.
pub(super) async fn broken(state: &State, viewer: &Actor, times: &Times) -> Result<Broken> {
    let viewer_name = (viewer.role != Role::Admin).then(|| viewer.name.clone());
    let filter = LinkFilter { broken: true, viewer: viewer_name, ..LinkFilter::default() };
    let asked =
        LinkPage { filter, order: LinkOrder::Updated, descending: true, after: None, limit: ROWS + 1 };
    let mut found = state.links.within(state.links.store().list(asked, times.now)).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let shown = rows(state, &found, viewer, times.now).await?;
    let rows = shown.into_iter().zip(&found).filter_map(|(row, found)| {
        let broken = found.link.broken.as_ref()?;
        Some(BrokenRow { row, what: what_is_broken(broken, times), proposal: broken.proposal.clone() })
    });
    Ok(Broken { rows: rows.collect(), more })
}

/// The unknown codes that were asked for most; `wrong` is a code, the address that it was to lead to, and what is wrong.
pub(super) async fn orphans(
    state: &State,
    looking: &Looking,
    times: &Times,
    wrong: Option<(String, String, String)>,
) -> Result<Orphans> {
    let now = times.now.as_millisecond();
    let asked = state.orphans.most(ROWS, now);
    let keys: Vec<String> = asked.rows.iter().map(|row| row.code.clone()).collect();
    let there = state.links.within(state.links.store().find_many(&keys)).await?;
    let free = |code: &str| !there.iter().any(|found| fold(found.link.code.as_str()) == code);
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).ok();
    let rows = asked.rows.iter().filter(|row| free(&row.code)).map(|row| OrphanRow {
        count: if row.count == 1 { "once".into() } else { format!("{} times", number(row.count)) },
        last: time(row.last_ms).map(|at| times.ago(at)).unwrap_or_default(),
        near: if looking.shared { vec![] } else { state.near.guess(&row.code, now) },
        wrong: wrong.clone().filter(|(code, ..)| *code == row.code).map(|(_, url, why)| (url, why)),
        code: row.code.clone(),
    });
    let rows: Vec<OrphanRow> = rows.collect();
    let lost = wrong.filter(|_| rows.iter().all(|row| row.wrong.is_none()));
    Ok(Orphans {
        wrong: lost.map(|(code, _, why)| format!("{code}: {why}")),
        rows,
        since: asked.since_ms.and_then(time).map(|at| times.short(at)),
        other: (asked.other > 0).then(|| number(asked.other)),
        may_make: !looking.shared && looking.actor.role >= Role::Creator,
    })
}

/// Makes a link of an unknown code.
pub(in crate::web::staff) async fn adopt(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    actor.require(Role::Creator)?;
    let times = times(&state);
    let value = |name: &str| said(&pairs, name).unwrap_or_default().to_owned();
    let (code, url) = (value("code"), value("url"));
    state.limits.creations(&actor.name, 1)?;
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let request = NewLink { url: text(&url), code: text(&code), ..NewLink::default() };
    match state.links.create(request, &actor, Via::Page, &Entropy::System, times.now).await {
        Ok(_) => Ok(see_other(&format!("/-/links/{code}"))),
        Err(LinkError::Refused(refusal)) => {
            let looking = Looking { actor, shared: false, view: format!("/-/reports?tab={ORPHANS}") };
            let asked = Asked { tab: ORPHANS.into(), ..Asked::default() };
            let mut report = report(&state, &looking, &asked).await?;
            let wrong = Some((code, url, refusal.detail.to_string()));
            report.shown = super::Shown::Orphans(orphans(&state, &looking, &times, wrong).await?);
            Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &report))
        }
        Err(error) => Err(error.into()),
    }
}
