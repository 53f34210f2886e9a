//! Minutes go after two days.
//!
//! Whole hours of them go as whole hashes; of the hour in which the line falls, those before it are not shown any
//! more. Guarantees that sums are not touched.

use super::hashes::{Ask, Decision, Hashes, Put, number};
use super::keys::Family;
use super::read;
use crate::domain::lane::Lane;
use crate::store::Result;

/// The field of the lane's own hash that says before which time minutes have gone.
pub(super) const GONE: &[u8] = b"n";

/// Lets minutes go that began before `before`.
pub(super) async fn forget(hashes: &Hashes, before: i64) -> Result<()> {
    let all: Vec<Lane> = (0..=hashes.site()).collect();
    let periods = read::periods(hashes, &all, Family::Minute, i64::MIN, i64::MAX).await?;
    for (lane, periods) in all.into_iter().zip(periods) {
        if !periods.is_empty() {
            forget_in(hashes, lane, &periods, before).await?;
        }
    }
    Ok(())
}

async fn forget_in(hashes: &Hashes, lane: Lane, periods: &[i64], before: i64) -> Result<()> {
    let names = hashes.keys(lane);
    let ended = |period: &&i64| Family::Minute.bucket(period.saturating_add(1), 0) <= before;
    let old: Vec<i64> = periods.iter().filter(ended).copied().collect();
    let ask = Ask { own: vec![GONE.to_vec()], numbers: vec![] };
    hashes
        .change(lane, &ask, |seen| {
            let gone = seen.own[0].as_deref().map_or(Ok(i64::MIN), |gone| number(Some(gone)))?;
            if old.is_empty() && gone >= before {
                return Ok(Decision::Leave(()));
            }
            let mut put = Put::default();
            put.own(GONE, gone.max(before));
            old.iter().for_each(|period| put.remove(names.numbers(Family::Minute, *period)));
            let members = old.iter().map(|period| period.to_string().into_bytes()).collect();
            put.leave(names.periods(Family::Minute), members);
            Ok(Decision::Change(put, ()))
        })
        .await
}
