//! Sketches of days: a field of a day's hash is one scope's sketch.
//!
//! Merging them is a batch's (`apply`). What a sketch estimates stays when it goes (`periods`).

use super::apply::sketch;
use super::hashes::Hashes;
use super::keys::{self, Family, field};
use super::read;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Scope, SketchOf};
use crate::store::Result;
use crate::store::redis::conn;

/// Commands whose answers are in memory at once.
const ANSWERS: usize = 64;

/// A scope's sketches of `from <= day < to`, by day.
pub(super) async fn of_scope(
    hashes: &Hashes,
    scope: &Scope,
    of: SketchOf,
    from: i64,
    to: i64,
) -> Result<Vec<(i64, Sketch)>> {
    let (family, lane) = (Family::of_sketches(of), keys::lane(scope, &hashes.lanes));
    let days = read::periods(hashes, &[lane], family, from, to).await?.pop().unwrap_or_default();
    let (names, field) = (hashes.keys(lane), field(scope));
    let mut found = vec![];
    for some in days.chunks(ANSWERS) {
        let cmds = some.iter().map(|day| read::hget(names.numbers(family, *day), &field));
        for (day, answer) in some.iter().zip(hashes.ask(&[lane], cmds.collect()).await?) {
            if let Some(bytes) = conn::read::<Option<Vec<u8>>>(answer)? {
                found.push((*day, sketch(&bytes)?));
            }
        }
    }
    Ok(found)
}
