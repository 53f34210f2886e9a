//! What the feed knows of one lane.
//!
//! Guarantees one order: whoever reads a lane's records and puts them holds its [`LaneState::order`] meanwhile, so an
//! older value never comes after a newer one; and that own commits which wait for it are put together.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::read::Message;
use crate::store::mirror::{Followed, Mark, Put};
use crate::store::redis::records::Written;

/// Marks remembered that the lane went through.
const RECENT: usize = 64;
/// Messages that wait; who is told of more looks at the lane itself.
const HEARD: usize = 1_024;

/// The marks that a lane went through, the last ones.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Mark>);

impl Recent {
    /// The lane has gone to `mark`.
    pub(super) fn add(&mut self, mark: Mark) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(mark);
    }

    /// True if the lane is known to have gone through `mark`.
    pub(super) fn has(&self, mark: Mark) -> bool {
        self.0.contains(&mark)
    }
}

/// What was heard of a lane.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<Message>,
    /// It must be looked at itself.
    look: bool,
}

/// Commits of this node.
#[derive(Debug, Default)]
struct Own {
    /// The tags of those whose callers do not know yet what came of them.
    under_way: HashSet<u64>,
    /// Those that were done and that the lane's mark is not past yet, by version.
    done: BTreeMap<u64, Arc<Written>>,
}

/// Own commits that follow each other.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Their records, older before newer.
    pub(super) puts: Vec<Put>,
    /// Their marks.
    pub(super) marks: Vec<Mark>,
}

/// A lane as it is followed.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// Held by whoever reads and puts.
    pub(super) order: tokio::sync::Mutex<Recent>,
    at: Mutex<Followed>,
    own: Mutex<Own>,
    heard: Mutex<Heard>,
    /// Somebody is about to take what was heard.
    queued: AtomicBool,
    /// All of it is being compared; its mark stays until that is done.
    comparing: AtomicBool,
    /// When it was last known to be in step, in milliseconds since the feed began, plus one; 0 for never.
    in_step: AtomicU64,
}

impl LaneState {
    pub(super) fn new(at: Followed) -> LaneState {
        LaneState { at: Mutex::new(at), ..LaneState::default() }
    }

    /// How far it is followed.
    pub(super) fn at(&self) -> Followed {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mirror is there now.
    pub(super) fn move_to(&self, at: Followed, order: &mut Recent) {
        let before = std::mem::replace(&mut *self.at.lock().unwrap_or_else(PoisonError::into_inner), at);
        order.add(at.mark);
        let mut own = self.own();
        if at.mark.version > before.mark.version {
            own.done = own.done.split_off(&at.mark.version.saturating_add(1));
        } else {
            // Its history is another: what came after it there does not come any more.
            own.done.clear();
        }
    }

    /// A commit of this node is about to be sent.
    pub(super) fn sends(&self, tag: u64) {
        self.own().under_way.insert(tag);
    }

    /// True for a commit of this node whose caller is about to tell of it.
    pub(super) fn is_under_way(&self, tag: u64) -> bool {
        self.own().under_way.contains(&tag)
    }

    /// A commit of this node was done.
    pub(super) fn did(&self, written: Arc<Written>) {
        self.own().done.insert(written.version, written);
    }

    /// Nobody tells of this commit any more.
    pub(super) fn over(&self, tag: u64) {
        self.own().under_way.remove(&tag);
    }

    /// The own commits that are known and follow `at`, up to one that writes a record again: what a record was is
    /// remembered put by put.
    pub(super) fn own_after(&self, mut at: Mark) -> Chain {
        let (own, mut chain, mut fields) = (self.own(), Chain::default(), HashSet::new());
        while let Some(next) =
            own.done.get(&at.version.saturating_add(1)).filter(|next| next.before == at.tag)
        {
            if !next.puts.iter().all(|put| fields.insert(put.field.as_slice())) {
                break;
            }
            at = next.mark();
            chain.marks.push(at);
            chain.puts.extend(next.puts.iter().cloned());
        }
        chain
    }

    /// The records of an own commit, without those that a later one wrote, which may have been put already.
    pub(super) fn still_of(&self, written: &Written) -> Vec<Put> {
        let own = self.own();
        let later = own.done.range(written.version.saturating_add(1)..).flat_map(|(_, later)| &later.puts);
        let later: HashSet<&[u8]> = later.map(|put| put.field.as_slice()).collect();
        written.puts.iter().filter(|put| !later.contains(put.field.as_slice())).cloned().collect()
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was heard; None asks to look at the lane itself. True if the caller must see to it that somebody
    /// does.
    pub(super) fn hear(&self, message: Option<Message>) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            Some(message) if heard.messages.len() < HEARD => heard.messages.push(message),
            _ => heard.look = true,
        }
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// What was heard; the second value says that the lane must be looked at itself.
    pub(super) fn take_heard(&self) -> (Vec<Message>, bool) {
        self.queued.store(false, Ordering::Release);
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        (heard.messages, heard.look)
    }

    /// Begins to compare all of it; false if that is going on.
    pub(super) fn begin_comparing(&self) -> bool {
        !self.comparing.swap(true, Ordering::AcqRel)
    }

    pub(super) fn end_comparing(&self) {
        self.comparing.store(false, Ordering::Release);
    }

    /// True if marks are what is followed now.
    pub(super) fn is_followed(&self) -> bool {
        self.at().complete && !self.comparing.load(Ordering::Acquire)
    }

    /// It was in step at this time since the feed began.
    pub(super) fn set_in_step(&self, ms: u64) {
        self.in_step.fetch_max(ms.saturating_add(1), Ordering::AcqRel);
    }

    /// When it was last known to be in step.
    pub(super) fn in_step(&self) -> Option<u64> {
        self.in_step.load(Ordering::Acquire).checked_sub(1)
    }
}
