//! What a hit is counted under, as numbers: the values of each dimension, in bundles.
//!
//! Each answer of the classifier is looked up once for a fold and not once for a hit.
//! Guarantees a value in each dimension for every hit, at most [`MAX_VALUE`] bytes long, marked where no table knows it.

use super::FastMap;
use super::facets::{At, Bundle, Names, Value};
use crate::domain::hit::{Class, Country, Hit, Trigger};
use crate::domain::tally::{BEYOND, Series, unknown_value};
use crate::hits::classify::{AgentId, Classifier, MAX_VALUE, Reason, Seen, SourceId};

/// What hits without a referrer have.
pub const NO_REFERRER: &str = "none";
/// What hits from nowhere known have.
pub const NO_COUNTRY: &str = "unknown";

/// What a hit was made with and why it has its class, on a day.
type Who = (u32, AgentId, Class, Reason);
/// How a link was followed on a day, from which country, to which of its targets, and how its reader is known.
type How = (u32, Trigger, Country, u32, Known);

/// How a click's reader is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Known {
    /// By the day's key; or it was nobody's click.
    Usual,
    /// By a key of this node alone.
    OwnKey,
    /// Not at all.
    Untracked,
}

/// Bundles that have been asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    who: FastMap<Who, Bundle>,
    whence: FastMap<(u32, SourceId), Bundle>,
    how: FastMap<How, Bundle>,
}

impl Values {
    /// What a hit is counted under besides its time: its agent, its source, and the rest.
    pub(super) fn of(
        &mut self,
        names: &mut Names,
        classifier: &Classifier,
        (hit, target, at): (&Hit<'_>, u32, At),
        seen: Seen,
    ) -> [Bundle; 3] {
        let who = *self
            .who
            .entry((at.day, seen.agent, seen.class, seen.reason))
            .or_insert_with(|| of_agent(names, classifier, at, seen));
        let whence = *self
            .whence
            .entry((at.day, seen.source))
            .or_insert_with(|| of_source(names, classifier, at, seen));
        let known = match seen.class {
            Class::Click if hit.visitor.hash == 0 => Known::Untracked,
            Class::Click if hit.visitor.own_key => Known::OwnKey,
            _ => Known::Usual,
        };
        let how = (at.day, hit.trigger, hit.country, target, known);
        let how = *self.how.entry(how).or_insert_with(|| of_request(names, at, how));
        [who, whence, how]
    }
}

/// Its device, system and browser; and of what is no click which kind it is, and why.
fn of_agent(names: &mut Names, classifier: &Classifier, at: At, seen: Seen) -> Bundle {
    let [device, os, browser] = match classifier.agent(seen.agent) {
        Some(agent) if agent.class == Class::Click => [
            names.named(agent.device),
            names.named(agent.os),
            value(names, &agent.browser, agent.browser_known),
        ],
        // What programs read with says nothing of readers.
        _ => [names.named(BEYOND); 3],
    };
    let mut facets =
        vec![at.day(Series::Device, device), at.day(Series::Os, os), at.day(Series::Browser, browser)];
    match seen.class {
        Class::Bot => facets.push(at.day(Series::Bot, names.named(classifier.kind(seen)))),
        Class::Preview => facets.push(at.day(Series::Preview, names.named(classifier.network(seen)))),
        Class::Click | Class::Missed => {}
    }
    if matches!(seen.class, Class::Bot | Class::Preview) {
        facets.push(at.day(Series::Reason, reason(names, classifier, seen)));
    }
    names.bundle(&facets)
}

/// Why a hit was no click: the reason, with the name that goes with it.
fn reason(names: &mut Names, classifier: &Classifier, seen: Seen) -> Value {
    let (reason, name) = (seen.reason.as_str(), classifier.name(seen));
    match name {
        "" => names.named(reason),
        name => value(names, &format!("{reason}:{name}"), !seen.reason.is_self_named()),
    }
}

fn of_request(names: &mut Names, at: At, (_, trigger, country, target, known): How) -> Bundle {
    let country = country.as_str().map_or(NO_COUNTRY.into(), |code| code.to_owned().into());
    let (country, target) = (names.value(country), names.value(target.to_string().into()));
    let trigger = names.named(trigger.as_str());
    let mut facets = vec![
        at.day(Series::Trigger, trigger),
        at.day(Series::Target, target),
        at.day(Series::Country, country),
    ];
    match known {
        Known::Usual => {}
        Known::OwnKey => facets.push(at.day(Series::OwnKey, Names::NONE)),
        Known::Untracked => facets.push(at.day(Series::Untracked, Names::NONE)),
    }
    names.bundle(&facets)
}

fn of_source(names: &mut Names, classifier: &Classifier, at: At, seen: Seen) -> Bundle {
    let [source, medium, referrer] = match classifier.source(seen.source) {
        None => [names.named(BEYOND); 3],
        Some(source) => [
            value(names, &source.source, source.source_known),
            value(names, &source.medium, true),
            match &*source.referrer {
                "" => names.named(NO_REFERRER),
                referrer => value(names, referrer, source.referrer_known),
            },
        ],
    };
    names.bundle(&[
        at.day(Series::Source, source),
        at.day(Series::Medium, medium),
        at.day(Series::Referrer, referrer),
    ])
}

fn value(names: &mut Names, text: &str, known: bool) -> Value {
    let end = (0..=text.len().min(MAX_VALUE - 1)).rev().find(|end| text.is_char_boundary(*end));
    let text = &text[..end.unwrap_or(0)];
    match known {
        true => names.value(text.to_owned().into()),
        false => names.value(unknown_value(text).into()),
    }
}
