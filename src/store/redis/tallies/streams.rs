//! Streams, their ordinals and tombstones, and each lane's audit.
//!
//! A stream's ordinal and when it began lie in each lane that it has hits in; its tombstone lies in the site lane
//! and says the sum of the ordinals it was made of, so that one whose stream went on, or back, is none any more.
//! Guarantees that ordinals which go into base do so once, lane by lane, however often that is cut short.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::hashes::{Ask, Decision, Hashes, Own, Put, number};
use super::keys::{Family, bucket, field};
use super::{apply, pack};
use crate::domain::lane::Lane;
use crate::domain::tally::{Scope, Series, StreamId};
use crate::store::redis::conn::read;
use crate::store::tallies::{LaneAudit, StreamState};
use crate::store::{Error, Result};

/// A stream that the site lane does not know goes this long after the tombstones of its time.
const ORPHANED_MS: i64 = 30 * 86_400_000;

/// The fields of a stream: its ordinal, when it began, its tombstone.
pub(super) fn fields(stream: StreamId) -> [Vec<u8>; 3] {
    ["o:", "b:", "f:"].map(|kind| format!("{kind}{stream}").into_bytes())
}

/// The mark of a stream whose ordinals are on their way into base.
fn going(stream: StreamId) -> Vec<u8> {
    format!("g:{stream}").into_bytes()
}

/// The stream that a field is about.
fn stream_of(kind: &str, field: &[u8]) -> Option<StreamId> {
    std::str::from_utf8(field).ok()?.strip_prefix(kind)?.parse().ok()
}

/// What is known of a stream.
pub(super) async fn state(hashes: &Hashes, stream: StreamId) -> Result<StreamState> {
    let numbers: Vec<Lane> = (0..=hashes.site()).collect();
    let cmds = numbers.iter().map(|lane| {
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(hashes.keys(*lane).own()).arg(&fields(stream)[..]);
        cmd
    });
    let answers = hashes.ask(&numbers, cmds.collect()).await?;
    let mut known = Known::default();
    for answer in answers {
        let found: Vec<Option<Vec<u8>>> = read(answer)?;
        let [ordinal, began, finished] = std::array::from_fn(|at| found.get(at).and_then(Option::as_deref));
        known.lane(number(ordinal)?, began, finished)?;
    }
    Ok(known.state(stream))
}

/// All streams that are known, oldest first.
pub(super) async fn states(hashes: &Hashes) -> Result<Vec<StreamState>> {
    let mut states = all(&hashes.own(0..=hashes.site()).await?)?;
    states.sort_by_key(|state| (state.began_ms, state.stream));
    Ok(states)
}

fn all(own: &[Own]) -> Result<Vec<StreamState>> {
    let mut streams: BTreeMap<StreamId, Known> = BTreeMap::new();
    for field in own.iter().flat_map(|own| own.0.keys()) {
        if let Some(stream) = stream_of("o:", field).or_else(|| stream_of("f:", field)) {
            streams.entry(stream).or_default();
        }
    }
    for (stream, known) in &mut streams {
        let fields = fields(*stream);
        for own in own {
            let of = |field: &Vec<u8>| own.0.get(field).map(Vec::as_slice);
            known.lane(number(of(&fields[0]))?, of(&fields[1]), of(&fields[2]))?;
        }
    }
    Ok(streams.into_iter().map(|(stream, known)| known.state(stream)).collect())
}

/// A stream as the lanes tell it, one after the other.
#[derive(Default)]
struct Known {
    began_ms: i64,
    ordinals: Vec<u64>,
    tombstone: Option<Tombstone>,
}

#[derive(Clone, Copy)]
struct Tombstone {
    at: Timestamp,
    sum: u64,
}

impl Known {
    fn lane(&mut self, ordinal: u64, began: Option<&[u8]>, finished: Option<&[u8]>) -> Result<()> {
        self.ordinals.push(ordinal);
        if let Some(began) = began {
            self.began_ms = number(Some(began))?;
        }
        if let Some(finished) = finished {
            self.tombstone = Some(Tombstone::read(finished)?);
        }
        Ok(())
    }

    fn state(self, stream: StreamId) -> StreamState {
        let sum = sum_of(&self.ordinals);
        let finished_at = self.tombstone.filter(|stone| stone.sum == sum).map(|stone| stone.at);
        StreamState { stream, began_ms: self.began_ms, ordinals: self.ordinals, finished_at }
    }
}

fn sum_of(ordinals: &[u64]) -> u64 {
    ordinals.iter().fold(0, |sum, n| sum.wrapping_add(*n))
}

impl Tombstone {
    fn read(text: &[u8]) -> Result<Tombstone> {
        let parts = std::str::from_utf8(text).ok().and_then(|text| {
            let (at, sum) = text.split_once(' ')?;
            let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
            Some(Tombstone { at, sum: sum.parse().ok()? })
        });
        parts.ok_or_else(|| Error::Corrupt(format!("a tombstone is \"{}\"", text.escape_ascii())))
    }

    fn text(&self) -> String {
        format!("{} {}", self.at.as_millisecond(), self.sum)
    }
}

