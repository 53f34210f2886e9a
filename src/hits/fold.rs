//! Folding: many hits become few increments.
//!
//! Pure. Guarantees `fold(a ++ b) = fold(a) + fold(b)` (property-tested), that each hit adds exactly one to its
//! link's `Total` and one to the site's, and that hours = days = each dimension = total for every scope. Knows
//! nothing of journals or stores.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::classify::Verdict;
use crate::domain::calendar::{Calendar, Place};
use crate::domain::hit::{Class, Hit, Outcome};
use crate::domain::lane::Lane;
use crate::domain::tally::{Counts, Group, Row, Scope, Series};

type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What a link's hits are counted under besides the link and the site, as known at the fold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkFacts {
    /// Its channel.
    pub channel: Option<Arc<str>>,
    /// Its article's section.
    pub section: Option<Arc<str>>,
    /// Its article's authors.
    pub authors: Vec<Arc<str>>,
}

/// One facet of hits: a series, a bucket, and a value.
type Facet = (Series, i64, Cow<'static, str>);

/// The hits of one link.
#[derive(Clone, Default)]
struct LinkFold {
    lane: Lane,
    /// Few facets, asked again and again: a list is faster than a map.
    facets: Vec<(Facet, Counts)>,
}

impl LinkFold {
    fn add(&mut self, series: Series, bucket: i64, value: Cow<'static, str>, counts: Counts) {
        // The newest facets are the likeliest.
        for ((s, b, v), n) in self.facets.iter_mut().rev() {
            if *s == series && *b == bucket && *v == value {
                *n += counts;
                return;
            }
        }
        self.facets.push(((series, bucket, value), counts));
    }

    /// Rows it becomes: one for each facet, and the total.
    fn rows(&self) -> usize {
        if self.facets.is_empty() { 0 } else { self.facets.len() + 1 }
    }

    fn total(&self) -> Counts {
        self.facets
            .iter()
            .filter(|((s, ..), _)| matches!(s, Series::Day | Series::Missed))
            .map(|(_, n)| *n)
            .sum()
    }
}

/// Most rows that one hit adds to its lane: each facet it has, and its link's total.
pub const HIT_ROWS: usize = 7;

/// Hits of one stream, folded by link.
#[derive(Clone, Default)]
pub struct Fold {
    links: FastMap<Box<str>, LinkFold>,
    /// Rows by lane.
    rows: Vec<usize>,
    /// Rows of the lane that has the most.
    most_rows: usize,
}

impl Fold {
    /// The codes in it.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.links.keys().map(|k| &**k)
    }

    /// How many rows the lane has that has the most of them.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        self.most_rows
    }

    /// Adds one hit that was made at `place`.
    pub fn add(&mut self, hit: &Hit<'_>, verdict: Verdict, place: Place) {
        let link = match self.links.get_mut(hit.code) {
            Some(link) => link,
            None => self.links.entry(hit.code.into()).or_default(),
        };
        let before = link.rows();
        link.lane = hit.lane;
        let one = Counts::one(verdict.class);
        let day = i64::from(place.day);
        match hit.outcome {
            Outcome::Missed(reason) => link.add(Series::Missed, day, reason.as_str().into(), one),
            Outcome::Followed { target } => {
                link.add(Series::Minute, place.minute, "".into(), one);
                link.add(Series::Hour, place.hour, "".into(), one);
                link.add(Series::Day, day, "".into(), one);
                link.add(Series::Trigger, day, hit.trigger.as_str().into(), one);
                link.add(Series::Target, day, target_name(target), one);
                match verdict.class {
                    Class::Bot => link.add(Series::Bot, day, verdict.kind.into(), one),
                    Class::Preview => link.add(Series::Preview, day, verdict.kind.into(), one),
                    Class::Click | Class::Missed => {}
                }
            }
        }
        let more = link.rows() - before;
        if more > 0 {
            self.count_rows(hit.lane, more);
        }
    }

    fn count_rows(&mut self, lane: Lane, more: usize) {
        let at = usize::from(lane);
        if self.rows.len() <= at {
            self.rows.resize(at + 1, 0);
        }
        self.rows[at] += more;
        self.most_rows = self.most_rows.max(self.rows[at]);
    }

    /// What each of `lanes` lanes adds: the numbers of its links.
    #[must_use]
    pub fn of_lanes(&self, lanes: Lane) -> Vec<Vec<Group>> {
        let mut groups = vec![vec![]; usize::from(lanes)];
        for (code, link) in &self.links {
            if let Some(lane) = groups.get_mut(usize::from(link.lane)) {
                lane.push(group(Scope::Link(Arc::from(&**code)), &link.facets, link.total()));
            }
        }
        groups
    }

    /// What the site lane's store adds: the numbers of the site, and of sections, authors and channels.
    pub fn of_site(&self, facts: impl Fn(&str) -> LinkFacts) -> Vec<Group> {
        let mut scopes: FastMap<Scope, (FastMap<Facet, Counts>, Counts)> = FastMap::default();
        let mut site: (FastMap<Facet, Counts>, Counts) = Default::default();
        for (code, link) in &self.links {
            let total = link.total();
            let shared = || link.facets.iter().filter(|((series, ..), _)| *series != Series::Target);
            add_all(&mut site, shared(), total);
            let facts = facts(code);
            let named = facts.channel.map(Scope::Channel).into_iter();
            let named = named.chain(facts.section.map(Scope::Section));
            for scope in named.chain(facts.authors.into_iter().map(Scope::Author)) {
                // Minutes are kept for the site and for links only.
                let kept = shared().filter(|((series, ..), _)| *series != Series::Minute);
                add_all(scopes.entry(scope).or_default(), kept, total);
            }
        }
        if self.links.is_empty() {
            return vec![];
        }
        let all = std::iter::once((Scope::Site, site)).chain(scopes);
        all.map(|(scope, (facets, total))| group(scope, &facets.into_iter().collect::<Vec<_>>(), total))
            .collect()
    }
}

