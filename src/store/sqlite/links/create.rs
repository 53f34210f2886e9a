//! Get or create: which link a request means, and how a new one is made.
//!
//! Guarantees, within the writer's transaction, that a slot has one live link, that a code once given is never
//! given again, and that a request which was already answered meets its own link.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::rows::{self, Record};
use super::{articles, slots, trail};
use crate::domain::article::Article;
use crate::domain::code::Code;
use crate::domain::link::{Broken, Found, HistoryEntry, Link, Slot};
use crate::store::Result;
use crate::store::links::{ArticleClaim, Creation, NewCode, NewLink, RequestTag};
use crate::store::sqlite::failure::{cut, ms};

/// Makes one link, or finds the one that is meant.
pub(super) fn create(conn: &Connection, new: NewLink, now: Timestamp) -> Result<Creation> {
    let now = cut(now);
    let known = match &new.article {
        Some(claim) => articles::resolve(conn, claim)?,
        None => None,
    };
    let (code, chosen) = match pick(conn, &new)? {
        Picked::Free(code, chosen) => (code, chosen),
        Picked::Mine(found) => return Ok(Creation::Created(found)),
        Picked::Held(found) => return held(conn, &new, known, found, now),
        Picked::NoneFree => match holder_of(conn, &new, known.as_ref())? {
            Some(holder) if !new.force_new => return existing(conn, &new, known, holder, now),
            _ => return Ok(Creation::NoneFree),
        },
    };
    let holder = holder_of(conn, &new, known.as_ref())?;
    let taken = match holder {
        Some(holder) if !chosen && !new.force_new => return existing(conn, &new, known, holder, now),
        holder => holder.is_some(),
    };
    let article = story(conn, new.article.as_ref(), known, now)?;
    let link = complete(new.link, code, article.as_ref().map(|(_, a)| a));
    insert(conn, link, article, new.tag, !taken)
}

enum Picked {
    /// It may be given; true if it was chosen by hand.
    Free(Code, bool),
    /// An earlier try of this request made this.
    Mine(Found),
    /// The chosen code is taken by these.
    Held(Vec<Record>),
    NoneFree,
}

fn pick(conn: &Connection, new: &NewLink) -> Result<Picked> {
    let (chosen, drawn) = match &new.code {
        NewCode::Chosen(code) => (Some(code.clone()), None),
        NewCode::Drawn(codes) => (None, Some(codes.iter())),
    };
    let is_chosen = chosen.is_some();
    for code in chosen.into_iter().chain(drawn.into_iter().flatten()) {
        let Some(made_by) = made_by(conn, &code)? else { return Ok(Picked::Free(code, is_chosen)) };
        if made_by.contains(&Some(new.tag)) {
            let mine = rows::by_key(conn, &code.key())?.into_iter().find(|r| r.created_tag == Some(new.tag));
            if let Some(record) = mine {
                return Ok(Picked::Mine(record.found));
            }
        }
        if is_chosen {
            return Ok(Picked::Held(rows::by_key(conn, &code.key())?));
        }
    }
    Ok(Picked::NoneFree)
}

/// The tags of the requests that made the links of a code's key; None if there are no such links.
fn made_by(conn: &Connection, code: &Code) -> Result<Option<Vec<Option<RequestTag>>>> {
    let key = code.key();
    let mut tags: Vec<Option<i64>> = vec![];
    tags.extend(
        conn.prepare_cached("SELECT created_tag FROM links WHERE code = ?")?
            .query_row([&key], |row| row.get::<_, Option<i64>>(0))
            .optional()?,
    );
    let mut variants = conn.prepare_cached("SELECT created_tag FROM links WHERE key = ? AND key <> code")?;
    for tag in variants.query_map([&key], |row| row.get(0))? {
        tags.push(tag?);
    }
    let tags: Vec<_> = tags.into_iter().map(|tag| tag.map(i64::cast_unsigned)).collect();
    Ok(Some(tags).filter(|tags| !tags.is_empty()))
}

