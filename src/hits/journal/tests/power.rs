//! Power cuts and kills, thousands of them, each from a seed.
//!
//! A node boots, appends, syncs, reads, lets segments go, and ends in the middle of it; the next boot reads
//! what is left. All that a sync covered must be there (after a kill: all that was appended), nothing may be
//! wrong or come twice, and what is missing must be counted. `SLUGLINE_FAULTS=full` runs 10,000 seeds.

use super::*;

/// One node with its store, over several boots.
struct Node {
    seed: u64,
    chance: Chance,
    disk: SimDisk,
    settings: Settings,
    lanes: u16,
    models: Models,
    /// What the store has, by stream; never taken back.
    done: BTreeMap<u64, Vec<u64>>,
    /// Ranges that a failed sync left uncovered, as (stream, after, to): there until the power is cut.
    uncovered: Vec<(u64, u64, u64)>,
    /// What was found of streams of which nothing was let go, once their boot was over.
    fixed: BTreeMap<u64, (Given, Vec<u64>)>,
    released: bool,
    /// The last stream that has seen a power cut.
    cut: u64,
}

impl Node {
    fn new(seed: u64) -> Node {
        let mut chance = Chance::new(seed);
        let lanes = [1, 3, 64][usize::try_from(chance.below(3)).unwrap()];
        let segment_bytes = 8192 + 4096 * chance.below(3);
        Node {
            seed,
            disk: SimDisk::new(chance.any()),
            chance,
            settings: settings(segment_bytes),
            lanes,
            models: Models::new(),
            done: BTreeMap::new(),
            uncovered: Vec::new(),
            fixed: BTreeMap::new(),
            released: false,
            cut: 0,
        }
    }

    fn what(&self, stream: u64) -> String {
        format!("seed {} stream {stream} lanes {}", self.seed, self.lanes)
    }

    fn zeros(&self) -> Vec<u64> {
        vec![0; usize::from(self.lanes) + 1]
    }

    fn boot(&mut self, stream: u64) {
        let what = self.what(stream);
        let journal = open(&self.disk, &self.settings, stream, self.lanes);
        // A file that was made in a hurry may be left with a part of its header.
        let hurried = |odd: &Odd| matches!(odd, Odd::Misnamed { .. } | Odd::Unreadable { .. });
        assert!(journal.odd().iter().all(hurried), "{what}: {:?}", journal.odd());
        for earlier in 1..stream {
            self.check_earlier(&journal, earlier);
        }
        self.models.insert(stream, Model::default());
        self.done.insert(stream, self.zeros());
        if self.chance.once_in(2) {
            self.disk.die_after(self.chance.below(3000));
        }
        let mut live = journal.read(StreamId(stream), &self.zeros()).unwrap();
        for _ in 0..self.chance.below(60) {
            self.act(&journal, &mut live, stream);
            if self.disk.dead() {
                break;
            }
        }
        drop(live);
        drop(journal);
        if self.chance.once_in(3) {
            self.disk.kill();
        } else {
            for model in self.models.values_mut().rev().take(1) {
                model.alive = model.safe;
            }
            self.cut = stream;
            self.disk.power_cut(self.chance.any());
        }
    }