fn add_all<'f>(
    sum: &mut (FastMap<Facet, Counts>, Counts),
    facets: impl Iterator<Item = &'f (Facet, Counts)>,
    total: Counts,
) {
    for (facet, counts) in facets {
        match sum.0.get_mut(facet) {
            Some(n) => *n += *counts,
            None => drop(sum.0.insert(facet.clone(), *counts)),
        }
    }
    sum.1 += total;
}

fn group(scope: Scope, facets: &[(Facet, Counts)], total: Counts) -> Group {
    let mut rows: Vec<Row> = facets
        .iter()
        .map(|((series, bucket, value), counts)| Row {
            series: *series,
            bucket: *bucket,
            value: value.clone(),
            counts: *counts,
        })
        .collect();
    rows.push(Row { series: Series::Total, bucket: 0, value: "".into(), counts: total });
    Group { scope, rows }
}

/// Target numbers as values; the first few, which are nearly all, without an allocation.
fn target_name(target: u32) -> Cow<'static, str> {
    match target {
        1 => "1".into(),
        2 => "2".into(),
        3 => "3".into(),
        n => n.to_string().into(),
    }
}

/// Remembers the minute of the last hit: hits come in order, and a time zone is slow to ask.
pub struct Placer {
    calendar: Calendar,
    last: Place,
}

impl Placer {
    /// Over a calendar.
    #[must_use]
    pub fn new(calendar: Calendar) -> Placer {
        let last = calendar.place(0);
        Placer { calendar, last }
    }

    /// The calendar.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Minute, hour and day of a time in milliseconds since 1970.
    pub fn place(&mut self, at_ms: i64) -> Place {
        if !(0..60_000).contains(&(at_ms - self.last.minute * 1000)) {
            self.last = self.calendar.place(at_ms);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hit::{MissedReason, Signals, Trigger};
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
    }

    const CODES: [&str; 4] = ["kx7dw4m", "b4tqz9n", "night", "r6hmc2v"];
    const AGENTS: [&str; 4] = ["Mozilla/5.0 (X11) Firefox/145.0", "curl/8", "WhatsApp/2", "Googlebot/2.1"];

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
            user_agent: AGENTS[made.agent].as_bytes(),
            referrer: b"",
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
        let calendar = Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap();
        let (mut fold, mut classifier, mut placer) =
            (Fold::default(), Classifier::default(), Placer::new(calendar));
        for made in hits {
            let hit = hit(made);
            let verdict = classifier.classify(&hit);
            fold.add(&hit, verdict, placer.place(hit.at_ms));
        }
        let links = fold.of_lanes(2).into_iter().flatten().collect();
        (sums(links), sums(fold.of_site(facts)))
    }

    fn plus(mut a: Sums, b: Sums) -> Sums {
        for (key, counts) in b {
            *a.entry(key).or_default() += counts;
        }
        a
    }

    fn hits() -> impl Strategy<Value = Vec<Made>> {
        let one = (0..4usize, 0..400_000i64, 1..5u32, 0..4usize, any::<bool>(), 0..8u8).prop_map(
            |(code, at_s, target, agent, qr, missed)| Made {
                code,
                at_s,
                target,
                agent,
                qr,
                missed: missed == 0,
            },
        );
        prop::collection::vec(one, 0..120)
    }

    proptest! {
        #[test]
        fn folding_parts_is_folding_the_whole(hits in hits(), cut in any::<prop::sample::Index>()) {
            let (a, b) = hits.split_at(if hits.is_empty() { 0 } else { cut.index(hits.len()) });
            let (whole, part_a, part_b) = (fold(&hits), fold(a), fold(b));
            prop_assert_eq!(whole.0, plus(part_a.0, part_b.0));
            prop_assert_eq!(whole.1, plus(part_a.1, part_b.1));
        }

        #[test]
        fn rows_are_known_before_they_are_made(hits in hits()) {
            let calendar = Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap();
            let (mut fold, mut classifier, mut placer) =
                (Fold::default(), Classifier::default(), Placer::new(calendar));
            for made in &hits {
                let (hit, before) = (hit(made), fold.most_rows());
                let verdict = classifier.classify(&hit);
                fold.add(&hit, verdict, placer.place(hit.at_ms));
                prop_assert!(fold.most_rows() <= before + HIT_ROWS);
            }
            let rows = |lane: Vec<Group>| lane.iter().map(|group| group.rows.len()).sum::<usize>();
            prop_assert_eq!(Some(fold.most_rows()), fold.of_lanes(2).into_iter().map(rows).max());
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
                for series in [Series::Minute, Series::Hour, Series::Day, Series::Trigger] {
                    prop_assert_eq!(sum(&[series, Series::Missed]), total);
                }
                prop_assert_eq!(sum(&[Series::Bot]).bots, total.bots);
                prop_assert_eq!(sum(&[Series::Preview]).previews, total.previews);
            }
        }
    }
}
