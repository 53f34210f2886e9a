//! Whole periods of a family go at once: hours and sketches that are old.
//!
//! Guarantees that only periods go that have ended, the site lane's first, and that sums are not touched.

use super::hashes::{Ask, Decision, Hashes, Put};
use super::keys::Family;
use super::read;
use crate::domain::lane::Lane;
use crate::store::Result;

/// Lets the periods of a family go that ended before `before` began.
pub(super) async fn forget(hashes: &Hashes, family: Family, before: i64) -> Result<()> {
    let all: Vec<Lane> = std::iter::once(hashes.site()).chain(0..hashes.site()).collect();
    let periods = read::periods(hashes, &all, family, i64::MIN, before).await?;
    let ended = |period: &i64| family.bucket(period.saturating_add(1), 0) <= before;
    for (lane, periods) in all.into_iter().zip(periods) {
        let old: Vec<i64> = periods.into_iter().filter(ended).collect();
        if old.is_empty() {
            continue;
        }
        let names = hashes.keys(lane);
        let go = |_: &super::hashes::Seen| {
            let mut put = Put::default();
            old.iter().for_each(|period| put.remove(names.numbers(family, *period)));
            let members = old.iter().map(|period| period.to_string().into_bytes()).collect();
            put.leave(names.periods(family), members);
            Ok(Decision::Change(put, ()))
        };
        hashes.change(lane, &Ask::default(), go).await?;
    }
    Ok(())
}
