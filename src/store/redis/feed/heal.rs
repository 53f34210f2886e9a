//! Comparing a whole lane: the first time, after having been away for too long, and after a failover that lost
//! writes.
//!
//! Guarantees that afterwards mirror and store have the same; that a record which the store has lost and nobody has
//! changed since is put back as it was; and that one which was changed since is the store's, and an own edit lost by
//! that is told ([`super::lost`]).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::follow::decoded;
use super::lane::Recent;
use super::{Core, lost, read};
use crate::domain::lane::Lane;
use crate::store::accounts::AuditEntry;
use crate::store::mirror::{Followed, Mark, Raw, base_of};
use crate::store::redis::records::{BUCKETS, Name, Restored, Tries, Write, audit};
use crate::store::{Error, Result};

/// Hashes read in one go, and how long that may take: they may be large, and a line slow.
const HASHES: u32 = 32;
const READING: Duration = Duration::from_secs(10);
/// Records put or looked at in one go.
const SOME: usize = 500;
/// Looks at a record that others change while it is put back.
const LOOKS: usize = 3;

type Found = Vec<(Vec<u8>, Vec<u8>)>;

/// What is known while a lane is compared.
#[derive(Default)]
struct Comparison {
    /// The mirror has nothing of the lane yet.
    fresh: bool,
    /// What is left of the names of all records that the store has.
    seen: HashSet<u64>,
    /// Links of which the mirror had something that the store lost for good.
    lost_links: HashSet<Vec<u8>>,
    /// The oldest line of the audit that the store has.
    first_line: Option<Vec<u8>>,
    /// Lines of histories: they are put when their links are there.
    later: Found,
    /// What is to be told.
    told: Vec<AuditEntry>,
    put_back: usize,
    taken: usize,
}

/// What to do about a record.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    /// The store's is right.
    Take,
    /// The store has an earlier value of it, or nothing.
    PutBack,
    /// The store has let it go.
    Drop,
}

