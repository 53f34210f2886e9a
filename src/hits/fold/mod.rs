//! Folding: many hits become few increments.
//!
//! Pure. Guarantees `fold(a ++ b) = fold(a) + fold(b)` (property-tested), that each hit adds exactly one to its
//! link's `Total` and one to the site's, and that hours = days = each dimension = total for every scope. Knows
//! nothing of journals or stores.

mod facets;
mod placer;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use self::facets::{Facet, Names, Sum, Sums};
use self::values::Values;
use super::classify::{Classifier, Seen};
use crate::domain::calendar::Place;
use crate::domain::hit::{Class, Hit, Outcome};
use crate::domain::lane::Lane;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Counts, DaySketch, Group, Row, Scope, Series, SketchOf};
use crate::priority::give_way;

pub use placer::Placer;
pub use values::{NO_COUNTRY, NO_REFERRER};

/// A map whose keys are not chosen by readers, or are bounded.
type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Previews of a link that one network fetches within this time are for one share, in milliseconds.
const SHARE_MS: i64 = 5 * 60_000;
/// Networks whose previews are fetched by the sharer's own device: there every device is a share of its own.
const FETCHED_BY_SENDERS: [&str; 3] = ["WhatsApp", "iMessage", "Signal"];

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

/// Sketches by what they are of and the number of their day.
#[derive(Clone, Default)]
struct Sketches(Vec<(SketchOf, u32, Sketch)>);

impl Sketches {
    fn at(&mut self, of: SketchOf, day: u32) -> &mut Sketch {
        let at = self.0.iter().position(|(there, on, _)| (*there, *on) == (of, day)).unwrap_or_else(|| {
            self.0.push((of, day, Sketch::default()));
            self.0.len() - 1
        });
        &mut self.0[at].2
    }

    fn merge(&mut self, other: &Sketches) {
        for (of, day, sketch) in &other.0 {
            self.at(*of, *day).merge(sketch);
        }
    }
}

/// The numbers of one scope.
#[derive(Clone, Default)]
struct Folded {
    sums: Sums,
    sketches: Sketches,
    total: Counts,
}

impl Folded {
    /// Rows it becomes: one for each facet and sketch, and the total.
    fn rows(&self) -> usize {
        if self.sums.is_empty() { 0 } else { self.sums.len() + self.sketches.0.len() + 1 }
    }

    /// Adds another scope's numbers, of the series that are wanted.
    fn merge(&mut self, other: &Folded, wanted: impl Fn(Series) -> bool) {
        for sum in other.sums.iter().filter(|sum| wanted(sum.facet.series())) {
            self.sums.add(sum);
        }
        self.sketches.merge(&other.sketches);
        self.total += other.total;
    }
}

/// The hits of one link.
#[derive(Clone, Default)]
struct LinkFold {
    lane: Lane,
    folded: Folded,
}

/// Most rows that one hit adds to its lane: each facet and sketch it has, and its link's total.
pub const HIT_ROWS: usize = 17;

/// Hits of one stream, folded by link. All of them are to be seen by one classifier, which does not settle meanwhile.
#[derive(Clone, Default)]
pub struct Fold {
    names: Names,
    values: Values,
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

