//! What two exports of links say, whatever order each says it in.
//!
//! Guarantees little memory however long they are: each thing is added as a number to one of some thousand sums, and
//! where two sums differ, only the things of that sum are looked at again. That two different sets have the same sums
//! is as likely as that two of a million things have one 64-bit hash.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::copy::name_of;
use crate::store::links::ExportItem;

/// Sums.
const PARTS: u64 = 4_096;

/// An export, as numbers.
pub(super) struct Digest {
    sums: Vec<u64>,
}

impl Digest {
    pub(super) fn new() -> Digest {
        Digest { sums: (0..PARTS).map(|_| 0).collect() }
    }

    pub(super) fn add(&mut self, item: &ExportItem) {
        let (part, hash) = place(&text(item));
        if let Some(sum) = self.sums.get_mut(part) {
            *sum = sum.wrapping_add(hash);
        }
    }

    /// The first sum that is another.
    pub(super) fn differs(&self, other: &Digest) -> Option<usize> {
        self.sums.iter().zip(&other.sums).position(|(one, two)| one != two)
    }
}

/// All that an item says.
fn text(item: &ExportItem) -> String {
    format!("{item:?}")
}

/// To which sum a text is added, and what is added.
fn place(text: &str) -> (usize, u64) {
    let hash = |seed| foldhash::quality::FixedState::with_seed(seed).hash_one(text);
    let part = usize::try_from(hash(0x51c6) % PARTS).unwrap_or(0);
    // 0 would add nothing.
    (part, hash(0x6c15).max(1))
}

/// The things of one part, to find out which of them is not in both.
#[derive(Default)]
pub(super) struct Part {
    /// What is said, how often more by the first than by the second, and of what it is said.
    said: HashMap<String, (i64, String)>,
}

impl Part {
    pub(super) fn add(&mut self, part: usize, item: &ExportItem, by: i64) {
        let text = text(item);
        if place(&text).0 == part {
            self.said.entry(text).or_insert_with(|| (0, name_of(item))).0 += by;
        }
    }

    /// The first difference, in words.
    pub(super) fn difference(&self) -> Option<String> {
        let wrong = self.said.values().filter(|(times, _)| *times != 0);
        let (times, name) = wrong.min_by(|one, two| (&one.1, two.0).cmp(&(&two.1, one.0)))?;
        Some(match times {
            1.. => format!("{name} is missing in the target, or is another there"),
            _ => format!("{name} is in the target as it is not in the source"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::article::ArticleId;

    fn alias(value: &str) -> ExportItem {
        let article = ArticleId("a".into());
        ExportItem::Alias { kind: "url".into(), site: String::new(), value: value.into(), article }
    }

    fn digest(values: &[&str]) -> Digest {
        let mut digest = Digest::new();
        values.iter().for_each(|value| digest.add(&alias(value)));
        digest
    }

    fn difference(one: &[&str], two: &[&str]) -> Option<String> {
        let at = digest(one).differs(&digest(two))?;
        let mut part = Part::default();
        one.iter().for_each(|value| part.add(at, &alias(value), 1));
        two.iter().for_each(|value| part.add(at, &alias(value), -1));
        part.difference()
    }

    #[test]
    fn order_does_not_matter_and_all_else_does() {
        assert_eq!(difference(&["x", "y", "z"], &["z", "x", "y"]), None);
        assert!(difference(&["x", "y"], &["x"]).unwrap().contains("url y of an article is missing"));
        assert!(difference(&["x"], &["x", "y"]).unwrap().contains("url y of an article is in the target"));
        assert!(difference(&["x", "x"], &["x"]).is_some(), "how often counts");
        assert!(difference(&["x"], &["z"]).is_some());
    }
}
