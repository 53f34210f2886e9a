//! Floor 2: what happens now, for those who watch.
//!
//! One task looks at the store each second while anybody watches, so that all nodes' hits are in what it says, and all
//! who watch get the same. Guarantees that nobody who is slow holds up another (they are let go of, and come back), that
//! what is remembered is bounded, and that without viewers nothing is asked. HTTP is unknown here.

mod news;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::domain::calendar::Calendar;
use crate::domain::code::fold;
use crate::domain::link::Found;
use crate::domain::tally::{Counts, Scope, Series};
use crate::hits::Hits;
use crate::store::{self, Links, Tallies};
pub use news::Change;
use news::News;

/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two looks at which links are followed most: that reads all links of the last minutes.
const TOP_EVERY: u64 = 5;
/// For how long other nodes count as fast after they were told that somebody watches, in milliseconds.
const WATCHED_MS: i64 = 15_000;
/// How far back the list of links goes, in seconds.
const TOP_BACK: i64 = 600;
/// Links in it.
const TOP: usize = 10;
/// Changes that are kept for those who come back.
const KEPT: usize = 200;
/// Events that a slow viewer may be behind.
const BEHIND: usize = 64;
/// Minutes that a snapshot shows.
const MINUTES: i64 = 60;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Rises by one with each.
    pub id: u64,
    /// `tick` or `change`.
    pub name: &'static str,
    /// As JSON.
    pub data: String,
}

/// A link among the most followed.
#[derive(Clone, Debug, Serialize)]
pub struct TopLink {
    /// Its code.
    pub code: String,
    /// What a person would call it.
    pub title: String,
    /// Clicks of the last ten minutes.
    pub clicks: u64,
}

#[derive(Serialize)]
struct Tick<'a> {
    at: Timestamp,
    clicks: u64,
    previews: u64,
    bots: u64,
    top: &'a [TopLink],
}

/// Hits of a minute.
#[derive(Clone, Debug, Serialize)]
pub struct Minute {
    /// When it begins.
    pub start: Timestamp,
    /// People's.
    pub clicks: u64,
    /// Of previews.
    pub previews: u64,
    /// Of bots.
    pub bots: u64,
}

/// How it is at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Which.
    pub at: Timestamp,
    /// Since midnight.
    pub today: Today,
    /// The last hour's minutes, this one last.
    pub minutes: Vec<Minute>,
    /// The links that are followed most.
    pub top: Vec<TopLink>,
}

/// Hits since midnight in the newsroom's zone.
#[derive(Clone, Debug, Serialize)]
pub struct Today {
    /// People's.
    pub clicks: u64,
    /// Different readers, an estimate.
    pub uniques: u64,
    /// Of previews.
    pub previews: u64,
    /// Of bots.
    pub bots: u64,
}

/// What those who watch share.
pub struct Live {
    links: Arc<dyn Links>,
    tallies: Arc<dyn Tallies>,
    hits: Arc<Hits>,
    calendar: Calendar,
    events: broadcast::Sender<Arc<Event>>,
    changes: Mutex<Kept>,
    viewers: AtomicUsize,
    come: Notify,
}

#[derive(Default)]
struct Kept {
    last_id: u64,
    changes: VecDeque<Arc<Event>>,
}

/// One who watches; lets go when dropped.
pub struct Viewer {
    live: Arc<Live>,
    events: broadcast::Receiver<Arc<Event>>,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.live.viewers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Viewer {
    /// The next event; None for one who was too slow to get them all, and when no more come.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        self.events.recv().await.ok()
    }
}

impl Live {
    /// Over an open store.
    #[must_use]
    pub fn new(
        links: Arc<dyn Links>,
        tallies: Arc<dyn Tallies>,
        hits: Arc<Hits>,
        calendar: Calendar,
    ) -> Live {
        let (events, _) = broadcast::channel(BEHIND);
        let (changes, viewers, come) = (Mutex::default(), AtomicUsize::new(0), Notify::new());
        Live { links, tallies, hits, calendar, events, changes, viewers, come }
    }

    /// Begins to watch; None if there are `most` viewers already.
    pub fn watch(this: &Arc<Live>, most: usize) -> Option<Viewer> {
        let before = this.viewers.fetch_add(1, Ordering::AcqRel);
        let viewer = Viewer { live: Arc::clone(this), events: this.events.subscribe() };
        this.come.notify_one();
        (before < most).then_some(viewer)
    }

    /// The changes after the event with this id, as far as they are kept.
    #[must_use]
    pub fn since(&self, id: u64) -> Vec<Arc<Event>> {
        let kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.changes.iter().filter(|event| event.id > id).cloned().collect()
    }

