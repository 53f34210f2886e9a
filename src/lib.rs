//! Slugline gives every article of a newsroom one short URL, sends readers on from it, and counts each of them
//! exactly once. ARCHITECTURE.md is the map; floors import downwards only.

pub mod domain;
pub mod hits;
pub mod store;
pub mod units;
