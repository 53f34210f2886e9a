//! Links made of what was pasted: of one line, of several, or of none for a code that is kept free.
//!
//! Guarantees that what was made is in the address that is answered where it fits there, that of several lines each has
//! its own answer, and that lines that failed stay in the field.

use axum::extract::State as Shared;
use axum::response::Response;
use http::StatusCode;
use url::form_urlencoded::Serializer;

use super::card::card_of;
use super::form::{Form, Wrong};
use super::{Line, SHOWN, TABLE, made_rows, new};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::Found;
use crate::links::codes::Entropy;
use crate::links::{Error as LinkError, Made};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Pasted, Staff, back_after};
use crate::web::staff::format::{Times, number};
use crate::web::staff::rows::without_scheme;
use crate::web::staff::shell::{page, see_other, times};

/// Most lines of one paste, and most links of one.
pub(super) const MAX_LINES: usize = 1_000;
/// Fields of the form that an error can stand beside; what is wrong elsewhere stands beside the first.
const FIELDS: [&str; 9] = [
    "urls",
    "code",
    "campaign",
    "not_before",
    "expires_at",
    "note",
    "title",
    "expired_url",
    "redirect_status",
];

/// Makes links of one line or several.
pub(in crate::web::staff) async fn make(
    Shared(state): Shared<State>,
    Pasted { by, pairs }: Pasted,
) -> Result<Response> {
    let form = Form::of(pairs);
    let Staff(actor, _) = match by {
        Ok(staff) => staff,
        Err(answer) => return Ok(back_after(answer, &form.address())),
    };
    let lines = form.lines();
    if let Some(wrong) = refused(&form, lines.len()) {
        return asked_again(&state, &actor, form.clone(), wrong).await;
    }
    state.limits.creations(&actor.name, lines.len().max(1) * form.channels.len().max(1))?;
    match lines[..] {
        [] | [_] => alone(&state, &actor, &form).await,
        _ => several(&state, &actor, &form).await,
    }
}

/// The desk with the form as it was sent, and why nothing came of it.
async fn asked_again(state: &State, actor: &Actor, form: Form, wrong: Wrong) -> Result<Response> {
    let mut desk = new(state, actor, form).await?;
    if let ([line], true) = (&desk.asked.lines()[..], wrong.0 != "urls") {
        desk.card = Some(card_of(state, actor, line).await?);
    }
    desk.wrong = Some(wrong);
    Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &desk))
}

/// What is wrong with the form before anything is tried.
fn refused(form: &Form, lines: usize) -> Option<Wrong> {
    let most = number(u64::try_from(MAX_LINES).unwrap_or(0));
    match lines {
        0 if !form.reserve => Some(("urls", "Paste the address of an article first.".into())),
        n if n > 0 && form.reserve => {
            let text = "A reserved code leads nowhere yet: leave this empty, or take the tick from Reserve.";
            Some(("urls", text.into()))
        }
        n if n > MAX_LINES => Some(("urls", format!("At most {most} lines at once."))),
        n if n.saturating_mul(form.channels.len()) > MAX_LINES => {
            let text = format!("At most {most} links at once: these are {n} lines for each channel.");
            Some(("urls", text))
        }
        n if n > 1 && !form.code.is_empty() => {
            Some(("code", "One code cannot be that of several links.".into()))
        }
        n if n > 1 && !form.title.is_empty() => {
            Some(("title", "One title cannot be that of several stories.".into()))
        }
        _ => None,
    }
}

/// A link for each channel of one line, or of none.
async fn alone(state: &State, actor: &Actor, form: &Form) -> Result<Response> {
    match one(state, actor, form, form.lines().first().copied(), &times(state)).await? {
        Ok(made) => {
            let made: Vec<_> = made.into_iter().map(|made| (made.found, made.created)).collect();
            Ok(see_other(&where_it_is(&made, false)))
        }
        Err(wrong) => asked_again(state, actor, form.clone(), wrong).await,
    }
}