/// Makes a tombstone of a stream whose ordinals are exactly these.
pub(super) async fn finish(
    hashes: &Hashes,
    stream: StreamId,
    ordinals: &[u64],
    now: Timestamp,
) -> Result<bool> {
    let known = state(hashes, stream).await?;
    if known.ordinals != ordinals {
        return Ok(false);
    }
    if known.finished_at.is_some() {
        return Ok(true);
    }
    let [ordinal, _, finished] = fields(stream);
    let ask = Ask { own: vec![ordinal.clone()], numbers: vec![] };
    let stone = Tombstone { at: now, sum: sum_of(ordinals) };
    let last = ordinals.last().copied().unwrap_or(0);
    hashes
        .change(hashes.site(), &ask, |seen| {
            if seen.number(0)? != last {
                return Ok(Decision::Leave(false));
            }
            let mut put = Put::at(&ordinal, last);
            put.own(&finished, stone.text());
            Ok(Decision::Change(put, true))
        })
        .await
}

/// Lets tombstones made before `before` go; their ordinals go into base, the site lane's last.
pub(super) async fn forget_finished(hashes: &Hashes, before: Timestamp) -> Result<u64> {
    let site = hashes.own(std::iter::once(hashes.site())).await?;
    let old = |text: &Vec<u8>| Ok::<_, Error>(Tombstone::read(text)?.at < before);
    let mut any = false;
    for (field, value) in site.iter().flat_map(|own| &own.0) {
        any |= field.starts_with(b"g:") || (field.starts_with(b"f:") && old(value)?);
    }
    if !any {
        return Ok(0);
    }
    let own = hashes.own(0..=hashes.site()).await?;
    let Some(site) = own.last() else { return Ok(0) };
    let orphaned = before.as_millisecond().saturating_sub(ORPHANED_MS);
    let mut gone = 0;
    for state in all(&own)? {
        let (stream, [ordinal, _, finished]) = (state.stream, fields(state.stream));
        let is_old = state.finished_at.is_some_and(|at| at < before);
        let goes = site.0.contains_key(&going(stream));
        if is_old || goes {
            if !goes && !mark(hashes, stream, &ordinal, &finished, site).await? {
                continue;
            }
            for lane in 0..=hashes.site() {
                into_base(hashes, lane, stream).await?;
            }
            gone += 1;
        } else if !site.0.contains_key(&ordinal)
            && !site.0.contains_key(&finished)
            && state.began_ms < orphaned
        {
            // Left in some lanes by a store that went back while it was on its way.
            for lane in 0..hashes.site() {
                into_base(hashes, lane, stream).await?;
            }
        }
    }
    Ok(gone)
}

/// Notes that a stream's ordinals are on their way, so that the next call goes on if this one is cut short. False
/// if the stream has changed.
async fn mark(
    hashes: &Hashes,
    stream: StreamId,
    ordinal: &[u8],
    finished: &[u8],
    site: &Own,
) -> Result<bool> {
    let ask = Ask { own: vec![finished.to_vec(), ordinal.to_vec()], numbers: vec![] };
    let known = (site.0.get(finished), site.0.get(ordinal));
    hashes
        .change(hashes.site(), &ask, |seen| {
            if (seen.own[0].as_ref(), seen.own[1].as_ref()) != known {
                return Ok(Decision::Leave(false));
            }
            let mut put = Put::default();
            put.own(&going(stream), 1);
            Ok(Decision::Change(put, true))
        })
        .await
}

/// Puts a lane's ordinal of a stream into base; nothing if it is there already.
async fn into_base(hashes: &Hashes, lane: Lane, stream: StreamId) -> Result<()> {
    let [ordinal, began, finished] = fields(stream);
    let gone = vec![ordinal.clone(), began, finished, going(stream)];
    let ask = Ask { own: vec![b"base".to_vec(), ordinal], numbers: vec![] };
    let own = hashes.keys(lane).own();
    hashes
        .change(lane, &ask, |seen| {
            if seen.own[1].is_none() && lane != hashes.site() {
                return Ok(Decision::Leave(()));
            }
            let mut put = Put::default();
            put.own(b"base", apply::sum(seen.number(0)?, seen.number(1)?)?);
            put.unset(own.clone(), gone.clone());
            Ok(Decision::Change(put, ()))
        })
        .await
}

/// Each lane's sums, each lane at one moment.
pub(super) async fn audit(hashes: &Hashes) -> Result<Vec<LaneAudit>> {
    let mut audits = vec![];
    for lane in 0..=hashes.site() {
        let only = (lane == hashes.site()).then(|| {
            let site = field(&Scope::Site);
            let bucket = bucket(&site);
            (site, bucket)
        });
        let (own, totals) = hashes.totals(lane, only).await?;
        let mut audit =
            LaneAudit { base: own.number(b"base")?, lost: own.number(b"lost")?, ..LaneAudit::default() };
        for field in own.0.keys().filter(|field| field.starts_with(b"o:")) {
            audit.ordinals = apply::sum(audit.ordinals, own.number(field)?)?;
        }
        for total in totals {
            let counts = pack::sum(Family::Total, &total, Series::Total)?;
            audit.tallies = apply::sum(audit.tallies, counts.all())?;
        }
        audits.push(audit);
    }
    Ok(audits)
}

/// What was lost, lane by lane.
pub(super) async fn lost(hashes: &Hashes) -> Result<Vec<u64>> {
    let numbers: Vec<Lane> = (0..=hashes.site()).collect();
    let cmds = numbers.iter().map(|lane| {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(hashes.keys(*lane).own()).arg("lost");
        cmd
    });
    let answers = hashes.ask(&numbers, cmds.collect()).await?;
    answers.into_iter().map(|value| number(read::<Option<Vec<u8>>>(value)?.as_deref())).collect()
}