impl Core {
    /// Compares a lane, if nobody does.
    pub(super) fn compare(self: &Arc<Self>, lane: Lane) {
        if !self.state(lane).begin_comparing() {
            return;
        }
        let this = Arc::clone(self);
        let work = async move {
            let compared = this.compare_lane(lane).await;
            this.state(lane).end_comparing();
            match compared {
                Ok(()) if this.state(lane).hear(None) => this.work(lane).await,
                Ok(()) => {}
                Err(error) => tracing::debug!(lane, %error, "a lane could not be compared; it will be again"),
            }
        };
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(work));
    }

    async fn compare_lane(&self, lane: Lane) -> Result<()> {
        let state = self.state(lane);
        let began = state.at();
        if began.complete {
            // What is kept in memory may be of the lost history. It is read anew, from the store, from now on.
            self.mirror.upset().await?;
        }
        let closed = |_| Error::Unavailable("the store is closed".into());
        let _one_of_few = self.comparing.acquire().await.map_err(closed)?;
        let told = read::one(&self.conn, &self.lanes, lane).await?;
        self.expect_ours(lane, &told)?;
        let fresh = self.mirror.page(lane, None, 1).await?.is_empty();
        let mut comparison = Comparison { fresh, ..Comparison::default() };
        // A lane that nobody has written to yet has nothing to read.
        let hashes = if fresh && told.mark == Mark::default() { 0 } else { BUCKETS };
        for first in (0..hashes).step_by(usize::try_from(HASHES).unwrap_or(1)) {
            let mut order = state.order.lock().await;
            let which = first..first.saturating_add(HASHES).min(hashes);
            let found = read::hashes(&self.conn.within(READING), &self.lanes, lane, which).await?;
            self.compare_some(lane, &mut order, found, &mut comparison).await?;
        }
        self.compare_rest(lane, &mut comparison).await?;
        // Once more: what was compared must have been this dataset's to the end.
        self.expect_ours(lane, &read::one(&self.conn, &self.lanes, lane).await?)?;
        let mut order = state.order.lock().await;
        let later = std::mem::take(&mut comparison.later);
        self.put_some(lane, &mut order, later).await?;
        let to = Followed { mark: told.mark, complete: true };
        if !self.mirror.put(lane, vec![], state.at(), to).await? {
            return self.reload(lane, &mut order).await;
        }
        state.move_to(to, &mut order);
        drop(order);
        if !comparison.fresh {
            // What was read anew meanwhile may have been put back since, and the mirror had it all along.
            self.mirror.upset().await?;
        }
        self.tell(lane, began, comparison).await
    }

    fn expect_ours(&self, lane: Lane, told: &read::Told) -> Result<()> {
        if self.is_ours(told) {
            return Ok(());
        }
        let why = self.not_ours(lane, told);
        self.set_fence(Some(why.clone()));
        Err(Error::Fenced(why))
    }

    /// Compares records with the mirror's; those that the store does not have come without bytes.
    async fn compare_some(
        &self,
        lane: Lane,
        order: &mut Recent,
        found: Found,
        comparison: &mut Comparison,
    ) -> Result<()> {
        let (mut take, mut back) = (vec![], vec![]);
        for some in chunks(found) {
            let locals = if comparison.fresh {
                some.iter().map(|_| None).collect()
            } else {
                self.mirror.raws(lane, some.iter().map(|(field, _)| field.clone()).collect()).await?
            };
            for ((field, raw), local) in some.into_iter().zip(locals) {
                comparison.see(&field, &raw);
                match (comparison.verdict(&raw, local.as_ref()), local) {
                    (Verdict::Same, _) => {}
                    (Verdict::PutBack, Some(local)) => back.push((field, raw, local)),
                    (Verdict::Drop, _) => take.push((field, vec![])),
                    (_, local) => {
                        if let Some(local) = local {
                            self.note_lost(&local, &raw, comparison).await?;
                        }
                        let when =
                            if field.first() == Some(&b'h') { &mut comparison.later } else { &mut take };
                        when.push((field, raw));
                    }
                }
            }
        }
        comparison.taken += take.len();
        self.put_some(lane, order, take).await?;
        self.put_back(lane, order, back, comparison).await
    }

    /// Looks at what the mirror alone has.
    async fn compare_rest(&self, lane: Lane, comparison: &mut Comparison) -> Result<()> {
        let mut after = None;
        while !comparison.fresh {
            let page = self.mirror.page(lane, after, SOME).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.field.clone());
            let unseen = |raw: &Raw| !comparison.seen.contains(&base_of(&raw.field));
            let fields: Vec<Vec<u8>> = page.into_iter().filter(unseen).map(|raw| raw.field).collect();
            if fields.is_empty() {
                continue;
            }
            let mut order = self.state(lane).order.lock().await;
            // Read again: it may have been written since its hash was read.
            let found = read::records(&self.conn, &self.lanes, lane, fields).await?;
            self.compare_some(lane, &mut order, found, comparison).await?;
        }
        Ok(())
    }

    /// Puts the store's records into the mirror; the lane's mark stays.
    async fn put_some(&self, lane: Lane, order: &mut Recent, found: Found) -> Result<()> {
        for some in chunks(found) {
            self.count(some.len());
            let puts = decoded(some);
            self.fetch_stories(&puts).await?;
            let at = self.state(lane).at();
            if !self.mirror.put(lane, puts, at, at).await? {
                self.reload(lane, order).await?;
                return Err(Error::Unavailable("another process has moved the mirror".into()));
            }
        }
        Ok(())
    }

    /// Puts records back that the store has lost: many at once, or, where somebody is in between, one by one.
    async fn put_back(
        &self,
        lane: Lane,
        order: &mut Recent,
        back: Vec<(Vec<u8>, Vec<u8>, Raw)>,
        comparison: &mut Comparison,
    ) -> Result<()> {
        let restore =
            |(field, raw, local): &(Vec<u8>, Vec<u8>, Raw)| (field.clone(), raw.clone(), local.raw.clone());
        for some in back.chunks(SOME / 10) {
            match self.records.restore(lane, some.iter().map(restore).collect()).await? {
                Restored::Done { .. } => comparison.put_back += some.len(),
                Restored::Conflict => {
                    for one in some {
                        self.put_back_one(lane, order, one.2.clone(), comparison).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn put_back_one(
        &self,
        lane: Lane,
        order: &mut Recent,
        local: Raw,
        comparison: &mut Comparison,
    ) -> Result<()> {
        for _ in 0..LOOKS {
            let found = read::records(&self.conn, &self.lanes, lane, vec![local.field.clone()]).await?;
            let Some((field, raw)) = found.into_iter().next() else { return Ok(()) };
            match comparison.verdict(&raw, Some(&local)) {
                Verdict::Same => return Ok(()),
                Verdict::PutBack => {
                    let write = (field, raw, local.raw.clone());
                    if let Restored::Done { .. } = self.records.restore(lane, vec![write]).await? {
                        comparison.put_back += 1;
                        return Ok(());
                    }
                }
                Verdict::Take | Verdict::Drop => {
                    self.note_lost(&local, &raw, comparison).await?;
                    return self.put_some(lane, order, vec![(field, raw)]).await;
                }
            }
        }
        Err(Error::Unavailable("a record that was lost is changed too often to be put back".into()))
    }

    /// Notes what the store's value of a record, which is right, leaves out of the mirror's.
    async fn note_lost(&self, local: &Raw, raw: &[u8], comparison: &mut Comparison) -> Result<()> {
        let lost = lost::of(local, raw);
        if lost.is_empty() {
            return Ok(());
        }
        comparison.lost_links.insert(local.field.clone());
        for link in lost {
            let last = self.mirror.links().history(&link.code, None, 1).await?.pop();
            comparison.told.push(lost::line(&link, last));
        }
        Ok(())
    }

    /// Writes down what was lost, and says what was done.
    async fn tell(&self, lane: Lane, began: Followed, comparison: Comparison) -> Result<()> {
        let Comparison { taken, put_back, told, .. } = comparison;
        let records = self.count(0);
        if began.complete {
            let lost = told.len();
            tracing::warn!(
                lane,
                taken,
                put_back,
                lost,
                "a lane's history was another; mirror and store agree now"
            );
        } else {
            let lanes = self.states.iter().filter(|state| state.at().complete).count();
            tracing::info!(lanes, of = self.states.len(), records, "the mirror is being filled");
        }
        for entry in told {
            let (name, raw) = (Name::Audit(entry.id), audit::write(&entry)?);
            let write = Write { name, was: Some(vec![]), raw };
            // Another node may have told the same.
            self.records.commit(&mut Tries::default(), vec![write]).await?;
        }
        Ok(())
    }
}

impl Comparison {
    /// The store has this record.
    fn see(&mut self, field: &[u8], raw: &[u8]) {
        if raw.is_empty() {
            return;
        }
        self.seen.insert(base_of(field));
        if field.first() == Some(&b'e') && self.first_line.as_deref().is_none_or(|first| field < first) {
            self.first_line = Some(field.to_vec());
        }
    }

    fn verdict(&self, raw: &[u8], local: Option<&Raw>) -> Verdict {
        let Some(local) = local else {
            return if raw.is_empty() { Verdict::Same } else { Verdict::Take };
        };
        if local.raw == raw {
            return Verdict::Same;
        }
        if !raw.is_empty() {
            let earlier = local.bases.contains(&base_of(raw));
            return if earlier { Verdict::PutBack } else { Verdict::Take };
        }
        match Name::of(&local.field) {
            // A line of an edit that was lost for good, or one that the store has let go because there are newer.
            Ok(Name::History(code, _)) => {
                let link = Name::Links(code.key().into_owned()).field();
                if self.lost_links.contains(&link) { Verdict::Drop } else { Verdict::PutBack }
            }
            Ok(Name::Audit(_)) => {
                let older = self.first_line.as_ref().is_some_and(|first| local.field < *first);
                if older { Verdict::Drop } else { Verdict::PutBack }
            }
            // Nothing else is ever taken out of the store.
            Ok(_) => Verdict::PutBack,
            Err(_) => Verdict::Drop,
        }
    }
}

/// A list in pieces of at most [`SOME`].
fn chunks(mut all: Found) -> impl Iterator<Item = Found> {
    std::iter::from_fn(move || {
        let rest = all.split_off(all.len().min(SOME));
        let some = std::mem::replace(&mut all, rest);
        (!some.is_empty()).then_some(some)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::code::Code;
    use crate::store::mirror::ABSENT;

    fn local(field: &[u8], raw: &[u8], bases: &[&[u8]]) -> Raw {
        let bases = bases.iter().map(|raw| base_of(raw)).collect();
        Raw { field: field.to_vec(), raw: raw.to_vec(), bases }
    }

    #[test]
    fn only_an_earlier_value_is_replaced() {
        let comparison = Comparison::default();
        let link = local(b"la", b"3", &[b"", b"1", b"2"]);
        assert_eq!(link.bases[0], ABSENT);
        for (store, verdict) in [
            (&b"3"[..], Verdict::Same),
            (b"2", Verdict::PutBack),
            (b"1", Verdict::PutBack),
            (b"", Verdict::PutBack),
            (b"4", Verdict::Take),
        ] {
            assert_eq!(comparison.verdict(store, Some(&link)), verdict, "{store:?}");
        }
        assert_eq!(comparison.verdict(b"1", None), Verdict::Take);
    }

    #[test]
    fn lines_go_with_their_links_and_with_time() {
        let line = |version| Name::History(Code::parse("Vote").unwrap(), version).field();
        let mut comparison = Comparison::default();
        let third = local(&line(3), b"x", &[b""]);
        assert_eq!(comparison.verdict(b"", Some(&third)), Verdict::PutBack);
        comparison.lost_links.insert(b"lvote".to_vec());
        assert_eq!(comparison.verdict(b"", Some(&third)), Verdict::Drop);

        let said = |id| local(&Name::Audit(id).field(), b"x", &[b""]);
        assert_eq!(comparison.verdict(b"", Some(&said(5))), Verdict::PutBack);
        comparison.see(&Name::Audit(7).field(), b"y");
        comparison.see(&Name::Audit(9).field(), b"y");
        assert_eq!(comparison.verdict(b"", Some(&said(5))), Verdict::Drop);
        assert_eq!(comparison.verdict(b"", Some(&said(8))), Verdict::PutBack);
    }

    #[test]
    fn a_list_in_pieces() {
        let all: Found = (0..1_001u16).map(|n| (n.to_be_bytes().to_vec(), vec![])).collect();
        let pieces: Vec<usize> = chunks(all).map(|piece| piece.len()).collect();
        assert_eq!(pieces, [500, 500, 1]);
    }
}
