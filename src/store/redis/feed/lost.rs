//! What of a link an edit was that a failover took and nobody can put back.
//!
//! Guarantees that every node that lost the same edit writes the same line, so that it stands in the audit once.
//! Decides by the names of writes that a link remembers, never by time.

use super::follow::decoded;
use crate::domain::link::{HistoryEntry, Link};
use crate::store::accounts::AuditEntry;
use crate::store::mirror::{Kept, Raw, Value, audit_id};

/// Writes whose names a link remembers.
const TAGS: u64 = 8;

/// The mirror's links of a record whose last write the store's record, which has the code now, never saw.
pub(super) fn of(local: &Raw, store: &[u8]) -> Vec<Link> {
    let theirs = links(&local.field, store);
    let lost = |mine: &Kept| {
        let other = theirs.iter().find(|kept| kept.link.code == mine.link.code);
        other.is_none_or(|theirs| is_lost(mine, theirs))
    };
    links(&local.field, &local.raw).into_iter().filter(lost).map(|kept| kept.link).collect()
}

fn links(field: &[u8], raw: &[u8]) -> Vec<Kept> {
    match decoded(vec![(field.to_vec(), raw.to_vec())]).pop().map(|put| put.value) {
        Some(Value::Links(kept)) => kept,
        _ => vec![],
    }
}

fn is_lost(mine: &Kept, theirs: &Kept) -> bool {
    let born = |kept: &Kept| (kept.created_tag, kept.link.created_at, kept.link.created_by.clone());
    if born(mine) != born(theirs) {
        return true;
    }
    match mine.write_tags.last() {
        // It was never edited here.
        None => false,
        Some(last) => {
            // So much later that the store's link no longer remembers all writes since.
            let long_ago = theirs.link.version >= mine.link.version.saturating_add(TAGS);
            !long_ago && !theirs.write_tags.contains(last)
        }
    }
}

/// What the audit says of it. `last` is the last line of the link's history as it was here.
pub(super) fn line(link: &Link, last: Option<HistoryEntry>) -> AuditEntry {
    let (by, action, fields) = match last.filter(|entry| entry.version == link.version) {
        Some(entry) => {
            let fields: Vec<String> = entry.changes.keys().cloned().collect();
            (entry.by, entry.action, fields.join(", "))
        }
        None => (link.created_by.clone(), "changed".into(), String::new()),
    };
    let of = if fields.is_empty() { String::new() } else { format!(" of {fields}") };
    let mut entry = AuditEntry {
        id: 0,
        at: link.updated_at,
        by,
        action: "link.lost".into(),
        object: format!("link:{}", link.code),
        detail: format!("version {} ({action}{of}) was lost by the store, which has another", link.version),
    };
    entry.id = audit_id(&entry);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::tests::link;

    fn kept(version: u64, tags: &[u64]) -> Kept {
        Kept { link: Link { version, ..link("a") }, created_tag: Some(1), write_tags: tags.to_vec() }
    }

    #[test]
    fn an_edit_that_the_store_never_saw_is_lost() {
        assert!(!is_lost(&kept(2, &[5]), &kept(3, &[5, 6])), "it was only later");
        assert!(is_lost(&kept(2, &[5]), &kept(2, &[6])));
        assert!(is_lost(&kept(3, &[5, 7]), &kept(2, &[5])), "it is the last write that counts");
        assert!(!is_lost(&kept(1, &[]), &kept(4, &[7, 8, 9])), "it was never edited here");
        assert!(!is_lost(&kept(2, &[5]), &kept(11, &[6, 7, 8, 9, 10, 11, 12, 13])), "nobody can tell");
        let other = Kept { created_tag: Some(2), ..kept(1, &[]) };
        assert!(is_lost(&kept(1, &[]), &other), "the code is another's");
    }

    #[test]
    fn each_node_writes_the_same_line() {
        let entry = HistoryEntry {
            version: 2,
            at: link("a").updated_at,
            by: "key:b".into(),
            action: "changed".into(),
            changes: [("target".to_owned(), serde_json::Value::Null)].into_iter().collect(),
        };
        let lost = Link { version: 2, ..link("a") };
        let said = line(&lost, Some(entry.clone()));
        assert_eq!(said, line(&lost, Some(entry)));
        assert_eq!((&*said.by, &*said.action, &*said.object), ("key:b", "link.lost", "link:a"));
        assert!(said.detail.contains("version 2 (changed of target)"), "{}", said.detail);
    }
}
