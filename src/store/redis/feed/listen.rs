//! Hearing of changes: by messages at once, by asking all lanes each second.
//!
//! Guarantees that a lost message costs a second and nothing else, and that a store which is not the known one is
//! fenced before anything of it is taken. Knows nothing of records.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Core;
use super::read::{self, Told};
use crate::domain::lane::Lane;
use crate::store::Result;
use crate::store::redis::aof;

/// Between two questions to all lanes, and how much it varies, so that nodes do not ask in step.
const POLL: Duration = Duration::from_millis(950);
const SPREAD: Duration = Duration::from_millis(100);
/// The same while the store does not answer: a call to one that is known to be away costs nothing.
const POLL_AWAY: Duration = Duration::from_millis(200);

impl Core {
    /// Asks all lanes how far they are, for ever.
    pub(super) async fn poll(self: Arc<Self>) {
        loop {
            let asked = self.ask().await;
            if asked.is_err() {
                self.reconnected.store(true, Ordering::Release);
            } else if self.gate().is_ok()
                && self.reconnected.swap(false, Ordering::AcqRel)
                && let Err(error) = aof::renew(&self.conn).await
            {
                tracing::debug!(%error, "append-only files could not be looked at; they will be again");
                self.reconnected.store(true, Ordering::Release);
            }
            let wait = if asked.is_ok() { POLL + spread() } else { POLL_AWAY };
            self.away.set(asked.err().map(|error| error.to_string()));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.look.notified() => {}
            }
        }
    }

    /// Asks all lanes once.
    async fn ask(self: &Arc<Self>) -> Result<()> {
        let asked = self.now();
        let told = read::all(&self.conn, &self.lanes).await?;
        let wrong = self.lanes.all().zip(&told).find(|(_, told)| !self.is_ours(told));
        self.set_fence(wrong.map(|(lane, told)| self.not_ours(lane, told)));
        if self.gate().is_err() {
            return Ok(());
        }
        // The root lane first: a node that starts waits for its keys.
        for (lane, told) in self.lanes.all().zip(told).rev() {
            let state = self.state(lane);
            if state.is_followed() && state.at().mark == told.mark {
                self.stepped(lane, asked);
            } else if state.hear(None) {
                self.look_at(lane);
            }
        }
        Ok(())
    }

    /// Takes messages, for ever.
    pub(super) async fn listen(self: Arc<Self>) {
        loop {
            let mut messages = match self.conn.subscribe(&self.lanes.changes()).await {
                Ok(messages) => messages,
                Err(error) => {
                    tracing::error!(%error, "changes are not listened to; they are asked for each second");
                    return;
                }
            };
            while let Some(message) = messages.recv().await {
                // Nothing: some may have been missed.
                let Some(bytes) = message else {
                    self.reconnected.store(true, Ordering::Release);
                    self.look.notify_one();
                    continue;
                };
                match read::message(&bytes) {
                    Ok(message) if self.lanes.all().contains(&message.lane) => {
                        let lane = message.lane;
                        // Who wrote it here tells of it, and knows what.
                        if self.state(lane).is_under_way(message.entry.mark.tag) {
                            continue;
                        }
                        if self.state(lane).hear(Some(message)) {
                            self.look_at(lane);
                        }
                    }
                    Ok(message) => tracing::warn!(lane = message.lane, "a message is about no lane"),
                    Err(error) => tracing::warn!(%error, "a message cannot be read"),
                }
            }
            // The connection's task has ended: the store is being closed.
            tokio::time::sleep(POLL).await;
        }
    }

    /// Nobody tells of this commit any more. If nobody has, its message may have been passed over.
    pub(super) fn over(self: &Arc<Self>, lane: Lane, tag: u64, told: bool) {
        let state = self.state(lane);
        state.over(tag);
        if !told && state.hear(None) {
            self.look_at(lane);
        }
    }

    /// Lets somebody take what was heard of a lane.
    fn look_at(self: &Arc<Self>, lane: Lane) {
        let work = self.stop.clone().run_until_cancelled_owned(Arc::clone(self).work(lane));
        self.tasks.spawn(work);
    }

    /// True if a lane is of the dataset that this node knows.
    pub(super) fn is_ours(&self, told: &Told) -> bool {
        told.id.as_ref().is_some_and(|id| *id == self.lanes.dataset().to_string())
    }

    /// Why a lane is fenced.
    pub(super) fn not_ours(&self, lane: Lane, told: &Told) -> String {
        let is = match &told.id {
            Some(id) => format!("of dataset {id}"),
            None => "gone".into(),
        };
        format!("the store was dataset {}, and its lane {lane} is {is}", self.lanes.dataset())
    }
}

fn spread() -> Duration {
    let mut random = [0];
    // Without random numbers all nodes wait as long; that is all.
    let _ = getrandom::fill(&mut random);
    SPREAD * u32::from(random[0]) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_do_not_ask_in_step() {
        assert!((0..100).all(|_| spread() < SPREAD));
    }
}
