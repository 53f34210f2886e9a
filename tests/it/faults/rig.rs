//! The way of a hit without HTTP: a real journal, the real applier, the real store, and a book of what was handed in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slugline::clock;
use slugline::domain::calendar::Calendar;
use slugline::domain::hit::{MissedReason, NewHit, Outcome, Signals, Trigger, Visitor};
use slugline::domain::lane::lane_of;
use slugline::domain::tally::{DatasetId, StreamId};
use slugline::hits::applier::Applier;
use slugline::hits::journal::disk::Disk;
use slugline::hits::journal::real::RealDisk;
use slugline::hits::journal::settings::Io;
use slugline::hits::journal::sim::Chance;
use slugline::hits::journal::{Journal, Owner, Settings};
use slugline::hits::retention::Settings as Retention;
use slugline::hits::{self, Hits, Progress};
use slugline::store::cache::Cache;
use slugline::store::{self, Store};
use slugline::units::{Size, Span};
use tempfile::TempDir;

use super::books::{self, Books};
use super::tap::Tap;
use crate::harness::{BROWSER, CURL};

/// Links; none of them is in the store, which is asked for what they are counted under all the same.
const LINKS: u64 = 7;
/// More tries than any plan of faults can use up.
const TRIES: usize = 60;

/// All of it.
pub struct Rig {
    folder: TempDir,
    lanes: u16,
    dataset: DatasetId,
    disk: Arc<dyn Disk>,
    boots: u64,
    pub codes: Vec<String>,
    /// Asked for links, of which it has none; it stays open while the other goes back.
    links: Store,
    store: Store,
    pub tap: Arc<Tap>,
    pub journal: Option<Arc<Journal>>,
    pub applier: Option<Applier>,
    pub progress: Arc<Progress>,
    /// Hits that were stored, by link.
    pub accepted: Vec<u64>,
    /// Hits for which there was no room.
    pub refused: u64,
    pub batch_hits: u64,
    /// Journals run without threads: synced and made ready only when that is asked for.
    pub still: bool,
}

