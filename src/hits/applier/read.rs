//! Reading the journal and folding it, and what links' hits are counted under.

use std::collections::HashMap;
use std::sync::Arc;

use super::Applier;
use crate::domain::code::fold as fold_code;
use crate::domain::link::Found;
use crate::domain::tally::Group;
use crate::hits::fold::{Fold, HIT_ROWS, LinkFacts};
use crate::hits::journal::Entry;
use crate::priority::give_way;
use crate::store;
use crate::store::cache::{Cached, Routes};

/// Links whose facts are asked for at once.
const CHUNK: usize = 10_000;

/// Hits read from the journal, folded, and the ordinals they take.
pub(super) struct Folded {
    pub(super) lanes: Fold,
    /// The site's fold, where it differs from the lanes' (after a lane and the site lane were applied apart).
    pub(super) site: Option<Fold>,
    pub(super) to: Vec<u64>,
    pub(super) lost: Vec<u64>,
    /// Hits read; in at least one of the folds.
    pub(super) hits: u64,
    /// True if there may be more behind them that was there when reading began.
    pub(super) cut: bool,
}

impl Applier {
    /// Reads and folds a batch: up to `most` hits, and no more rows in any lane than the store takes at once. None
    /// for a stream of which nothing can be read any more.
    pub(super) fn read(&mut self, i: usize, most: u64) -> Option<Folded> {
        let rows = self.tallies.max_rows().saturating_sub(HIT_ROWS);
        let draining = &mut self.streams[i];
        if draining.reader.is_none() {
            draining.reader = self.journal.read(draining.stream, &draining.done);
        }
        let reader = draining.reader.as_mut()?;
        match self.tables.as_ref().map(|current| current.get()) {
            Some(tables) if !self.classifier.uses(&tables) => self.classifier.use_tables(tables),
            _ => drop(self.classifier.settle()),
        }
        let site = usize::from(self.lanes);
        let (lanes, to, lost) = (Fold::default(), draining.done.clone(), vec![0; site + 1]);
        let mut folded = Folded { lanes, site: None, to, lost, hits: 0, cut: true };
        let mut round = 0;
        while folded.hits < most && folded.lanes.most_rows() <= rows {
            round += 1;
            give_way(round);
            let Some(entry) = reader.next() else {
                folded.cut = false;
                break;
            };
            match entry {
                Entry::Gap(gap) => {
                    let at = usize::from(gap.lane);
                    if gap.to > folded.to[at] {
                        folded.lost[at] += gap.to - gap.from.max(folded.to[at]);
                        folded.to[at] = gap.to;
                    }
                }
                Entry::Hit(hit) => {
                    let lane = usize::from(hit.lane);
                    let (new_lane, new_site) =
                        (hit.lane_ordinal > folded.to[lane], hit.site_ordinal > folded.to[site]);
                    if !new_lane && !new_site {
                        continue;
                    }
                    folded.hits += 1;
                    let seen = self.classifier.classify(&hit);
                    let place = self.placer.place(hit.at_ms);
                    if new_lane != new_site && folded.site.is_none() {
                        folded.site = Some(folded.lanes.clone());
                    }
                    if new_lane {
                        folded.lanes.add(&hit, seen, &self.classifier, place);
                        folded.to[lane] = hit.lane_ordinal;
                    }
                    if new_site {
                        if let Some(site) = &mut folded.site {
                            site.add(&hit, seen, &self.classifier, place);
                        }
                        folded.to[site] = hit.site_ordinal;
                    }
                }
            }
        }
        Some(folded)
    }

    /// Reads a batch, and what its site lane adds. One that adds more there than the store takes at once is read
    /// again, shorter: how much that is shows only when links' facts are known.
    pub(super) async fn read_fitting(&mut self, i: usize) -> store::Result<Option<(Folded, Vec<Group>)>> {
        // What comes meanwhile waits: on a machine that is too busy to keep up, reading would not end.
        let waiting = self.waiting(i).max(1);
        let mut most = self.settings.batch_hits.min(waiting);
        loop {
            let Some(mut folded) = self.read(i, most) else { return Ok(None) };
            folded.cut &= folded.hits < waiting;
            let site = usize::from(self.lanes);
            let groups = match folded.to[site] > self.streams[i].done[site] {
                true => self.of_site(&folded).await?,
                false => vec![],
            };
            let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
            if rows <= self.tallies.max_rows() || folded.hits <= 1 {
                return Ok(Some((folded, groups)));
            }
            most = folded.hits / 2;
            self.streams[i].reader = None;
        }
    }

    /// Hits of a stream that are not counted, in lanes or site, whichever are more.
    fn waiting(&self, i: usize) -> u64 {
        let draining = &self.streams[i];
        if !draining.current {
            return u64::MAX;
        }
        let given = self.journal.ordinals();
        let left = |(given, done): (&u64, &u64)| given.saturating_sub(*done);
        let site = usize::from(self.lanes);
        let mut left = given.iter().zip(&draining.done).map(left);
        let lanes: u64 = left.by_ref().take(site).sum();
        lanes.max(left.next().unwrap_or(0))
    }

    async fn of_site(&self, folded: &Folded) -> store::Result<Vec<Group>> {
        let fold = folded.site.as_ref().unwrap_or(&folded.lanes);
        let facts = self.facts(fold).await?;
        Ok(fold.of_site(|code| facts.get(code).cloned().unwrap_or_default()))
    }

    /// What the links of a fold are counted under: from this process's cache, else from the store.
    async fn facts<'f>(&self, fold: &'f Fold) -> store::Result<HashMap<&'f str, LinkFacts>> {
        let mut facts = HashMap::new();
        let mut missing: Vec<&str> = vec![];
        for code in fold.codes() {
            match self.cache.get(code) {
                Cached::Known(routes) => drop(facts.insert(code, facts_of(routes, code))),
                Cached::Unknown | Cached::Miss => missing.push(code),
            }
        }
        for chunk in missing.chunks(CHUNK) {
            let keys: Vec<String> = chunk.iter().map(|c| fold_code(c).into_owned()).collect();
            let found = self.links.find_many(&keys).await?;
            let found: HashMap<&str, &Found> = found.iter().map(|f| (f.link.code.as_str(), f)).collect();
            for code in chunk {
                if let Some(one) = found.get(code) {
                    facts.insert(code, facts_of(self.cache.routes(std::slice::from_ref(*one)), code));
                }
            }
        }
        Ok(facts)
    }
}

fn facts_of(routes: Arc<Routes>, code: &str) -> LinkFacts {
    match routes.pick(code, false) {
        Some(route) => LinkFacts {
            channel: route.shared.channel.clone(),
            section: route.shared.section.clone(),
            authors: route.shared.authors.to_vec(),
        },
        None => LinkFacts::default(),
    }
}
