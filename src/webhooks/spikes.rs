//! Looks for spikes while a webhook wants to be told of them, on the one node that holds the lease.
//!
//! What a spike is, is the rule that the live board has too.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::WebhookService;
use super::message::{Message, SPIKE, of_spike};
use crate::clock;
use crate::domain::code::fold;
use crate::domain::spike;
use crate::domain::tally::{Scope, Series};
use crate::store::{self, Links, Tallies};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(15);
/// Links that are looked at closely, the most followed ones.
const MOST: usize = 50;
/// Messages that are remembered; with more all are forgotten.
const REMEMBERED: usize = 10_000;

/// What looks.
pub struct Spikes {
    /// Who is told.
    pub service: Arc<WebhookService>,
    /// Whose clicks.
    pub links: Arc<dyn Links>,
    /// How many.
    pub tallies: Arc<dyn Tallies>,
    /// True while this node is the one that looks.
    pub held: watch::Receiver<bool>,
}

impl Spikes {
    /// Looks until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut told = HashSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            if !*self.held.borrow() || !self.service.is_wanted(SPIKE) {
                continue;
            }
            if let Err(error) = self.look(&mut told, clock::now()).await {
                tracing::debug!(%error, "spikes are looked for later");
            }
        }
    }

    /// `told` has the messages of the last looks: their deliveries may be forgotten before the spike is over.
    async fn look(&self, told: &mut HashSet<String>, now: Timestamp) -> store::Result<()> {
        let to = now.as_second();
        let mut busy = self.tallies.links_by_minute(to - spike::WINDOW_S, to + 60).await?;
        busy.retain(|(_, counts)| counts.clicks >= spike::LEAST);
        busy.sort_by(|a, b| b.1.clicks.cmp(&a.1.clicks).then_with(|| a.0.cmp(&b.0)));
        busy.truncate(MOST);
        let mut messages = vec![];
        for (code, _) in busy {
            let scope = Scope::Link(code.as_str().into());
            let rows = self.tallies.rows(&scope, Series::Minute, spike::since(to), to + 60).await?;
            let Some(clicks) = spike::of(rows.iter().map(|row| (row.bucket, row.counts.clicks)), to) else {
                continue;
            };
            let found = self.links.find(&fold(&code)).await?;
            let found = found.iter().find(|found| found.link.code.as_str() == code);
            messages.extend(found.map(|found| of_spike(found, clicks, &self.service.needs.public_url, now)));
        }
        if told.len() > REMEMBERED {
            told.clear();
        }
        messages.retain(|message: &Message| told.insert(message.id.clone()));
        self.service.tell(messages).await;
        Ok(())
    }
}
