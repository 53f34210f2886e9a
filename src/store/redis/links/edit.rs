//! Edits: a whole record replaces the version before it, or nothing changes.
//!
//! Guarantees that a change is made once however often it is sent. Where link and article lie in one lane, slot,
//! link and history change in one step; else the slot is claimed first and counts only once the link is of it, and
//! the slot that it left is free because the link is no longer of it.

use std::sync::Arc;

use super::births::first_line;
use super::create::{as_kept, write_all};
use super::names::Names;
use super::read::{found, join_one, links_of, story_of};
use super::slots::{Holder, holder, slot_of};
use super::story::{HISTORY, remember, told};
use crate::domain::code::Code;
use crate::domain::link::{Broken, Found, HistoryEntry, Link, Slot};
use crate::store::Result;
use crate::store::links::{Edit, Edited, SlotWish};
use crate::store::redis::records::{
    Committed, Name, Record, Records, Story, Tries, Write, cut, entry, write_links,
};

/// Replaces a link's record if it still is at the version before.
pub(super) async fn edit(records: &Records, edit: &Edit) -> Result<Edited> {
    let mut tries = Tries::default();
    loop {
        let tried = attempt(records, &mut tries, edit).await;
        if let Some(edited) = tries.next(tried).await? {
            return Ok(edited);
        }
    }
}

/// The story of an edited link.
struct About {
    record: Record,
    story: Story,
    /// True if the record is to be written.
    news: bool,
}

/// One try; None if another was faster.
async fn attempt(records: &Records, tries: &mut Tries, edit: &Edit) -> Result<Option<Edited>> {
    let record = records.read_one(Name::Links(edit.link.code.key().into_owned())).await?;
    let links = links_of(&record)?;
    let Some(at) = links.iter().position(|kept| kept.link.code == edit.link.code) else {
        return Ok(Some(Edited::NotFound));
    };
    let old = &links[at];
    if old.write_tags.contains(&edit.tag) {
        if tries.repeated() {
            records.saw(vec![record]).await;
        }
        return Ok(Some(Edited::Changed(join_one(records, old.clone()).await?)));
    }
    if old.link.version.checked_add(1) != Some(edit.link.version) {
        return Ok(Some(Edited::Stale(join_one(records, old.clone()).await?)));
    }
    let Some(mut about) = about(records, tries, edit).await? else { return Ok(None) };
    let mut link = as_kept(edit.link.clone());
    // Nobody but who looked at the target says what is wrong with it.
    link.broken.clone_from(&old.link.broken);
    link.settle_broken();
    let to = about.as_ref().map(|about| &about.story.article.id);
    let wish = edit.slot.at_least(old.link.article.as_ref(), to);
    match &about {
        Some(about) if wish != SlotWish::Keep => link = link.in_article(&about.story.article),
        Some(about) => link.article = Some(about.story.article.id.clone()),
        None => (link.article, link.follows_article) = (None, false),
    }
    if let Some(about) = &mut about
        && let Some(other) = place(records, about, wish, &old.link, &link).await?
    {
        return Ok(Some(Edited::SlotHeld(other)));
    }
    let article = about.as_ref().map(|about| Arc::new(about.story.article.clone()));
    let mut writes: Vec<Write> = first_line(records, old, article.as_ref()).await?.into_iter().collect();
    writes.extend(history(edit)?);
    let changed = found(link.clone(), article.as_ref());
    let mut links = links.clone();
    links[at].link = link;
    remember(&mut links[at].write_tags, edit.tag);
    writes.insert(0, record.becomes(write_links(&links)?));
    let about = match about.filter(|about| about.news) {
        Some(about) => Some(about.record.becomes(about.story.write()?)),
        None => None,
    };
    Ok((write_all(records, tries, about, writes).await? == Committed::Done)
        .then_some(Edited::Changed(changed)))
}

/// The edit's story: that of its link, or the one to find or make. None if another was faster.
async fn about(records: &Records, tries: &mut Tries, edit: &Edit) -> Result<Option<Option<About>>> {
    if let Some(id) = &edit.link.article {
        let (record, story) = story_of(records, id).await?;
        return Ok(Some(Some(About { record, story, news: false })));
    }
    let Some(claim) = &edit.article else { return Ok(Some(None)) };
    let mut names = Names::look(records, claim).await?;
    let record = records.read_one(Name::Article(names.id.clone())).await?;
    let mut of = names.settle(records, record).await?;
    if !names.secure(records, tries, claim, &mut of).await? {
        return Ok(None);
    }
    let (record, known) = of;
    let (story, news) = told(&names, claim, known, cut(edit.entry.at));
    Ok(Some(Some(About { record, story, news })))
}

