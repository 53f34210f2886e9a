//! What a hit is counted under, as numbers: the values of each dimension.
//!
//! Answers of the classifier are numbered, so that each text is looked up once for a fold and not once for a hit.
//! Guarantees a value in each dimension for every hit, at most [`MAX_VALUE`] bytes long, marked where no table knows it.

use super::FastMap;
use super::facets::{Names, Value};
use crate::domain::hit::{Class, Country, Hit};
use crate::domain::tally::{BEYOND, Series, unknown_value};
use crate::hits::classify::{AgentId, Classifier, MAX_VALUE, Reason, Seen, SourceId};

/// What hits without a referrer have.
pub const NO_REFERRER: &str = "none";
/// What hits from nowhere known have.
pub const NO_COUNTRY: &str = "unknown";

/// Values that have been asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    agents: FastMap<AgentId, [Value; 3]>,
    sources: FastMap<SourceId, [Value; 3]>,
    countries: FastMap<Country, Value>,
    targets: FastMap<u32, Value>,
    reasons: FastMap<(Reason, AgentId), Value>,
}

impl Values {
    /// The dimensions that every hit has, each with its value.
    pub(super) fn of(
        &mut self,
        names: &mut Names,
        classifier: &Classifier,
        (hit, target): (&Hit<'_>, u32),
        seen: Seen,
    ) -> [(Series, Value); 9] {
        let [device, os, browser] =
            *self.agents.entry(seen.agent).or_insert_with(|| of_agent(names, classifier, seen));
        let [source, medium, referrer] =
            *self.sources.entry(seen.source).or_insert_with(|| of_source(names, classifier, seen));
        let country = *self.countries.entry(hit.country).or_insert_with(|| {
            names.value(hit.country.as_str().map_or(NO_COUNTRY.into(), |code| code.to_owned().into()))
        });
        let target = *self.targets.entry(target).or_insert_with(|| names.value(target.to_string().into()));
        [
            (Series::Trigger, names.named(hit.trigger.as_str())),
            (Series::Target, target),
            (Series::Source, source),
            (Series::Medium, medium),
            (Series::Referrer, referrer),
            (Series::Country, country),
            (Series::Device, device),
            (Series::Os, os),
            (Series::Browser, browser),
        ]
    }

    /// Why a hit was no click: the reason, with the name that goes with it.
    pub(super) fn reason(&mut self, names: &mut Names, classifier: &Classifier, seen: Seen) -> Value {
        *self.reasons.entry((seen.reason, seen.agent)).or_insert_with(|| {
            let (reason, name) = (seen.reason.as_str(), classifier.name(seen));
            match name {
                "" => names.named(reason),
                name => value(names, &format!("{reason}:{name}"), !seen.reason.is_self_named()),
            }
        })
    }
}

fn of_agent(names: &mut Names, classifier: &Classifier, seen: Seen) -> [Value; 3] {
    match classifier.agent(seen.agent) {
        // What programs read with says nothing of readers.
        Some(agent) if agent.class == Class::Click => [
            names.named(agent.device),
            names.named(agent.os),
            value(names, &agent.browser, agent.browser_known),
        ],
        _ => [names.named(BEYOND); 3],
    }
}

fn of_source(names: &mut Names, classifier: &Classifier, seen: Seen) -> [Value; 3] {
    let Some(source) = classifier.source(seen.source) else { return [names.named(BEYOND); 3] };
    let referrer = match &*source.referrer {
        "" => names.named(NO_REFERRER),
        referrer => value(names, referrer, source.referrer_known),
    };
    [value(names, &source.source, source.source_known), value(names, &source.medium, true), referrer]
}

fn value(names: &mut Names, text: &str, known: bool) -> Value {
    let end = (0..=text.len().min(MAX_VALUE - 1)).rev().find(|end| text.is_char_boundary(*end));
    let text = &text[..end.unwrap_or(0)];
    match known {
        true => names.value(text.to_owned().into()),
        false => names.value(unknown_value(text).into()),
    }
}