    fn act(&mut self, journal: &Journal, live: &mut Reader, stream: u64) {
        let what = self.what(stream);
        let model = self.models.get_mut(&stream).unwrap();
        match self.chance.below(12) {
            0..5 => {
                for _ in 0..self.chance.below(25) {
                    let at_ms = i64::try_from(stream * 100_000 + model.hits.len() as u64 * 97).unwrap();
                    model.append(journal, Made::by(&mut self.chance, self.lanes, at_ms));
                    if !self.disk.dead() {
                        model.alive = model.hits.len() as u64;
                    }
                }
            }
            5 | 6 => {
                let (from, to) = (model.settled, model.hits.len() as u64);
                let synced = journal.sync_now();
                model.settled = to;
                if synced.is_err() {
                    self.uncovered.push((stream, from, to));
                } else if !self.disk.dead() {
                    model.safe = to;
                }
            }
            7 => drop(journal.prepare_now()),
            8 if !self.disk.dead() => {
                let mut at = self.done[&stream].clone();
                live.position().clone_into(&mut at);
                let mut reader = journal.read(StreamId(stream), &at).unwrap();
                let given = drain(&mut reader, &mut at, model, &what);
                drain(live, &mut live.position().to_vec(), model, &what);
                assert_eq!(at[usize::from(self.lanes)], model.hits.len() as u64, "{what}: {given:?}");
                // The store may be ahead of what survives a power cut.
                self.done.insert(stream, at);
            }
            9 => {
                let done = self.done.clone();
                journal.applied(StreamId(stream), &done[&stream]);
                drop(journal.release(&|s| done.get(&s.0).cloned(), i64::MAX));
                self.released = true;
            }
            10 => self.disk.fail_syncs(self.chance.below(3)),
            _ => self.disk.set_free_bytes(if self.chance.once_in(3) { 9000 } else { 1 << 30 }),
        }
    }

    /// Reads a stream of an earlier boot beyond what the store has.
    fn check_earlier(&mut self, journal: &Journal, stream: u64) {
        let what = self.what(stream);
        let model = &self.models[&stream];
        let site = usize::from(self.lanes);
        let mut at = self.done[&stream].clone();
        let must = |site_ordinal: u64| {
            let uncovered = self.uncovered.iter().any(|(s, after, to)| {
                *s == stream && (after + 1..=*to).contains(&site_ordinal) && stream <= self.cut
            });
            let index = usize::try_from(site_ordinal).unwrap() - 1;
            site_ordinal <= model.alive && !uncovered && !model.hits[index].1.lost
        };
        let Some(mut reader) = journal.read(StreamId(stream), &at) else {
            let left: Vec<u64> = (at[site] + 1..=model.hits.len() as u64).filter(|o| must(*o)).collect();
            assert!(left.is_empty(), "{what}: {left:?} are gone");
            return;
        };
        let before = at.clone();
        let given = drain(&mut reader, &mut at, model, &what);
        drop(reader);
        let there = found(journal, stream, &before);
        for ordinal in before[site] + 1..=model.hits.len() as u64 {
            assert!(
                !must(ordinal) || there.contains(&ordinal),
                "{what}: {ordinal} is missing; safe {} alive {} of {}, uncovered {:?}, there {there:?}",
                model.safe,
                model.alive,
                model.hits.len(),
                self.uncovered,
            );
        }
        for (made, receipt) in model.hits.iter().filter(|(_, r)| must(r.site_ordinal)) {
            assert!(at[usize::from(made.lane)] >= receipt.lane_ordinal, "{what}: {receipt:?}");
        }
        assert!(at[site] <= (model.hits.len() as u64).max(before[site]), "{what}: more than there were");
        assert_eq!(given.hits + given.gone, at[site] - before[site], "{what}");
        if !self.released && self.uncovered.iter().all(|u| u.0 != stream) {
            // Nothing changes any more once a boot is over.
            let fixed = self.fixed.entry(stream).or_insert_with(|| (given.clone(), there.clone()));
            assert_eq!(fixed, &(given, there), "{what}: read again");
        }
        if self.chance.once_in(3) {
            self.done.insert(stream, at);
            self.fixed.remove(&stream);
        }
    }
}

#[test]
fn what_was_synced_survives_and_nothing_comes_twice() {
    let full = std::env::var("SLUGLINE_FAULTS").is_ok_and(|v| v == "full");
    let one: Option<u64> = std::env::var("SLUGLINE_SEED").ok().and_then(|v| v.parse().ok());
    let seeds = one.map_or(0..if full { 10_000 } else { 200 }, |seed| seed..seed + 1);
    for seed in seeds {
        let mut node = Node::new(seed);
        for stream in 1..=2 + seed % 4 {
            // A broken or full disk is mended before the next boot.
            node.disk.fail_syncs(0);
            node.disk.set_free_bytes(1 << 30);
            node.boot(stream);
        }
    }
}
