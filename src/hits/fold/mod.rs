//! Folding: many hits become few increments.
//!
//! Pure. Guarantees `fold(a ++ b) = fold(a) + fold(b)` (property-tested), that each hit adds exactly one to its
//! link's `Total` and one to the site's, and that hours = days = each dimension = total for every scope. Knows
//! nothing of journals or stores.

mod facets;
mod placer;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use self::facets::{Facet, Names, Sums};
use super::classify::Verdict;
use crate::domain::calendar::Place;
use crate::domain::hit::{Class, Hit, Outcome};
use crate::domain::lane::Lane;
use crate::domain::tally::{Counts, Group, Row, Scope, Series};
use crate::priority::give_way;

pub use placer::Placer;

/// A map whose keys are not chosen by readers, or are bounded.
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

/// The hits of one link.
#[derive(Clone, Default)]
struct LinkFold {
    lane: Lane,
    sums: Sums,
}

impl LinkFold {
    /// Rows it becomes: one for each facet, and the total.
    fn rows(&self) -> usize {
        if self.sums.is_empty() { 0 } else { self.sums.len() + 1 }
    }

    fn total(&self) -> Counts {
        let whole = |facet: &Facet| matches!(facet.series(), Series::Day | Series::Missed);
        self.sums.iter().filter(|(facet, _)| whole(facet)).map(|(_, n)| *n).sum()
    }
}

/// Most rows that one hit adds to its lane: each facet it has, and its link's total.
pub const HIT_ROWS: usize = 7;

/// Hits of one stream, folded by link.
#[derive(Clone, Default)]
pub struct Fold {
    names: Names,
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
        let (before, names, one) = (link.rows(), &mut self.names, Counts::one(verdict.class));
        link.lane = hit.lane;
        let at = names.at(place);
        let mut add = |facet: Facet| link.sums.add(facet, one);
        match hit.outcome {
            Outcome::Missed(reason) => add(at.day(Series::Missed, names.named(reason.as_str()))),
            Outcome::Followed { target } => {
                add(at.minute());
                add(at.hour());
                add(at.day(Series::Day, Names::NONE));
                add(at.day(Series::Trigger, names.named(hit.trigger.as_str())));
                add(at.day(Series::Target, names.target(target)));
                match verdict.class {
                    Class::Bot => add(at.day(Series::Bot, names.named(verdict.kind))),
                    Class::Preview => add(at.day(Series::Preview, names.named(verdict.kind))),
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
        for (round, (code, link)) in self.links.iter().enumerate() {
            give_way(round);
            if let Some(lane) = groups.get_mut(usize::from(link.lane)) {
                lane.push(self.group(Scope::Link(Arc::from(&**code)), &link.sums, link.total()));
            }
        }
        groups
    }

    /// What the site lane's store adds: the numbers of the site, and of sections, authors and channels.
    pub fn of_site(&self, facts: impl Fn(&str) -> LinkFacts) -> Vec<Group> {
        let mut scopes: FastMap<Scope, (Sums, Counts)> = FastMap::default();
        let mut site: (Sums, Counts) = Default::default();
        for (round, (code, link)) in self.links.iter().enumerate() {
            give_way(round);
            let total = link.total();
            let shared = || link.sums.iter().filter(|(facet, _)| facet.series() != Series::Target);
            add_all(&mut site, shared(), total);
            let facts = facts(code);
            let named = facts.channel.map(Scope::Channel).into_iter();
            let named = named.chain(facts.section.map(Scope::Section));
            for scope in named.chain(facts.authors.into_iter().map(Scope::Author)) {
                // Minutes are kept for the site and for links only.
                let kept = shared().filter(|(facet, _)| facet.series() != Series::Minute);
                add_all(scopes.entry(scope).or_default(), kept, total);
            }
        }
        if self.links.is_empty() {
            return vec![];
        }
        let all = std::iter::once((Scope::Site, site)).chain(scopes);
        all.map(|(scope, (sums, total))| self.group(scope, &sums, total)).collect()
    }

    fn group(&self, scope: Scope, sums: &Sums, total: Counts) -> Group {
        let mut rows = Vec::with_capacity(sums.len() + 1);
        rows.extend(sums.iter().map(|(facet, counts)| self.names.row(*facet, *counts)));
        rows.push(Row { series: Series::Total, bucket: 0, value: "".into(), counts: total });
        Group { scope, rows }
    }
}

fn add_all<'f>(all: &mut (Sums, Counts), facets: impl Iterator<Item = &'f (Facet, Counts)>, total: Counts) {
    for (facet, counts) in facets {
        all.0.add(*facet, *counts);
    }
    all.1 += total;
}
