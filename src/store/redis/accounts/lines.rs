//! Lines of the audit that are not a link's own.
//!
//! Guarantees that a line is there once however often it is written, and that there are at most 100,000; the oldest
//! go, by number and by age. A line's number follows from its time and from what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::store::accounts::AuditEntry;
use crate::store::mirror::{Mirror, audit_id, first_audit_id};
use crate::store::redis::records::{
    BUCKETS, Committed, Name, Record, Records, Tries, Write, audit, bucket, cut,
};
use crate::store::{Error, Result};

/// Lines kept in all.
const LINES: u32 = 100_000;
/// Lines in one commit.
const AT_ONCE: usize = 50;

/// Adds lines.
pub(super) async fn add(records: &Records, entries: &[AuditEntry]) -> Result<()> {
    for entries in entries.chunks(AT_ONCE) {
        let mut tries = Tries::default();
        loop {
            let tried = try_to_add(records, &mut tries, entries).await;
            if tries.next(tried).await?.is_some() {
                break;
            }
        }
    }
    Ok(())
}

async fn try_to_add(records: &Records, tries: &mut Tries, entries: &[AuditEntry]) -> Result<Option<()>> {
    let writes = writes(records, entries).await?;
    Ok((records.commit(tries, writes).await? == Committed::Done).then_some(()))
}

/// The writes that add these lines, as far as they are not there, and let as many of the oldest go.
pub(in crate::store::redis) async fn writes(
    records: &Records,
    entries: impl IntoIterator<Item = &AuditEntry>,
) -> Result<Vec<Write>> {
    let entries: Vec<AuditEntry> =
        entries.into_iter().map(|entry| AuditEntry { at: cut(entry.at), ..entry.clone() }).collect();
    let names = entries.iter().map(|entry| Name::Audit(audit_id(entry))).collect();
    let mut read: HashMap<Name, Record> =
        records.read(names).await?.into_iter().map(|record| (record.name.clone(), record)).collect();
    let mut news: BTreeMap<u64, Record> = BTreeMap::new();
    let mut raws: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for entry in &entries {
        let raw = audit::write(entry)?;
        let mut id = audit_id(entry);
        loop {
            let name = Name::Audit(id);
            let record = match read.remove(&name) {
                Some(record) => record,
                None if raws.contains_key(&id) => Record { name, raw: vec![] },
                None => records.read_one(name).await?,
            };
            let there = raws.get(&id).unwrap_or(&record.raw);
            if there.is_empty() {
                raws.insert(id, raw);
                news.insert(id, record);
                break;
            }
            if *there == raw {
                break;
            }
            // Another line of the same time and, by chance, the same number.
            id += 1;
        }
    }
    let gone = oldest(records, &raws).await?;
    let kept = news.into_iter().filter(|(id, _)| !gone.contains(id));
    let mut writes: Vec<Write> =
        kept.map(|(id, record)| record.becomes(raws.get(&id).cloned().unwrap_or_default())).collect();
    let there = gone.into_iter().filter(|id| !raws.contains_key(id)).map(Name::Audit);
    writes.extend(there.map(|name| Write { name, was: None, raw: vec![] }));
    Ok(writes)
}

/// Lets lines go that are of before `before`, as far as the mirror has heard of them: what it has not is let go by the
/// next call, or by another node's.
pub(super) async fn forget(records: &Records, mirror: &dyn Mirror, before: Timestamp) -> Result<()> {
    let root = records.lanes().root();
    let end = Name::Audit(first_audit_id(before)).field();
    // Names of lines are in the order of their times.
    let mut after = Name::Audit(0).field();
    loop {
        let page = mirror.page(root, Some(after), AT_ONCE).await?;
        let old: Vec<Vec<u8>> = page.into_iter().map(|raw| raw.field).take_while(|f| *f < end).collect();
        let Some(last) = old.last() else { return Ok(()) };
        after = last.clone();
        // Whatever it says, and whoever else lets it go.
        let gone = |field: &Vec<u8>| Ok(Write { name: Name::of(field)?, was: None, raw: vec![] });
        let writes = old.iter().map(gone).collect::<Result<Vec<Write>>>()?;
        records.commit(&mut Tries::default(), writes).await?;
    }
}

/// The lines that are too many, hash by hash: each keeps its share.
async fn oldest(records: &Records, news: &BTreeMap<u64, Vec<u8>>) -> Result<BTreeSet<u64>> {
    let share = usize::try_from(LINES / BUCKETS).unwrap_or(usize::MAX);
    let mut hashes: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    for id in news.keys() {
        hashes.entry(bucket(&Name::Audit(*id).field())).or_default().insert(*id);
    }
    let asked = hashes.into_values().map(|mut lines| async move {
        let Some(one) = lines.first() else { return Ok(lines) };
        for name in records.beside(&Name::Audit(*one)).await? {
            lines.extend(if let Name::Audit(id) = name { Some(id) } else { None });
        }
        Ok::<_, Error>(lines)
    });
    let mut gone = BTreeSet::new();
    for lines in futures_util::future::try_join_all(asked).await? {
        let over = lines.len().saturating_sub(share);
        gone.extend(lines.into_iter().take(over));
    }
    Ok(gone)
}