impl Rig {
    /// A new store with a new journal beside it, on a real disk.
    pub async fn new(lanes: u16) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let disk = real_disk(&folder.path().join("journal"));
        Rig::on(folder, disk, lanes).await
    }

    /// The same with its journal on this disk.
    pub async fn on(folder: TempDir, disk: Arc<dyn Disk>, lanes: u16) -> Rig {
        let store = books::open(folder.path(), lanes);
        let dataset = store.tallies.dataset().await.unwrap().id;
        let elsewhere = folder.path().join("links");
        std::fs::create_dir(&elsewhere).unwrap();
        let links = books::open(&elsewhere, lanes);
        let codes: Vec<String> = (0..LINKS).map(|i| format!("Story-{i}")).collect();
        let accepted = vec![0; codes.len()];
        let mut rig = Rig {
            folder,
            lanes,
            dataset,
            disk,
            boots: 0,
            codes,
            tap: Arc::new(Tap::new(Arc::clone(&store.tallies))),
            store,
            links,
            journal: None,
            applier: None,
            progress: Arc::default(),
            accepted,
            refused: 0,
            batch_hits: 40,
            still: false,
        };
        rig.boot();
        rig
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn owner(&self, stream: u64) -> Owner {
        Owner { stream: StreamId(stream), dataset: self.dataset, lanes: self.lanes }
    }

    /// The stream of this boot.
    pub fn stream(&self) -> StreamId {
        StreamId(self.boots)
    }

    /// A journal from here on that knows nothing of the one before it.
    pub fn new_journal(&mut self) {
        (self.applier, self.journal) = (None, None);
        self.disk = real_disk(&self.folder.path().join(format!("journal-{}", self.boots)));
        self.boot();
    }

    /// The process ends without a word and begins anew: a new stream, and nothing known of the store.
    pub fn boot(&mut self) {
        self.boot_at(clock::now_ms());
    }

    /// The same, when the clock showed this.
    pub fn boot_at(&mut self, now_ms: i64) {
        (self.applier, self.journal) = (None, None);
        self.boots += 1;
        let open = if self.still { Journal::open_still } else { Journal::open_on };
        let opened = open(Arc::clone(&self.disk), &settings(), self.owner(self.boots), now_ms);
        self.journal = Some(Arc::new(opened.unwrap()));
        self.progress = Arc::default();
        self.fresh_applier();
    }

    /// An applier that knows nothing yet.
    pub fn fresh_applier(&mut self) {
        let links = Arc::clone(&self.links.links);
        let second = Duration::from_secs(1);
        let cache = Cache::new(Arc::clone(&links), self.lanes, 1 << 20, second, second);
        let settings = hits::Settings {
            apply_interval: Span(Duration::from_millis(10)),
            apply_max_delay: Span(second),
            batch_hits: self.batch_hits,
            watch_for: Span(second),
        };
        let calendar = Calendar::new(&[(0, "UTC".to_owned())]).unwrap();
        let applier = Applier::new(
            Arc::clone(self.journal()),
            Arc::clone(&self.tap) as Arc<dyn store::Tallies>,
            links,
            Arc::new(cache),
            Arc::clone(&self.progress),
            settings,
            calendar,
        );
        let minutes = Span(Duration::from_secs(40 * 86_400));
        self.applier = Some(applier.keeping(Retention { minutes, ..Retention::default() }));
    }

    pub fn journal(&self) -> &Arc<Journal> {
        self.journal.as_ref().unwrap()
    }

    /// Some hits, a few of them missed visits.
    pub fn hits(&mut self, chance: &mut Chance, n: u64) {
        let now_ms = clock::now_ms();
        for _ in 0..n {
            self.hit_at(chance, now_ms);
        }
    }

    /// One hit at this time; true if it is none that missed.
    pub fn hit_at(&mut self, chance: &mut Chance, at_ms: i64) -> bool {
        let link = usize::try_from(chance.below(LINKS).min(chance.below(LINKS))).unwrap();
        let code = self.codes[link].clone();
        let hit = some_hit(chance, &code, self.lanes, at_ms);
        match self.journal().append(&hit).lost {
            true => self.refused += 1,
            false => self.accepted[link] += 1,
        }
        matches!(hit.outcome, Outcome::Followed { .. })
    }

    /// The request's end of the way of a hit.
    pub fn front(&self) -> Hits {
        let (journal, progress) = (Arc::clone(self.journal()), Arc::clone(&self.progress));
        Hits::new(
            journal,
            progress,
            slugline::hits::journal::settings::Sync::Interval,
            Duration::from_secs(1),
        )
    }

    /// One pass; what the store says of it.
    pub async fn pass(&mut self) -> bool {
        self.applier.as_mut().unwrap().pass().await.is_ok_and(|pass| pass.drained)
    }

    /// Counts everything and tidies, again after each failure.
    pub async fn settle(&mut self) {
        for _ in 0..TRIES {
            let applier = self.applier.as_mut().unwrap();
            if applier.settle().await.is_ok() && applier.tidy(clock::now_ms()).await.is_ok() {
                // Tidying looks at everything again.
                if applier.settle().await.is_ok() {
                    return;
                }
            }
        }
        panic!("not settled after {TRIES} tries");
    }

    /// The books as they are.
    pub async fn books(&self) -> Books {
        Books::read(self.tap.inner().as_ref(), &self.codes).await
    }

    /// Fails unless every hit is counted once and the rest is counted as lost.
    pub async fn check(&self, what: &str) -> Books {
        let books = self.books().await;
        assert_eq!(books.counted, self.accepted, "{what}");
        assert_eq!(books.lost(), self.refused, "{what}");
        assert_eq!(books.site.all(), self.accepted.iter().sum::<u64>(), "{what}");
        books
    }

    /// A copy of tallies.db as it is now.
    pub fn snapshot(&self, number: usize) -> PathBuf {
        let path = self.folder.path().join(format!("tallies-{number}.copy"));
        let from = rusqlite::Connection::open(self.folder.path().join("tallies.db")).unwrap();
        from.execute("VACUUM INTO ?", [path.to_str().unwrap()]).unwrap();
        path
    }

    /// Puts a copy of tallies.db back under the store. What an applier knows of it stays as it was.
    pub async fn restore(&mut self, snapshot: &Path) {
        self.store.close().await.unwrap();
        let tallies = self.folder.path().join("tallies.db");
        for suffix in ["-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{suffix}", tallies.display())));
        }
        std::fs::copy(snapshot, tallies).unwrap();
        self.store = books::open(self.folder.path(), 0);
        self.tap.change(Arc::clone(&self.store.tallies));
    }
}

fn real_disk(folder: &Path) -> Arc<dyn Disk> {
    Arc::new(RealDisk::open(folder, Io::Auto).unwrap())
}

/// Small segments, kept.
pub fn settings() -> Settings {
    Settings { segment_bytes: Size(16 << 10), ..Settings::default() }
}

/// A hit on this code, a missed visit once in a while.
pub fn some_hit<'a>(chance: &mut Chance, code: &'a str, lanes: u16, at_ms: i64) -> NewHit<'a> {
    let outcome = match chance.below(10) {
        0 => Outcome::Missed(MissedReason::Expired),
        1 => Outcome::Missed(MissedReason::Retired),
        n => Outcome::Followed { target: u32::try_from(n).unwrap() },
    };
    NewHit {
        outcome,
        trigger: if chance.once_in(4) { Trigger::Qr } else { Trigger::Link },
        signals: Signals { head: chance.once_in(5), prefetch: false },
        user_agent: if chance.once_in(3) { CURL } else { BROWSER }.as_bytes(),
        referrer: b"https://t.co",
        visitor: Visitor { hash: chance.below(5_000), own_key: false },
        ..NewHit::plain(lane_of(&code.to_ascii_lowercase(), lanes), code, at_ms)
    }
}