/// A chosen code that is there already: the same article's live link is the one that is meant.
fn held(
    conn: &Connection,
    new: &NewLink,
    known: Option<(i64, Article)>,
    mut held: Vec<Record>,
    now: Timestamp,
) -> Result<Creation> {
    let row = known.as_ref().map(|(row, _)| *row);
    let same =
        |record: &Record| row.is_some() && record.article == row && record.found.link.retired_at.is_none();
    if let Some(at) = held.iter().position(same) {
        return existing(conn, new, known, held.swap_remove(at), now);
    }
    let oldest = held.into_iter().next();
    Ok(oldest.map_or(Creation::NoneFree, |record| Creation::Taken(record.found)))
}

/// The live link that has the slot which the new one would have.
fn holder_of(conn: &Connection, new: &NewLink, known: Option<&(i64, Article)>) -> Result<Option<Record>> {
    let Some((row, article)) = known else { return Ok(None) };
    match slot_in(&new.link, article) {
        Some(slot) => slots::holder(conn, *row, &slot),
        None => Ok(None),
    }
}

fn slot_in(link: &Link, article: &Article) -> Option<Slot> {
    link.in_article(article).slot()
}

/// Answers with a link that was there; what the claim knows of its story is not lost.
fn existing(
    conn: &Connection,
    new: &NewLink,
    known: Option<(i64, Article)>,
    record: Record,
    now: Timestamp,
) -> Result<Creation> {
    let mine = record.created_tag == Some(new.tag);
    let article = story(conn, new.article.as_ref(), known, now)?.map(|(_, article)| Arc::new(article));
    let found = Found { article: article.or(record.found.article), link: record.found.link };
    Ok(if mine { Creation::Created(found) } else { Creation::Existing(found) })
}

/// The claim's article, made or filled.
pub(super) fn story(
    conn: &Connection,
    claim: Option<&ArticleClaim>,
    known: Option<(i64, Article)>,
    now: Timestamp,
) -> Result<Option<(i64, Article)>> {
    match (claim, known) {
        (None, _) => Ok(None),
        (Some(claim), None) => articles::make(conn, claim, now).map(Some),
        (Some(claim), Some((row, mut article))) => {
            articles::fill(conn, row, &mut article, claim, now)?;
            Ok(Some((row, article)))
        }
    }
}

/// The record of a new link: what the store fills in, and times as they will be read again.
fn complete(link: Link, code: Code, article: Option<&Article>) -> Link {
    let link = match article {
        Some(article) => link.in_article(article),
        None => Link { article: None, follows_article: false, ..link },
    };
    Link { code, ..as_kept(link) }
}

/// A link with its times as they will be read again.
pub(super) fn as_kept(link: Link) -> Link {
    Link {
        not_before: link.not_before.map(cut),
        expires_at: link.expires_at.map(cut),
        retired_at: link.retired_at.map(cut),
        created_at: cut(link.created_at),
        updated_at: cut(link.updated_at),
        broken: link.broken.map(|broken| Broken { since: cut(broken.since), ..broken }),
        ..link
    }
}

fn insert(
    conn: &Connection,
    link: Link,
    article: Option<(i64, Article)>,
    tag: RequestTag,
    claims: bool,
) -> Result<Creation> {
    let id = rows::insert_link(conn, &link, article.as_ref().map(|(row, a)| (*row, a)), Some(tag))?;
    if let (Some((row, _)), Some(slot), true) = (&article, link.slot(), claims) {
        slots::claim(conn, *row, &slot, id)?;
    }
    let birth = HistoryEntry::birth(&link);
    trail::remember(conn, id, &birth)?;
    let line = trail::line(&link.code, &birth);
    trail::audited(conn, ms(line.at), &line.by, &line.action, &line.object, &line.detail)?;
    trail::link_changed(conn, &link.code.key())?;
    let article = article.map(|(_, article)| Arc::new(article));
    Ok(Creation::Created(Found { link: Arc::new(link), article }))
}