/// Links of several lines. If all went well and they fit, they are in the page's address.
async fn several(state: &State, actor: &Actor, form: &Form) -> Result<Response> {
    let times = times(state);
    let (mut made, mut wrong) = (Vec::<(Found, bool)>::new(), Vec::<(String, String)>::new());
    for line in form.lines() {
        match one(state, actor, form, Some(line), &times).await? {
            Err((_, text)) => wrong.push((line.to_owned(), text)),
            Ok(links) => made.extend(links.into_iter().map(|made| (made.found, made.created))),
        }
    }
    if wrong.is_empty() && made.len() <= SHOWN {
        return Ok(see_other(&where_it_is(&made, true)));
    }
    let failed: Vec<&str> = wrong.iter().map(|(line, _)| line.as_str()).collect();
    let mut desk = new(state, actor, Form { urls: failed.join("\n"), ..form.clone() }).await?;
    desk.wrong = match failed.len() {
        0 => None,
        n => {
            let lines = if n == 1 { "One line is".to_owned() } else { format!("{n} lines are") };
            Some(("urls", format!("{lines} no link yet, and still here. Why stands in the table below.")))
        }
    };
    let status = if made.is_empty() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let none = wrong.into_iter().map(|(asked, wrong)| Line { asked, made: None, wrong: Some(wrong) });
    desk.lines = none.collect();
    let made = made_rows(state, actor, made, desk.times.now).await?;
    desk.lines.extend(made.into_iter().map(Line::of));
    Ok(page(status, &desk))
}

/// The links of one line, or why there are none.
async fn one(
    state: &State,
    actor: &Actor,
    form: &Form,
    line: Option<&str>,
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
        None => (field, in_words(refusal)),
        Some(found) => {
            let url = format!("{}/{}", state.public_url, found.link.code);
            (field, format!("{} ({})", refusal.detail, without_scheme(&url)))
        }
    }
}

/// Why something was refused; of an address, without a parser's words where they help nobody.
pub(super) fn in_words(refusal: &Refusal) -> String {
    let detail = refusal.detail.as_ref();
    if refusal.reason != Reason::InvalidUrl {
        return detail.to_owned();
    }
    match detail.strip_prefix("not an address: ") {
        None => format!("This cannot be: {detail}."),
        // What somebody pasted is something else.
        Some(its) if its.starts_with("relative URL") => {
            "This is no address: one begins with https://, or http://.".into()
        }
        Some(its) => format!("This is no address that can be: {its}."),
    }
}

/// The desk's address with what was made in it.
fn where_it_is(made: &[(Found, bool)], table: bool) -> String {
    let codes = |new: bool| {
        let codes =
            made.iter().filter(|(_, created)| *created || !new).map(|(found, _)| found.link.code.to_string());
        codes.collect::<Vec<_>>().join(",")
    };
    let mut query = Serializer::new(String::new());
    if table {
        query.append_pair("as", TABLE);
    }
    query.append_pair("made", &codes(false));
    if made.iter().any(|(_, created)| *created) {
        query.append_pair("new", &codes(true));
    }
    format!("/-/?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_address_is_said_as_it_is() {
        let table = [
            (Reason::InvalidUrl, "not an address: relative URL without a base", "begins with https://"),
            (Reason::InvalidUrl, "not an address: invalid port number", "invalid port number"),
            (Reason::InvalidUrl, "an address must not carry a user name or password", "must not carry"),
            (Reason::OwnHost, "that is an address of this service", "that is an address of this service"),
        ];
        for (reason, detail, said) in table {
            let words = in_words(&Refusal::field(reason, "url", detail));
            assert!(words.contains(said), "{detail}: {words}");
            assert_eq!(words.contains("begins with"), said.starts_with("begins"), "{words}");
        }
    }

    #[test]
    fn lines_and_channels_are_bounded_together() {
        let form = |channels: usize| Form { channels: vec!["x".into(); channels], ..Form::default() };
        for (lines, channels, fine) in
            [(0, 0, false), (1_000, 0, true), (1_001, 0, false), (500, 2, true), (501, 2, false)]
        {
            assert_eq!(refused(&form(channels), lines).is_none(), fine, "{lines} {channels}");
        }
        let reserve = Form { reserve: true, ..Form::default() };
        assert!(refused(&reserve, 0).is_none());
        assert!(refused(&reserve, 1).is_some());
    }
}
