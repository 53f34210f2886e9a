//! Folding: many hits become few increments.
//!
//! Pure. Guarantees `fold(a ++ b) = fold(a) + fold(b)` (property-tested), that each hit adds exactly one to its
//! link's `Total` and one to the site's, and that hours = days = each dimension = total for every scope. Knows
//! nothing of journals or stores.

mod facets;
mod placer;
mod sums;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use self::facets::{Bundle, Names};
use self::sums::{Hits, Spreader, Sums};
use self::values::Values;
use super::classify::{Classifier, Seen};
use crate::domain::calendar::Place;
use crate::domain::hit::{Class, Hit, Outcome};
use crate::domain::lane::Lane;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{DaySketch, Group, Row, Scope, Series, SketchOf};
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
    total: Hits,
}

impl Folded {
    /// Adds another scope's numbers.
    fn merge(&mut self, other: &Folded) {
        self.sums.merge(&other.sums);
        self.sketches.merge(&other.sketches);
        self.total.add(other.total);
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
    hits: u32,
    /// Rows by lane, at most: facets that bundles share are counted for each.
    rows: Vec<usize>,
    /// Those of the lane that has the most.
    most_rows: usize,
}

impl Fold {
    /// The codes in it.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.links.keys().map(|k| &**k)
    }

    /// How many rows the lane has, at most, that has the most of them.
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
        link.lane = hit.lane;
        let nth = self.hits;
        self.hits = self.hits.saturating_add(1);
        let one = Hits::one(seen.map_or(Class::Missed, |seen| seen.class));
        // The link's total is its first row.
        let mut rows = usize::from(link.folded.total == Hits::default());
        link.folded.total.add(one);
        let (names, sums) = (&mut self.names, &mut link.folded.sums);
        let at = names.at(place);
        let mut add = |names: &Names, bundle: Bundle| {
            if sums.add(bundle, one, nth) {
                rows += names.facets_of(bundle).len();
            }
        };
        match (hit.outcome, seen) {
            (Outcome::Followed { target }, Some(seen)) => {
                add(names, at.time);
                let bundles = self.values.of(names, classifier, (hit, target, at), seen);
                bundles.into_iter().for_each(|bundle| add(names, bundle));
                rows += usize::from(sketch(&mut link.folded.sketches, at.day, hit, classifier, seen));
            }
            (Outcome::Missed(reason), _) => {
                let reason = names.named(reason.as_str());
                let missed = names.bundle(&[at.day(Series::Missed, reason)]);
                add(names, missed);
            }
            // A hit that was followed is always seen.
            (Outcome::Followed { .. }, None) => {}
        }
        if rows > 0 {
            self.count_rows(hit.lane, rows);
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
        let mut spreader = Spreader::default();
        for (round, (code, link)) in self.links.iter().enumerate() {
            give_way(round);
            if let Some(lane) = groups.get_mut(usize::from(link.lane)) {
                let scope = Scope::Link(Arc::from(&**code));
                lane.push(self.group(&mut spreader, scope, &link.folded, |_| true));
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
            site.merge(&link.folded);
            let facts = facts(code);
            let named = facts.channel.map(Scope::Channel).into_iter();
            let named = named.chain(facts.section.map(Scope::Section));
            for scope in named.chain(facts.authors.into_iter().map(Scope::Author)) {
                scopes.entry(scope).or_default().merge(&link.folded);
            }
        }
        if self.links.is_empty() {
            return vec![];
        }
        let mut spreader = Spreader::default();
        let all = std::iter::once((Scope::Site, site)).chain(scopes);
        all.map(|(scope, folded)| {
            // Minutes are kept for the site and for links only.
            let minutes = scope == Scope::Site;
            let wanted = |series: Series| !series.is_of_links_only() && (minutes || series != Series::Minute);
            self.group(&mut spreader, scope, &folded, wanted)
        })
        .collect()
    }

    fn group(
        &self,
        spreader: &mut Spreader,
        scope: Scope,
        folded: &Folded,
        wanted: impl Fn(Series) -> bool,
    ) -> Group {
        let mut rows = spreader.rows(&self.names, &folded.sums, wanted);
        rows.push(Row { series: Series::Total, bucket: 0, value: "".into(), counts: folded.total.counts() });
        let day = |(of, day, sketch): &(SketchOf, u32, Sketch)| DaySketch {
            of: *of,
            day: self.names.bucket_of(*day),
            sketch: sketch.clone(),
        };
        Group { scope, rows, sketches: folded.sketches.0.iter().map(day).collect() }
    }
}

/// Adds a hit to the sketches: a click's reader, a preview's share. True if that made one.
fn sketch(sketches: &mut Sketches, day: u32, hit: &Hit<'_>, classifier: &Classifier, seen: Seen) -> bool {
    let before = sketches.0.len();
    match seen.class {
        Class::Click if hit.visitor.hash != 0 => sketches.at(SketchOf::Readers, day).add(hit.visitor.hash),
        Class::Preview if classifier.agent(seen.agent).is_some_and(|agent| agent.class == Class::Preview) => {
            sketches.at(SketchOf::Shares, day).add(share(hit, classifier.network(seen)));
        }
        Class::Click | Class::Preview | Class::Bot | Class::Missed => {}
    }
    sketches.0.len() > before
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
