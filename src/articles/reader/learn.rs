//! What a page that was found means for the address that was asked for. Pure.

use url::Url;

use super::{Metadata, Outcome, Reading};
use crate::domain::canonical::{Canon, Identity, Landing, Standing, standing};

/// A page that was found.
#[derive(Clone)]
pub(super) struct Found<'a> {
    /// The address that was asked for.
    pub asked: &'a Url,
    /// Where it was found in the end.
    pub at: Url,
    /// By permanent redirects only, and there was one.
    pub moved: bool,
    /// What it says.
    pub facts: Metadata,
}

/// Decides which address is believed. `agree` is asked whether a page (what it is known by itself, and its title) may
/// claim an address.
pub(super) fn learn(
    canon: &Canon,
    found: Found<'_>,
    mut agree: impl FnMut(&Identity, &Identity, Option<&str>) -> bool,
) -> Reading {
    let Found { asked, at, moved, facts } = found;
    // An author alone says little: templates name the newsroom on every page.
    let is_story = facts.published_at.is_some();
    let own = match canon.landing(asked, &at, moved || is_story) {
        Landing::Story(own) => Some(own),
        Landing::Elsewhere => None,
        Landing::Between(why) => {
            return Reading { at, ..Reading::without_page(canon, asked, Outcome::NotReadable, why) };
        }
    };
    let form = canon.identity(asked);
    let claim = own.as_ref().and_then(|own| {
        let claim = canon.believed(&at, &facts.claims)?;
        // A home page or a list may say what it likes: it is no story's.
        let may = claim == *own || standing(&form.url) == Standing::Page;
        (may && agree(&claim, own, facts.title.as_deref())).then_some(claim)
    });
    let mut spellings = vec![form.url.clone()];
    for seen in own.iter().chain(&claim) {
        if !spellings.contains(&seen.url) {
            spellings.push(seen.url.clone());
        }
    }
    let has_moved = moved && canon.identity(&at) != form;
    Reading {
        outcome: Outcome::Read,
        status: None,
        why: None,
        claimed: claim.is_some(),
        identity: claim.or(own).or_else(|| Some(form.clone())),
        form,
        spellings,
        facts,
        moved_to: has_moved.then(|| at.clone()),
        at,
    }
}
