//! What the tests of the journal share: hits made from numbers, and a check that everything read back is what
//! was appended, each ordinal once.

mod faults;
mod lifecycle;
mod power;
mod roundtrip;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sim::{Chance, SimDisk};
use super::*;
use crate::domain::hit::{Country, Hit, MissedReason, Network, NewHit, Outcome, Signals, Trigger, Visitor};
use crate::domain::tally::DatasetId;
use crate::units::{Size, Span};

pub(super) const DATASET: DatasetId = DatasetId(0xda7a);

/// A hit that owns its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) lane: u16,
    pub(super) code: String,
    pub(super) at_ms: i64,
    pub(super) outcome: Outcome,
    pub(super) trigger: Trigger,
    pub(super) signals: Signals,
    pub(super) user_agent: Vec<u8>,
    pub(super) referrer: Vec<u8>,
    pub(super) hints: Vec<u8>,
    pub(super) params: Vec<u8>,
    pub(super) network: Network,
    pub(super) country: Country,
    pub(super) visitor: Visitor,
}

impl Made {
    pub(super) fn by(chance: &mut Chance, lanes: u16, at_ms: i64) -> Made {
        let text = |chance: &mut Chance, most: u64| -> Vec<u8> {
            let n = if chance.once_in(20) { most } else { 40 };
            (0..chance.below(n)).map(|_| chance.any().to_le_bytes()[0]).collect()
        };
        let outcome = match chance.below(8) {
            n @ 0..5 => Outcome::Missed(MissedReason::ALL[usize::try_from(n).unwrap()]),
            _ => Outcome::Followed { target: u32::try_from(chance.below(1 << 32)).unwrap() },
        };
        Made {
            lane: u16::try_from(chance.below(u64::from(lanes))).unwrap(),
            code: format!("c{}", chance.below(1_000_000)),
            at_ms,
            outcome,
            trigger: if chance.once_in(2) { Trigger::Qr } else { Trigger::Link },
            signals: Signals { head: chance.once_in(2), prefetch: chance.once_in(2) },
            user_agent: text(chance, 1025),
            referrer: text(chance, 1025),
            hints: text(chance, 256),
            params: text(chance, 256),
            network: Network::from_byte(chance.any().to_le_bytes()[0]),
            country: Country([chance.any().to_le_bytes()[0], b'T']),
            visitor: Visitor { hash: chance.any(), own_key: chance.once_in(2) },
        }
    }

    pub(super) fn new_hit(&self) -> NewHit<'_> {
        NewHit {
            lane: self.lane,
            code: &self.code,
            at_ms: self.at_ms,
            outcome: self.outcome,
            trigger: self.trigger,
            signals: self.signals,
            network: self.network,
            country: self.country,
            visitor: self.visitor,
            user_agent: &self.user_agent,
            referrer: &self.referrer,
            hints: &self.hints,
            params: &self.params,
        }
    }

    pub(super) fn is(&self, hit: &Hit<'_>) -> bool {
        let same = Made {
            lane: hit.lane,
            code: hit.code.to_owned(),
            at_ms: hit.at_ms,
            outcome: hit.outcome,
            trigger: hit.trigger,
            signals: hit.signals,
            user_agent: hit.user_agent.to_vec(),
            referrer: hit.referrer.to_vec(),
            hints: hit.hints.to_vec(),
            params: hit.params.to_vec(),
            network: hit.network,
            country: hit.country,
            visitor: hit.visitor,
        };
        same == *self
    }
}

pub(super) fn settings(segment_bytes: u64) -> Settings {
    Settings {
        segment_bytes: Size(segment_bytes),
        retain_age: Span(std::time::Duration::ZERO),
        retain_bytes: Size(0),
        max_bytes: Size(u64::MAX >> 1),
        ..Settings::default()
    }
}

pub(super) fn owner(stream: u64, lanes: u16) -> Owner {
    Owner { stream: StreamId(stream), dataset: DATASET, lanes }
}

