//! Following a lane: change by change, as long as its history is the one that is known.
//!
//! Guarantees that the mirror goes from one version to a later one of the same history only, and that what it takes
//! for a version is never older than it. Where the history is another, [`super::heal`] compares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Core;
use super::lane::Recent;
use super::read::{self, Entry, Message};
use crate::domain::article::ArticleId;
use crate::domain::lane::Lane;
use crate::store::mirror::{Followed, Mark, Put, Value};
use crate::store::redis::records::{Name, Written, decode};
use crate::store::{Error, Result};

/// What came of a look at a lane.
enum Looked {
    /// The mirror has all of it.
    InStep,
    /// Its history is not the one that was followed.
    Other,
}

impl Core {
    /// Takes what was heard of a lane.
    pub(super) async fn work(self: Arc<Self>, lane: Lane) {
        let state = self.state(lane);
        let worked = async {
            let mut order = state.order.lock().await;
            let (heard, look) = state.take_heard();
            if self.gate().is_err() {
                return Ok(());
            }
            if !state.is_followed() {
                let fields = heard.into_iter().flat_map(|message| message.entry.fields).collect();
                self.refresh(lane, fields).await?;
                drop(order);
                self.compare(lane);
                return Ok(());
            }
            if self.hear(lane, &mut order, heard).await? && !look {
                return Ok(());
            }
            match self.catch_up(lane, &mut order).await? {
                Looked::InStep => {}
                Looked::Other => {
                    drop(order);
                    self.compare(lane);
                }
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = worked.await {
            tracing::debug!(lane, %error, "a lane could not be followed; the next poll looks at it again");
        }
    }

    /// Follows messages. True if they were all that happened.
    async fn hear(&self, lane: Lane, order: &mut Recent, mut heard: Vec<Message>) -> Result<bool> {
        heard.sort_by_key(|message| message.entry.mark.version);
        let mut at = self.state(lane).at().mark;
        let mut fields = BTreeSet::new();
        let mut whole = true;
        for message in heard {
            let mark = message.entry.mark;
            if at == (Mark { version: mark.version.wrapping_sub(1), tag: message.before }) {
                at = mark;
                fields.extend(message.entry.fields);
            } else if mark != at && !order.has(mark) {
                whole = false;
            }
        }
        let moved = at == self.state(lane).at().mark || self.take(lane, order, fields, at).await?;
        Ok(whole && moved)
    }

    /// Follows the lane's own list of changes to its end.
    async fn catch_up(&self, lane: Lane, order: &mut Recent) -> Result<Looked> {
        loop {
            let (asked, at) = (self.now(), self.state(lane).at());
            let (told, mut entries) = read::changes(&self.conn, &self.lanes, lane, at.mark.version).await?;
            if !self.is_ours(&told) {
                let why = self.not_ours(lane, &told);
                self.set_fence(Some(why.clone()));
                return Err(Error::Fenced(why));
            }
            if told.mark == at.mark {
                self.stepped(lane, asked);
                return Ok(Looked::InStep);
            }
            if !continues(at.mark, &mut entries) {
                return Ok(Looked::Other);
            }
            let Some(last) = entries.last().map(|entry| entry.mark) else { return Ok(Looked::Other) };
            let fields = entries.into_iter().flat_map(|entry| entry.fields).collect();
            self.take(lane, order, fields, last).await?;
        }
    }

    /// Reads records as they are now and moves the mirror to `to` with them. False if another process has moved it:
    /// then it is where that one left it.
    async fn take(
        &self,
        lane: Lane,
        order: &mut Recent,
        fields: BTreeSet<Vec<u8>>,
        to: Mark,
    ) -> Result<bool> {
        let puts = self.fetch(lane, fields).await?;
        self.put(lane, order, puts, &[to]).await
    }

    /// Puts records and moves the mirror through `marks` with them.
    async fn put(&self, lane: Lane, order: &mut Recent, puts: Vec<Put>, marks: &[Mark]) -> Result<bool> {
        let Some((last, through)) = marks.split_last() else { return Ok(true) };
        let state = self.state(lane);
        let to = Followed { mark: *last, complete: true };
        if self.mirror.put(lane, puts, state.at(), to).await? {
            through.iter().for_each(|mark| order.add(*mark));
            state.move_to(to, order);
            return Ok(true);
        }
        self.reload(lane, order).await?;
        Ok(false)
    }

    /// Takes the place that another process gave the lane.
    pub(super) async fn reload(&self, lane: Lane, order: &mut Recent) -> Result<()> {
        let all = self.mirror.followed().await?;
        self.state(lane).move_to(all.get(usize::from(lane)).copied().unwrap_or_default(), order);
        Ok(())
    }

    /// Reads records as they are now and puts them; the lane's mark stays where it is.
    pub(super) async fn refresh(&self, lane: Lane, fields: BTreeSet<Vec<u8>>) -> Result<()> {
        if fields.is_empty() {
            return Ok(());
        }
        let puts = self.fetch(lane, fields).await?;
        self.mirror.put_ahead(lane, puts).await
    }

    /// Reads records as they are now, and the stories they refer to that the mirror does not have.
    async fn fetch(&self, lane: Lane, fields: BTreeSet<Vec<u8>>) -> Result<Vec<Put>> {
        let found = read::records(&self.conn, &self.lanes, lane, fields.into_iter().collect()).await?;
        let puts = decoded(found);
        self.fetch_stories(&puts).await?;
        Ok(puts)
    }

    /// Puts the stories that these links are about, where the mirror does not have them: their own lanes may not have
    /// been read yet.
    pub(super) async fn fetch_stories(&self, puts: &[Put]) -> Result<()> {
        let (mut wanted, mut here) = (BTreeSet::new(), BTreeSet::new());
        for put in puts {
            match &put.value {
                Value::Links(kept) => wanted.extend(kept.iter().filter_map(|kept| kept.link.article.clone())),
                Value::Article { article, .. } => drop(here.insert(article.id.clone())),
                _ => {}
            }
        }
        let wanted: Vec<ArticleId> = wanted.difference(&here).cloned().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut by_home: BTreeMap<Lane, Vec<Vec<u8>>> = BTreeMap::new();
        for id in self.mirror.missing(wanted).await? {
            let name = Name::Article(id);
            by_home.entry(name.lane(&self.lanes)).or_default().push(name.field());
        }
        for (home, fields) in by_home {
            let found = read::records(&self.conn, &self.lanes, home, fields).await?;
            let there = found.into_iter().filter(|(_, raw)| !raw.is_empty()).collect();
            self.mirror.put_missing(home, decoded(there)).await?;
        }
        Ok(())
    }

    /// Takes in a commit of this node. Its caller waits for it.
    pub(super) async fn wrote(&self, lane: Lane, written: Written) {
        let (state, written) = (self.state(lane), Arc::new(written));
        state.did(Arc::clone(&written));
        let mut order = state.order.lock().await;
        if let Err(error) = self.take_own(lane, &mut order, &written).await {
            // It stands in the store, and the poll finds it there.
            tracing::warn!(lane, %error, "an own write is not in the mirror yet");
        }
    }

    /// Puts an own commit, with those own ones that come before and after it.
    async fn take_own(&self, lane: Lane, order: &mut Recent, written: &Written) -> Result<()> {
        let (state, to) = (self.state(lane), written.mark());
        loop {
            let at = state.at().mark;
            if at == to || order.has(to) {
                return Ok(());
            }
            if !state.is_followed() {
                return self.mirror.put_ahead(lane, state.still_of(written)).await;
            }
            if at.version >= to.version {
                // It is past it, by another history or by another process.
                return self.catch_up_or_suspect(lane, order).await;
            }
            let chain = state.own_after(at);
            if chain.marks.is_empty() {
                // What comes between is told by whoever wrote it. First of all this is safe here: the store may be
                // lost now.
                return self.mirror.put_ahead(lane, state.still_of(written)).await;
            }
            // Where another process has moved it, it goes on from there.
            self.put(lane, order, chain.puts, &chain.marks).await?;
        }
    }

    /// Takes in records that an earlier commit of this node turned out to have written.
    pub(super) async fn saw(&self, lane: Lane, puts: Vec<Put>) {
        let mut order = self.state(lane).order.lock().await;
        let took = async {
            if self.state(lane).is_followed() {
                return self.catch_up_or_suspect(lane, &mut order).await;
            }
            self.refresh(lane, puts.into_iter().map(|put| put.field).collect()).await
        };
        if let Err(error) = took.await {
            tracing::warn!(lane, %error, "an own write is not in the mirror yet");
        }
    }

    /// Follows a lane to its end; if its history is another, the next look at all lanes compares it, soon.
    async fn catch_up_or_suspect(&self, lane: Lane, order: &mut Recent) -> Result<()> {
        if let Looked::Other = self.catch_up(lane, order).await? {
            self.look.notify_one();
        }
        Ok(())
    }
}

/// What records mean. One that cannot be read (a newer program's) is left out, and said.
pub(super) fn decoded(found: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Put> {
    let mut puts = vec![];
    for (field, raw) in found {
        match decode(field, raw, None) {
            Ok(put) => puts.push(put),
            Err(error) => tracing::error!(%error, "a record cannot be read; the mirror goes without it"),
        }
    }
    puts
}

/// True if a lane's changes go on where `at` is; then those after it are left in `entries`.
fn continues(at: Mark, entries: &mut Vec<Entry>) -> bool {
    if at.version > 0 {
        if entries.first().is_none_or(|entry| entry.mark != at) {
            return false;
        }
        entries.remove(0);
    }
    let mut version = at.version;
    // A lane that was new may have had more changes than its list holds.
    entries.iter().all(|entry| {
        version += 1;
        entry.mark.version == version
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_goes_on_only_where_it_was() {
        let mark = |version, tag| Mark { version, tag };
        let entries = |marks: &[(u64, u64)]| -> Vec<Entry> {
            marks.iter().map(|(v, t)| Entry { mark: mark(*v, *t), fields: vec![] }).collect()
        };
        let after = |at, marks: &[(u64, u64)]| {
            let mut entries = entries(marks);
            continues(at, &mut entries)
                .then(|| entries.into_iter().map(|e| e.mark.version).collect::<Vec<_>>())
        };
        assert_eq!(after(mark(2, 7), &[(2, 7), (3, 8), (4, 9)]), Some(vec![3, 4]));
        assert_eq!(after(mark(2, 7), &[(2, 7)]), Some(vec![]));
        assert_eq!(after(mark(2, 7), &[(2, 6), (3, 8)]), None, "the same number, another history");
        assert_eq!(after(mark(2, 7), &[(3, 8)]), None, "it does not reach back so far");
        assert_eq!(after(mark(2, 7), &[]), None, "the store went back");
        assert_eq!(after(mark(0, 0), &[(1, 5), (2, 6)]), Some(vec![1, 2]));
        assert_eq!(after(mark(0, 0), &[(900, 5)]), None);
    }
}