    /// Adds one hit that was made at `place`, and what the classifier saw in it: nothing in a missed visit.
    pub fn add(&mut self, hit: &Hit<'_>, seen: Option<Seen>, classifier: &Classifier, place: Place) {
        let link = match self.links.get_mut(hit.code) {
            Some(link) => link,
            None => self.links.entry(hit.code.into()).or_default(),
        };
        let (before, names, values) = (link.folded.rows(), &mut self.names, &mut self.values);
        link.lane = hit.lane;
        let one = Counts::one(seen.map_or(Class::Missed, |seen| seen.class));
        link.folded.total += one;
        let at = names.at(place);
        let sums = &mut link.folded.sums;
        let mut add = |facet: Facet| sums.add(Sum { facet, counts: one, first: hit.site_ordinal });
        match (hit.outcome, seen) {
            (Outcome::Followed { target }, Some(seen)) => {
                [at.minute(), at.hour(), at.day(Series::Day, Names::NONE)].into_iter().for_each(&mut add);
                for (series, value) in values.of(names, classifier, (hit, target), seen) {
                    add(at.day(series, value));
                }
                match seen.class {
                    Class::Bot => add(at.day(Series::Bot, names.named(classifier.kind(seen)))),
                    Class::Preview => add(at.day(Series::Preview, names.named(classifier.network(seen)))),
                    Class::Click | Class::Missed => {}
                }
                match seen.class {
                    Class::Click if hit.visitor.hash == 0 => add(at.day(Series::Untracked, Names::NONE)),
                    Class::Click if hit.visitor.own_key => add(at.day(Series::OwnKey, Names::NONE)),
                    Class::Bot | Class::Preview => {
                        add(at.day(Series::Reason, values.reason(names, classifier, seen)));
                    }
                    Class::Click | Class::Missed => {}
                }
                sketch(&mut link.folded.sketches, at.day, hit, classifier, seen);
            }
            (Outcome::Missed(reason), _) => add(at.day(Series::Missed, names.named(reason.as_str()))),
            // A hit that was followed is always seen.
            (Outcome::Followed { .. }, None) => {}
        }
        let more = link.folded.rows() - before;
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
        for (round, (code, link)) in self.links.iter().enumerate() {
            give_way(round);
            if let Some(lane) = groups.get_mut(usize::from(link.lane)) {
                lane.push(self.group(Scope::Link(Arc::from(&**code)), &link.folded));
            }
        }
        groups
    }

    /// What the site lane's store adds: the numbers of the site, and of sections, authors and channels.
    pub fn of_site(&self, facts: impl Fn(&str) -> LinkFacts) -> Vec<Group> {
        let mut scopes: FastMap<Scope, Folded> = FastMap::default();
        let mut site = Folded::default();
        for (round, (code, link)) in self.links.iter().enumerate() {
            give_way(round);
            site.merge(&link.folded, |series| !series.is_of_links_only());
            let facts = facts(code);
            let named = facts.channel.map(Scope::Channel).into_iter();
            let named = named.chain(facts.section.map(Scope::Section));
            for scope in named.chain(facts.authors.into_iter().map(Scope::Author)) {
                // Minutes are kept for the site and for links only.
                let kept = |series: Series| !series.is_of_links_only() && series != Series::Minute;
                scopes.entry(scope).or_default().merge(&link.folded, kept);
            }
        }
        if self.links.is_empty() {
            return vec![];
        }
        let all = std::iter::once((Scope::Site, site)).chain(scopes);
        all.map(|(scope, folded)| self.group(scope, &folded)).collect()
    }

    fn group(&self, scope: Scope, folded: &Folded) -> Group {
        let mut rows = Vec::with_capacity(folded.sums.len() + 1);
        rows.extend(folded.sums.in_order().iter().map(|sum| self.names.row(sum.facet, sum.counts)));
        rows.push(Row { series: Series::Total, bucket: 0, value: "".into(), counts: folded.total });
        let day = |(of, day, sketch): &(SketchOf, u32, Sketch)| DaySketch {
            of: *of,
            day: self.names.bucket_of(*day),
            sketch: sketch.clone(),
        };
        Group { scope, rows, sketches: folded.sketches.0.iter().map(day).collect() }
    }
}

/// Adds a hit to the sketches: a click's reader, a preview's share.
fn sketch(sketches: &mut Sketches, day: u32, hit: &Hit<'_>, classifier: &Classifier, seen: Seen) {
    match seen.class {
        Class::Click if hit.visitor.hash != 0 => sketches.at(SketchOf::Readers, day).add(hit.visitor.hash),
        Class::Preview if classifier.agent(seen.agent).is_some_and(|agent| agent.class == Class::Preview) => {
            sketches.at(SketchOf::Shares, day).add(share(hit, classifier.network(seen)));
        }
        Class::Click | Class::Preview | Class::Bot | Class::Missed => {}
    }
}

/// The share that a preview was fetched for, as well as can be guessed. The same for ever: sketches keep it.
fn share(hit: &Hit<'_>, network: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(hit.code.as_bytes());
    hasher.write_u8(0);
    hasher.write(network.as_bytes());
    hasher.write(&hit.at_ms.div_euclid(SHARE_MS).to_le_bytes());
    if FETCHED_BY_SENDERS.contains(&network) {
        hasher.write(&hit.visitor.hash.to_le_bytes());
    }
    hasher.finish()
}
