//! Filling a store: links through the batch call, as fast as it takes them.
//!
//! Guarantees: the codes come back in the order of their stories; a batch that is not taken whole ends the work.
//! Refuses to know: how a code is chosen, and what the links are for.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::api::{Api, runtime};
use crate::numbers::count;

/// Links in one call; the contract's limit.
pub(crate) const BATCH: u64 = 1_000;

/// Which links to make.
#[derive(Clone, Debug)]
pub(crate) struct Stories {
    /// `https://HOST/DAY/story-NUMBER`
    pub(crate) prefix: String,
    pub(crate) first: u64,
    pub(crate) amount: u64,
}

impl Stories {
    pub(crate) fn standard(first: u64, amount: u64) -> Self {
        Self { prefix: "https://news.example.com/2026/11/22/story-".to_owned(), first, amount }
    }

    /// The address of one story.
    pub(crate) fn url(&self, number: u64) -> String {
        format!("{}{number:06}", self.prefix)
    }

    fn batches(&self) -> u64 {
        self.amount.div_ceil(BATCH)
    }

    fn body(&self, batch: u64) -> Bytes {
        let from = self.first + batch * BATCH;
        let to = (from + BATCH).min(self.first + self.amount);
        let mut text = String::from("{\"links\":[");
        for number in from..to {
            if number > from {
                text.push(',');
            }
            // Writing into a string cannot fail.
            let _ = write!(text, "{{\"url\":\"{}\"}}", self.url(number));
        }
        text.push_str("]}");
        Bytes::from(text)
    }
}

/// What was made, and how long it took.
pub(crate) struct Made {
    pub(crate) codes: Vec<String>,
    pub(crate) time: Duration,
}

/// Makes the links over so many connections, each with one batch under way.
pub(crate) fn make(api: &Api, stories: &Stories, connections: usize) -> Result<Made> {
    runtime()?.block_on(async {
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for _ in 0..connections.max(1) {
            tasks.spawn(worker(api.another(), stories.clone(), next.clone()));
        }
        let mut batches = Vec::new();
        while let Some(done) = tasks.join_next().await {
            batches.extend(done??);
        }
        let time = start.elapsed();
        batches.sort_by_key(|&(batch, _)| batch);
        let codes: Vec<String> = batches.into_iter().flat_map(|(_, codes)| codes).collect();
        anyhow::ensure!(
            count(codes.len()) == stories.amount,
            "{} links instead of {}",
            codes.len(),
            stories.amount
        );
        Ok(Made { codes, time })
    })
}

async fn worker(api: Api, stories: Stories, next: Arc<AtomicU64>) -> Result<Vec<(u64, Vec<String>)>> {
    let mut made = Vec::new();
    loop {
        let batch = next.fetch_add(1, Ordering::Relaxed);
        if batch >= stories.batches() {
            return Ok(made);
        }
        made.push((batch, api.create(stories.body(batch)).await?));
    }
}