/// Gives the link the slot that it now has and frees the one that it had; gives the other link that is in it.
async fn place(
    records: &Records,
    about: &mut About,
    wish: SlotWish,
    old: &Link,
    link: &Link,
) -> Result<Option<Found>> {
    let slot = if link.retired_at.is_some() { None } else { link.slot() };
    let together = about.record.name.lane(records.lanes()) == records.lanes().of(&link.code.key());
    let moves = wish != SlotWish::Keep;
    if let (true, Some(slot)) = (moves, &slot)
        && about.story.named(slot) != Some(&link.code)
    {
        match held(records, &about.story, slot).await? {
            Some(_) if wish == SlotWish::ClaimIfFree => {}
            Some(other) => return Ok(Some(other)),
            None => {
                about.story.name(slot, &link.code);
                about.news = true;
            }
        }
    }
    // In another step it would be free before the link has left it, or for nothing.
    let leaves = moves || link.retired_at.is_some();
    if let (true, true, Some(before)) = (leaves, together, slot_of(old))
        && before.article == about.story.article.id
        && Some(&before) != slot.as_ref()
        && about.story.named(&before) == Some(&link.code)
    {
        about.story.leave(&before, &link.code);
        about.news = true;
    }
    Ok(None)
}

/// The live link that has a slot.
async fn held(records: &Records, story: &Story, slot: &Slot) -> Result<Option<Found>> {
    let Some(code) = story.named(slot) else { return Ok(None) };
    let record = records.read_one(Name::Links(code.key().into_owned())).await?;
    match holder(slot, code, &links_of(&record)?) {
        Holder::Link(kept) => Ok(Some(found(kept.link, Some(&Arc::new(story.article.clone()))))),
        // A creation that was cut short gives way to a link that is there.
        Holder::Nobody | Holder::Coming(_) => Ok(None),
    }
}

/// The line of history that an edit writes, and the one that goes.
fn history(edit: &Edit) -> Result<Vec<Write>> {
    let code = &edit.link.code;
    let line =
        |version: u64, raw: Vec<u8>| Write { name: Name::History(code.clone(), version), was: None, raw };
    let now = HistoryEntry { at: cut(edit.entry.at), ..edit.entry.clone() };
    let mut lines = vec![line(now.version, entry(&now)?)];
    if let Some(oldest) = now.version.checked_sub(HISTORY).filter(|version| *version > 0) {
        lines.push(line(oldest, vec![]));
    }
    Ok(lines)
}

/// Says what is wrong with a link's target, if it still has that target.
pub(super) async fn set_broken(
    records: &Records,
    code: &Code,
    broken: Option<Broken>,
    seen_target: &str,
) -> Result<bool> {
    let mut tries = Tries::default();
    let broken = broken.map(|b| Broken { target: seen_target.to_owned(), since: cut(b.since), ..b });
    loop {
        let tried = try_broken(records, &mut tries, code, broken.as_ref(), seen_target).await;
        if let Some(said) = tries.next(tried).await? {
            return Ok(said);
        }
    }
}

async fn try_broken(
    records: &Records,
    tries: &mut Tries,
    code: &Code,
    broken: Option<&Broken>,
    seen_target: &str,
) -> Result<Option<bool>> {
    let record = records.read_one(Name::Links(code.key().into_owned())).await?;
    let mut links = links_of(&record)?;
    let Some(kept) = links.iter_mut().find(|kept| kept.link.code == *code) else { return Ok(Some(false)) };
    let now = join_one(records, kept.clone()).await?;
    if now.link.target.as_deref() != Some(seen_target) {
        return Ok(Some(false));
    }
    if kept.link.broken.as_ref() == broken {
        return Ok(Some(true));
    }
    kept.link.broken = broken.cloned();
    let write = record.becomes(write_links(&links)?);
    Ok((records.commit(tries, vec![write]).await? == Committed::Done).then_some(true))
}
