//! Folding: sums are the same however hits are cut, and each hit is in each sum once.

use super::*;
use crate::domain::calendar::Calendar;
use crate::domain::hit::{Country, MissedReason, Network, Signals, Trigger, Visitor};
use crate::domain::tally::Counts;
use crate::hits::classify::Classifier;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Sums = BTreeMap<(Scope, Series, i64, String), Counts>;

fn sums(groups: Vec<Group>) -> Sums {
    let mut sums = Sums::new();
    for group in groups {
        for row in group.rows {
            let key = (group.scope.clone(), row.series, row.bucket, row.value.into_owned());
            *sums.entry(key).or_default() += row.counts;
        }
    }
    sums
}

#[derive(Clone, Debug)]
struct Made {
    code: usize,
    at_s: i64,
    target: u32,
    agent: usize,
    qr: bool,
    missed: bool,
    reader: u64,
    referrer: usize,
}

const CODES: [&str; 4] = ["kx7dw4m", "b4tqz9n", "night", "r6hmc2v"];
const AGENTS: [&str; 4] = ["Mozilla/5.0 (X11) Firefox/145.0", "curl/8", "WhatsApp/2", "Googlebot/2.1"];
const REFERRERS: [&str; 4] = ["", "https://t.co", "https://unknown.example", "https://www.google.com"];

fn hit(made: &Made) -> Hit<'static> {
    let outcome = match made.missed {
        true => Outcome::Missed(MissedReason::Expired),
        false => Outcome::Followed { target: made.target },
    };
    Hit {
        lane: u16::from(made.code > 1),
        lane_ordinal: 1,
        site_ordinal: 1,
        code: CODES[made.code],
        at_ms: 1_790_000_000_000 + made.at_s * 1000,
        outcome,
        trigger: if made.qr { Trigger::Qr } else { Trigger::Link },
        signals: Signals::default(),
        network: Network::Unknown,
        country: Country::parse(if made.qr { b"AT" } else { b"" }),
        visitor: Visitor { hash: made.reader, own_key: made.reader == 1 },
        user_agent: AGENTS[made.agent].as_bytes(),
        referrer: REFERRERS[made.referrer].as_bytes(),
        hints: b"",
        params: b"",
    }
}

fn facts(code: &str) -> LinkFacts {
    LinkFacts {
        channel: (code == CODES[0]).then(|| "x".into()),
        section: Some(if code < "k" { "World".into() } else { "Culture".into() }),
        authors: if code == CODES[1] { vec!["A".into(), "B".into()] } else { vec!["A".into()] },
    }
}

fn fold(hits: &[Made]) -> (Sums, Sums) {
    let (links, site) = groups(hits);
    (sums(links), sums(site))
}

fn groups(hits: &[Made]) -> (Vec<Group>, Vec<Group>) {
    let calendar = Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap();
    let (mut fold, mut classifier, mut placer) =
        (Fold::default(), Classifier::default(), Placer::new(calendar));
    for made in hits {
        let hit = hit(made);
        let seen = classifier.classify(&hit);
        fold.add(&hit, seen, &classifier, placer.place(hit.at_ms));
    }
    (fold.of_lanes(2).into_iter().flatten().collect(), fold.of_site(facts))
}

type Sketched = BTreeMap<(Scope, SketchOf, i64), Sketch>;

fn sketches(groups: &[Group], into: &mut Sketched) {
    for group in groups {
        for one in &group.sketches {
            into.entry((group.scope.clone(), one.of, one.day)).or_default().merge(&one.sketch);
        }
    }
}

fn plus(mut a: Sums, b: Sums) -> Sums {
    for (key, counts) in b {
        *a.entry(key).or_default() += counts;
    }
    a
}

fn hits() -> impl Strategy<Value = Vec<Made>> {
    let one = (0..4usize, 0..400_000i64, 1..5u32, 0..4usize, any::<bool>(), 0..8u8, 0..9u64, 0..4usize)
        .prop_map(|(code, at_s, target, agent, qr, missed, reader, referrer)| Made {
            code,
            at_s,
            target,
            agent,
            qr,
            missed: missed == 0,
            reader: reader.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            referrer,
        });
    prop::collection::vec(one, 0..120)
}

proptest! {
    #[test]
    fn folding_parts_is_folding_the_whole(hits in hits(), cut in any::<prop::sample::Index>()) {
        let (a, b) = hits.split_at(if hits.is_empty() { 0 } else { cut.index(hits.len()) });
        let (whole, part_a, part_b) = (fold(&hits), fold(a), fold(b));
        prop_assert_eq!(whole.0, plus(part_a.0, part_b.0));
        prop_assert_eq!(whole.1, plus(part_a.1, part_b.1));
        let (mut together, mut apart) = (Sketched::new(), Sketched::new());
        let take = |hits: &[Made], into: &mut Sketched| {
            let (links, site) = groups(hits);
            sketches(&links, into);
            sketches(&site, into);
        };
        take(&hits, &mut together);
        take(a, &mut apart);
        take(b, &mut apart);
        prop_assert_eq!(together, apart);
    }

    #[test]
    fn rows_are_known_before_they_are_made(hits in hits()) {
        let calendar = Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap();
        let (mut fold, mut classifier, mut placer) =
            (Fold::default(), Classifier::default(), Placer::new(calendar));
        for made in &hits {
            let (hit, before) = (hit(made), fold.most_rows());
            let seen = classifier.classify(&hit);
            fold.add(&hit, seen, &classifier, placer.place(hit.at_ms));
            prop_assert!(fold.most_rows() <= before + HIT_ROWS);
        }
        let rows = |lane: Vec<Group>| {
            lane.iter().map(|group| group.rows.len() + group.sketches.len()).sum::<usize>()
        };
        // Facets that bundles share are counted for each: a bound, and not far off.
        let made = fold.of_lanes(2).into_iter().map(rows).max().unwrap_or(0);
        prop_assert!(made <= fold.most_rows() && fold.most_rows() <= 3 * made, "{} {}", made, fold.most_rows());
    }

    #[test]
    fn every_hit_is_in_every_sum_once(hits in hits()) {
        let (links, site) = fold(&hits);
        let n = u64::try_from(hits.len()).unwrap();
        for sums in [&links, &site] {
            let auditing = |scope: &Scope| matches!(scope, Scope::Link(_) | Scope::Site);
            let sum = |series: &[Series]| -> Counts {
                sums.iter()
                    .filter(|((scope, s, ..), _)| auditing(scope) && series.contains(s))
                    .map(|(_, n)| *n)
                    .sum()
            };
            let total = sum(&[Series::Total]);
            prop_assert_eq!(total.all(), n);
            prop_assert_eq!(sum(&[Series::Minute, Series::Missed]), total);
            for series in Series::ALL {
                let of_site = sums.keys().any(|(scope, ..)| *scope == Scope::Site);
                let expected = match of_site && series.is_of_links_only() {
                    true => Some(Counts::default()),
                    false => series.share(&total),
                };
                prop_assert!(expected.is_none_or(|expected| sum(&[series]) == expected), "{:?}", series);
            }
        }
    }
}