    /// The last event's id.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).last_id
    }

    fn tell(&self, name: &'static str, data: &impl Serialize) {
        // What has only names, numbers and times can always be written.
        let Ok(data) = serde_json::to_string(data) else { return };
        let event = {
            let mut kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            kept.last_id += 1;
            let event = Arc::new(Event { id: kept.last_id, name, data });
            if name == "change" {
                if kept.changes.len() >= KEPT {
                    kept.changes.pop_front();
                }
                kept.changes.push_back(Arc::clone(&event));
            }
            event
        };
        // Nobody may watch any more.
        let _ = self.events.send(event);
    }

    /// What one who comes sees first, as JSON.
    ///
    /// # Errors
    /// The store's.
    pub async fn snapshot(&self, now: Timestamp) -> store::Result<String> {
        let snapshot = self.now(now).await?;
        serde_json::to_string(&snapshot).map_err(|e| store::Error::Corrupt(format!("a snapshot: {e}")))
    }

    /// How it is at this moment.
    ///
    /// # Errors
    /// The store's.
    pub async fn now(&self, now: Timestamp) -> store::Result<Snapshot> {
        self.hits.watch();
        let day = i64::from(self.calendar.day(now));
        let of_today = self.tallies.rows(&Scope::Site, Series::Day, day, day + 1).await?;
        let today: Counts = of_today.iter().map(|row| row.counts).sum();
        let minute = now.as_second() - now.as_second().rem_euclid(60);
        let first = minute - 60 * (MINUTES - 1);
        let rows = self.tallies.rows(&Scope::Site, Series::Minute, first, minute + 60).await?;
        let minutes = (0..MINUTES).map(|n| {
            let start = first + 60 * n;
            let counts: Counts = rows.iter().filter(|row| row.bucket == start).map(|row| row.counts).sum();
            let start = Timestamp::from_second(start).unwrap_or(now);
            Minute { start, clicks: counts.clicks, previews: counts.previews, bots: counts.bots }
        });
        Ok(Snapshot {
            at: now,
            today: Today {
                clicks: today.clicks,
                uniques: today.uniques,
                previews: today.previews,
                bots: today.bots,
            },
            minutes: minutes.collect(),
            top: self.top(now).await?,
        })
    }

    /// The links with the most clicks in the last minutes.
    async fn top(&self, now: Timestamp) -> store::Result<Vec<TopLink>> {
        let to = now.as_second();
        let mut busy = self.tallies.links_by_minute(to - TOP_BACK, to + 60).await?;
        busy.retain(|(_, counts)| counts.clicks > 0);
        busy.sort_by(|a, b| b.1.clicks.cmp(&a.1.clicks).then_with(|| a.0.cmp(&b.0)));
        busy.truncate(TOP);
        let keys: Vec<String> = busy.iter().map(|(code, _)| fold(code).into_owned()).collect();
        let found = self.links.find_many(&keys).await?;
        let title = |code: &str| {
            found
                .iter()
                .find(|f| f.link.code.as_str() == code)
                .map_or_else(|| code.to_owned(), |f| title_of(f, now))
        };
        Ok(busy
            .into_iter()
            .map(|(code, counts)| TopLink { title: title(&code), clicks: counts.clicks, code })
            .collect())
    }

    /// Tells what happens until `stop`, while anybody watches.
    pub async fn run(self: Arc<Live>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if self.viewers.load(Ordering::Acquire) == 0 {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.come.notified() => continue,
                }
            }
            self.show(&stop).await;
        }
    }

    /// Ticks as long as there are viewers.
    async fn show(&self, stop: &CancellationToken) {
        let mut news = News::new();
        let (mut top, mut before): (Vec<TopLink>, Option<Counts>) = (vec![], None);
        let mut ticks = tokio::time::interval(TICK);
        // After a store that was slow: one tick, not all that were missed.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for n in 0_u64.. {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if self.viewers.load(Ordering::Acquire) == 0 {
                return;
            }
            let now = clock::now();
            self.hits.watch();
            if n.is_multiple_of(TOP_EVERY) {
                let until_ms = now.as_millisecond() + WATCHED_MS;
                if let Err(error) = self.tallies.share_watch(until_ms).await {
                    tracing::debug!(%error, "other nodes are not told that somebody watches");
                }
                match self.look(&mut news, now).await {
                    Ok(links) => top = links,
                    Err(error) => tracing::debug!(%error, "the live board shows the links it knows"),
                }
            }
            let total = self.tallies.totals(&[Scope::Site]).await.ok().and_then(|all| all.first().copied());
            // A store that is away has no ticks: they go on from where they were.
            if let Some(total) = total {
                let more = before.map_or_else(Counts::default, |before| total.less(&before));
                before = Some(total);
                let Counts { clicks, previews, bots, .. } = more;
                self.tell("tick", &Tick { at: now, clicks, previews, bots, top: &top });
            }
        }
    }

    /// The most followed links, and what there is to tell of links.
    async fn look(&self, news: &mut News, now: Timestamp) -> store::Result<Vec<TopLink>> {
        for change in news.links(&*self.links, now).await? {
            self.tell("change", &change);
        }
        let top = self.top(now).await?;
        for change in news.numbers(&*self.tallies, &top, self.calendar.day(now), now).await? {
            self.tell("change", &change);
        }
        Ok(top)
    }
}

/// What a person would call a link; while that is for few eyes, its code.
#[must_use]
pub fn title_of(found: &Found, now: Timestamp) -> String {
    if found.link.is_secret(now) {
        return found.link.code.as_str().to_owned();
    }
    let article = found.article.as_deref().and_then(|article| article.facts.title.as_deref());
    let title = found.link.title.as_deref().or(article).or(found.link.target.as_deref());
    title.unwrap_or(found.link.code.as_str()).to_owned()
}
