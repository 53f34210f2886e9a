//! Lanes of one dataset in Redis: their numbers and the names of their keys.
//!
//! Guarantees that every key of a lane has the lane's tag in it, so that a script about one lane runs in a cluster
//! too, and that the root lane is found without knowing how many lanes there are. Knows no connection.

use std::ops::Range;
use std::sync::Arc;

use super::tags::tags;
use crate::domain::lane::{Lane, lane_of};
use crate::domain::tally::DatasetId;

/// Places besides the lanes: the root lane's and the site lane's.
const MORE_PLACES: u16 = 2;

/// The lanes of a dataset. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<Names>);

#[derive(Debug)]
struct Names {
    dataset: DatasetId,
    prefix: Box<str>,
    lanes: u16,
    tags: Box<[Box<str>]>,
}

impl Lanes {
    /// The lanes of a dataset of `lanes` lanes whose keys begin with `prefix`.
    #[must_use]
    pub fn new(prefix: &str, dataset: DatasetId, lanes: u16) -> Lanes {
        // The root lane has the first place: its tag is the same for any number of lanes.
        let mut tags = tags(lanes.saturating_add(MORE_PLACES));
        tags.rotate_left(1);
        Lanes(Arc::new(Names { dataset, prefix: prefix.into(), lanes, tags: tags.into() }))
    }

    /// Whose lanes.
    #[must_use]
    pub fn dataset(&self) -> DatasetId {
        self.0.dataset
    }

    /// The dataset's name as scripts get it: 32 hex digits.
    #[must_use]
    pub fn dataset_arg(&self) -> Vec<u8> {
        self.0.dataset.to_string().into_bytes()
    }

    /// How many lanes hold codes.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.0.lanes
    }

    /// The lane of a folded code, or of anything else that is spread like one.
    #[must_use]
    pub fn of(&self, key: &str) -> Lane {
        lane_of(key, self.0.lanes)
    }

    /// The site lane.
    #[must_use]
    pub fn site(&self) -> Lane {
        self.0.lanes
    }

    /// The root lane: what the dataset is, keys, users.
    #[must_use]
    pub fn root(&self) -> Lane {
        self.0.lanes.saturating_add(1)
    }

    /// All of them: those of codes, the site lane, the root lane.
    #[must_use]
    pub fn all(&self) -> Range<Lane> {
        0..self.0.lanes.saturating_add(MORE_PLACES)
    }

    /// What is between the braces in a lane's keys.
    #[must_use]
    pub fn tag(&self, lane: Lane) -> &str {
        &self.0.tags[usize::from(lane)]
    }

    /// A key of a lane: prefix, tag, and what it is.
    #[must_use]
    pub fn key(&self, lane: Lane, what: &str) -> Vec<u8> {
        format!("{}{{{}}}:{what}", self.0.prefix, self.tag(lane)).into_bytes()
    }

    /// The hash of what is known of the lane itself.
    #[must_use]
    pub fn meta(&self, lane: Lane) -> Vec<u8> {
        self.key(lane, "m")
    }

    /// The channel on which changes are told.
    #[must_use]
    pub fn changes(&self) -> String {
        format!("{}changes", self.0.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_lane_and_the_root_is_found_by_anyone() {
        let id = DatasetId(7);
        let (few, many) = (Lanes::new("sl:", id, 1), Lanes::new("sl:", id, 64));
        assert_eq!(few.meta(few.root()), many.meta(many.root()));
        assert_eq!((many.all().len(), many.site(), many.root()), (66, 64, 65));
        let tags: std::collections::BTreeSet<&str> = many.all().map(|lane| many.tag(lane)).collect();
        assert_eq!(tags.len(), 66, "each lane has its own tag");
        assert_eq!(many.key(3, "r:1f"), format!("sl:{{{}}}:r:1f", many.tag(3)).into_bytes());
    }
}
