//! What the feed knows of one lane.
//!
//! Guarantees one order: whoever reads a lane's records and puts them holds its [`LaneState::order`] meanwhile, so an
//! older value never comes after a newer one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::read::Message;
use crate::store::mirror::{Followed, Mark};

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

/// A lane as it is followed.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// Held by whoever reads and puts.
    pub(super) order: tokio::sync::Mutex<Recent>,
    at: Mutex<Followed>,
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
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
        order.add(at.mark);
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
