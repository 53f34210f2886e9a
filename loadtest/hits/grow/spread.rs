//! A day's hits of one scope, told apart as counting tells them apart.
//!
//! Guarantees that hours and each dimension sum up to the hits exactly, class by class, and that sums of scopes are sums
//! of all their numbers. Knows which values there are and how common each is; refuses to know whose hits they are.

use slugline::domain::sketch::Sketch;
use slugline::domain::tally::{
    BEYOND, Counts, DaySketch, Group, Row, Scope, Series, SketchOf, unknown_value,
};

use crate::Chance;

/// How common a value is among clicks, previews and bots.
type Weights = [u64; 3];

/// What only readers have, and what programs have instead.
const PEOPLE: fn(u64) -> Weights = |weight| [weight, 0, 0];
const PROGRAMS: Weights = [0, 1, 1];

const COUNTRIES: [(&str, u64); 14] = [
    ("AT", 400),
    ("DE", 250),
    ("CH", 90),
    ("GB", 60),
    ("US", 60),
    ("FR", 30),
    ("IT", 30),
    ("ES", 20),
    ("NL", 15),
    ("PL", 12),
    ("CZ", 10),
    ("HU", 8),
    ("SE", 8),
    ("unknown", 7),
];
const SOURCES: [(&str, u64); 9] = [
    ("Facebook", 280),
    ("Google", 200),
    ("Instagram", 80),
    ("X", 70),
    ("WhatsApp", 60),
    ("Reddit", 30),
    ("Bing", 20),
    ("direct", 230),
    ("Bluesky", 30),
];
const MEDIA: [(&str, u64); 5] =
    [("social", 500), ("search", 220), ("direct", 230), ("email", 30), ("referral", 20)];
const REFERRERS: [(&str, u64); 8] = [
    ("facebook.com", 280),
    ("google.com", 200),
    ("none", 250),
    ("instagram.com", 80),
    ("t.co", 70),
    ("reddit.com", 30),
    ("bing.com", 20),
    ("bsky.app", 30),
];
const DEVICES: [(&str, u64); 3] = [("phone", 680), ("desktop", 270), ("tablet", 50)];
const SYSTEMS: [(&str, u64); 5] =
    [("Android", 380), ("iOS", 330), ("Windows", 190), ("macOS", 80), ("Linux", 20)];
const BROWSERS: [(&str, u64); 8] = [
    ("Chrome", 430),
    ("Safari", 250),
    ("Facebook", 140),
    ("Instagram", 40),
    ("Samsung Internet", 50),
    ("Firefox", 45),
    ("Edge", 40),
    ("WhatsApp", 5),
];
/// Clicks by hour of the day.
const HOURS: [u64; 24] =
    [12, 7, 4, 3, 4, 10, 30, 55, 62, 58, 55, 56, 66, 60, 52, 50, 53, 60, 64, 66, 68, 62, 44, 25];
/// Referrers that no table knows.
const SITES: u64 = 12;

/// A number that a scope may have for a day.
struct Slot {
    series: Series,
    /// From midnight on, where the series has hours.
    hour: i64,
    value: String,
}

/// A series, and the values in it.
struct Part {
    /// Its first slot.
    first: usize,
    weights: Vec<Weights>,
}

/// All numbers that a day may have.
pub(super) struct Spread {
    slots: Vec<Slot>,
    parts: Vec<Part>,
}

impl Spread {
    pub(super) fn new() -> Spread {
        let mut spread = Spread { slots: vec![], parts: vec![] };
        let hours = (0..24).zip(HOURS).map(|(hour, weight)| (hour, String::new(), [weight; 3]));
        spread.part(Series::Hour, hours.collect());
        spread.values(Series::Trigger, vec![("link".into(), [95, 1, 1]), ("qr".into(), [5, 0, 0])]);
        spread.values(Series::Target, vec![("1".into(), [1; 3])]);
        let of_all = COUNTRIES.map(|(country, weight)| (country.to_owned(), [weight; 3]));
        spread.values(Series::Country, of_all.into());
        let sites = (0..SITES).map(|site| (unknown_value(&format!("daily-{site:02}.example")), PEOPLE(4)));
        for (series, values, more) in [
            (Series::Source, &SOURCES[..], vec![]),
            (Series::Medium, &MEDIA, vec![]),
            (Series::Referrer, &REFERRERS, sites.collect()),
            (Series::Device, &DEVICES, vec![]),
            (Series::Os, &SYSTEMS, vec![]),
            (Series::Browser, &BROWSERS, vec![]),
        ] {
            let known = values.iter().map(|(value, weight)| ((*value).to_owned(), PEOPLE(*weight)));
            let programs = std::iter::once((BEYOND.to_owned(), PROGRAMS));
            spread.values(series, known.chain(more).chain(programs).collect());
        }
        let bots = [("search", 60), ("ai", 25), ("seo", 15)];
        spread.values(Series::Bot, bots.map(|(bot, weight)| (bot.to_owned(), [0, 0, weight])).into());
        let previews = [("WhatsApp", 45), ("Facebook", 35), ("Slack", 12), ("Telegram", 8)];
        spread.values(Series::Preview, previews.map(|(of, weight)| (of.to_owned(), [0, weight, 0])).into());
        let reasons = [
            ("known_bot:Googlebot", [0, 0, 60]),
            ("known_bot:GPTBot", [0, 0, 25]),
            ("known_bot:AhrefsBot", [0, 0, 15]),
            ("unfurl:WhatsApp", [0, 45, 0]),
            ("unfurl:Facebook", [0, 35, 0]),
            ("unfurl:Slack", [0, 20, 0]),
        ];
        spread.values(Series::Reason, reasons.map(|(why, weights)| (why.to_owned(), weights)).into());
        spread
    }

