//! Slots: which link an article has for a channel, campaign and target.
//!
//! A slot's name stands in the article's record and counts only while the link it names is live and still of that
//! slot; any other is free to whoever comes next. One that names a code without a link is a creation under way, or
//! one that was cut short: whoever asks for the slot makes the link with that code, so that there is one.

use crate::domain::article::Article;
use crate::domain::code::Code;
use crate::domain::link::{Link, Slot, SlotTarget};
use crate::store::mirror::Kept;

/// Who has a slot.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    /// Nobody, or a link that lives no more or leads elsewhere.
    Nobody,
    /// A link that is still to be made, with this code.
    Coming(Code),
    /// This link.
    Link(Box<Kept>),
}

/// Who has `slot`, if it names `code` and these are all links of that code's key.
pub(super) fn holder(slot: &Slot, code: &Code, links: &[Kept]) -> Holder {
    if links.is_empty() {
        return Holder::Coming(code.clone());
    }
    let named = links.iter().find(|kept| kept.link.code == *code);
    let holds = |kept: &&Kept| kept.link.retired_at.is_none() && slot_of(&kept.link).as_ref() == Some(slot);
    named.filter(holds).map_or(Holder::Nobody, |kept| Holder::Link(Box::new(kept.clone())))
}

/// The slot of a link as it was read: one that follows its article has no address of its own.
pub(super) fn slot_of(link: &Link) -> Option<Slot> {
    match (&link.article, link.follows_article) {
        (Some(article), true) => Some(Slot {
            article: article.clone(),
            channel: link.channel.clone(),
            campaign: link.campaign.clone(),
            target: SlotTarget::Own,
        }),
        _ => link.slot(),
    }
}

/// The slot that a link would have in an article.
pub(super) fn slot_in(link: &Link, article: &Article) -> Option<Slot> {
    link.in_article(article).slot()
}