pub(super) fn open(disk: &SimDisk, settings: &Settings, stream: u64, lanes: u16) -> Journal {
    let now_ms = i64::try_from(stream).unwrap() * 100_000;
    Journal::open_still(Arc::new(disk.clone()), settings, owner(stream, lanes), now_ms).unwrap()
}

/// Everything that was appended to one stream, and what is known to survive.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// By site ordinal, from 1.
    pub(super) hits: Vec<(Made, Receipt)>,
    /// The site ordinal up to which a sync has covered every hit.
    pub(super) safe: u64,
    /// The same up to which a sync has covered it or failed to.
    pub(super) settled: u64,
    /// The site ordinal up to which every hit that was not lost must be there.
    pub(super) alive: u64,
}

impl Model {
    pub(super) fn append(&mut self, journal: &Journal, made: Made) -> Receipt {
        let receipt = journal.append(&made.new_hit());
        assert_eq!(receipt.site_ordinal, self.hits.len() as u64 + 1);
        self.hits.push((made, receipt));
        receipt
    }

    pub(super) fn lost(&self) -> u64 {
        self.hits.iter().filter(|(_, receipt)| receipt.lost).count() as u64
    }
}

/// What a reader gave of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Hits beyond what was done in the site lane.
    pub(super) hits: u64,
    /// Ordinals of the site lane in gaps.
    pub(super) gone: u64,
    /// The last ordinals, by lane.
    pub(super) ends: Vec<u64>,
}

/// Reads on until there is nothing more, and checks that each ordinal beyond `at` comes once and in order,
/// and that each hit is the one that was appended. `at` is moved on.
pub(super) fn drain(reader: &mut Reader, at: &mut [u64], model: &Model, what: &str) -> Given {
    let site = at.len() - 1;
    let mut given = Given::default();
    while let Some(entry) = reader.next() {
        match entry {
            Entry::Gap(gap) => {
                let lane = usize::from(gap.lane);
                assert_eq!(gap.from, at[lane], "{what}: {gap:?}");
                assert!(gap.to > gap.from, "{what}: {gap:?}");
                at[lane] = gap.to;
                given.gone += if lane == site { gap.to - gap.from } else { 0 };
            }
            Entry::Hit(hit) => {
                let (made, receipt) = &model.hits[usize::try_from(hit.site_ordinal).unwrap() - 1];
                assert!(made.is(&hit), "{what}: {hit:?} is not {made:?}");
                assert_eq!(hit.lane_ordinal, receipt.lane_ordinal, "{what}");
                assert!(!receipt.lost, "{what}: lost, and there");
                let mut new = false;
                for (place, ordinal) in [(usize::from(hit.lane), hit.lane_ordinal), (site, hit.site_ordinal)]
                {
                    if ordinal > at[place] {
                        assert_eq!(ordinal, at[place] + 1, "{what}: lane {place}");
                        at[place] = ordinal;
                        given.hits += u64::from(place == site);
                        new = true;
                    }
                }
                assert!(new, "{what}: {hit:?} was done");
            }
        }
    }
    assert_eq!(reader.position(), at, "{what}");
    given.ends = at.to_vec();
    given
}

/// Reads a whole stream from its beginning, with all checks.
pub(super) fn read_all_of(journal: &Journal, stream: u64, model: &Model, lanes: u16, what: &str) -> Given {
    let mut at = vec![0; usize::from(lanes) + 1];
    let mut reader =
        journal.read(StreamId(stream), &at).unwrap_or_else(|| panic!("{what}: no stream {stream}"));
    drain(&mut reader, &mut at, model, what)
}

/// The site ordinals that came back as hits.
pub(super) fn found(journal: &Journal, stream: u64, done: &[u64]) -> Vec<u64> {
    let mut found = Vec::new();
    if let Some(mut reader) = journal.read(StreamId(stream), done) {
        while let Some(entry) = reader.next() {
            if let Entry::Hit(hit) = entry {
                found.push(hit.site_ordinal);
            }
        }
    }
    found
}

pub(super) type Models = BTreeMap<u64, Model>;