    fn values(&mut self, series: Series, values: Vec<(String, Weights)>) {
        self.part(series, values.into_iter().map(|(value, weights)| (0, value, weights)).collect());
    }

    fn part(&mut self, series: Series, values: Vec<(i64, String, Weights)>) {
        let first = self.slots.len();
        let weights = values.iter().map(|(_, _, weights)| *weights).collect();
        self.slots.extend(values.into_iter().map(|(hour, value, _)| Slot { series, hour, value }));
        self.parts.push(Part { first, weights });
    }

    /// A scope without hits.
    pub(super) fn nothing(&self) -> Day {
        Day { numbers: vec![Counts::default(); self.slots.len()], ..Day::default() }
    }

    /// Adds hits of these classes, each spread over all values; which of the rare ones get some is chance.
    pub(super) fn add(&self, day: &mut Day, hits: Counts, chance: &mut Chance) {
        day.total += hits;
        for part in &self.parts {
            for (class, amount) in [hits.clicks, hits.previews, hits.bots].into_iter().enumerate() {
                let whole: u64 = part.weights.iter().map(|weights| weights[class]).sum();
                if whole == 0 || amount == 0 {
                    continue;
                }
                let start = chance.below(whole);
                let (mut weight, mut given) = (0, 0);
                for (number, weights) in day.numbers[part.first..].iter_mut().zip(&part.weights) {
                    weight += weights[class];
                    let upto = (amount * weight + start) / whole;
                    match class {
                        0 => number.clicks += upto - given,
                        1 => number.previews += upto - given,
                        _ => number.bots += upto - given,
                    }
                    given = upto;
                }
            }
        }
    }

    /// What is added to a scope: on this day, which begins in that second.
    pub(super) fn group(&self, scope: Scope, of: &Day, day: i64, begins: i64) -> Group {
        let of_link = matches!(scope, Scope::Link(_));
        let mut rows = vec![
            Row { series: Series::Total, bucket: 0, value: "".into(), counts: of.total },
            Row { series: Series::Day, bucket: day, value: "".into(), counts: of.total },
        ];
        for (slot, counts) in self.slots.iter().zip(&of.numbers) {
            if *counts == Counts::default() || (slot.series.is_of_links_only() && !of_link) {
                continue;
            }
            let bucket = if slot.series == Series::Hour { begins + slot.hour * 3_600 } else { day };
            rows.push(Row { series: slot.series, bucket, value: slot.value.clone().into(), counts: *counts });
        }
        let of_kind = [(SketchOf::Readers, &of.readers), (SketchOf::Shares, &of.shares)];
        let kept = of_kind.into_iter().filter(|(_, sketch)| !sketch.is_empty());
        let sketches = kept.map(|(of, sketch)| DaySketch { of, day, sketch: sketch.clone() });
        Group { scope, rows, sketches: sketches.collect() }
    }
}

/// The hits of a scope on a day.
#[derive(Clone, Default)]
pub(super) struct Day {
    numbers: Vec<Counts>,
    /// All of them; estimates only where there is no sketch any more.
    pub(super) total: Counts,
    pub(super) readers: Sketch,
    pub(super) shares: Sketch,
}

impl Day {
    pub(super) fn merge(&mut self, other: &Day) {
        self.total += other.total;
        for (mine, theirs) in self.numbers.iter_mut().zip(&other.numbers) {
            *mine += *theirs;
        }
        self.readers.merge(&other.readers);
        self.shares.merge(&other.shares);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_day_is_told_apart_by_sums_up_to_it() {
        let spread = Spread::new();
        let mut day = spread.nothing();
        for hits in [1, 7, 1_000] {
            let some = Counts { clicks: hits, previews: hits / 2, bots: hits / 3, ..Counts::default() };
            spread.add(&mut day, some, &mut Chance(hits));
        }
        let group = spread.group(Scope::Link("kx7".into()), &day, 20_000, 20_000 * 86_400);
        for series in Series::ALL {
            let sum: Counts =
                group.rows.iter().filter(|row| row.series == series).map(|row| row.counts).sum();
            if let Some(share) = series.share(&day.total).filter(|_| series != Series::Minute) {
                assert_eq!(sum, share, "{}", series.as_str());
            }
        }
    }
}
