//! Each kind of disagreement is planted and found, and nothing else is; and a small house (store, journal,
//! applier in one folder) that tests of moved data use too.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::*;
use crate::clock;
use crate::domain::article::ArticleFacts;
use crate::domain::calendar::Calendar;
use crate::domain::hit::{Country, MissedReason, NewHit, Outcome, Signals, Trigger, Visitor};
use crate::domain::lane::lane_of;
use crate::domain::link::Link;
use crate::domain::tally::StreamId;
use crate::hits::applier::Applier;
use crate::hits::classify::Additions;
use crate::hits::journal::{Journal, Owner};
use crate::store::cache::Cache;
use crate::store::conformance::{Random, ask, at, blank, choose, claim, created};
use crate::store::links::NewLink;
use crate::store::settings::{Kind, Settings};
use crate::units::{Size, Span};

pub(crate) const LANES: u16 = 2;
pub(crate) const CODES: [&str; 6] = ["kx7dw4m", "b4tqz9n", "r6hmc2v", "Night", "pnx22kd", "w9fgz3q"];
const AGENTS: [&str; 4] = ["Mozilla/5.0 (X11) Firefox/145.0", "curl/8", "WhatsApp/2", "Googlebot/2.1"];

/// A newsroom in a folder.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) journal: Arc<Journal>,
    pub(crate) applier: Applier,
    random: Random,
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn open_store(dir: &Path, zone: &str) -> Store {
    let settings = Settings {
        kind: Kind::Sqlite,
        lanes: LANES,
        readers: 2,
        page_cache: Size(2 << 20),
        redis: Default::default(),
    };
    crate::store::sqlite::open(dir, &settings, at(0), zone).unwrap().store
}

pub(crate) fn silent(_: u64, _: Option<u64>) {}

fn journal_settings() -> journal::Settings {
    journal::Settings {
        segment_bytes: Size(64 << 10),
        retain_age: Span(Duration::ZERO),
        retain_bytes: Size(0),
        ..journal::Settings::default()
    }
}

impl House {
    /// Opens the store and a new stream of the journal in a folder.
    pub(crate) async fn open(dir: &Path, stream: u64) -> House {
        let store = open_store(dir, "Europe/Vienna");
        let dataset = store.tallies.dataset().await.unwrap();
        let owner = Owner { stream: StreamId(stream), dataset: dataset.id, lanes: dataset.lanes };
        let folder = dir.join("journal");
        let journal = Journal::open(&folder, &journal_settings(), owner, clock::now_ms()).unwrap();
        let journal = Arc::new(journal);
        let second = Duration::from_secs(1);
        let cache = Arc::new(Cache::new(Arc::clone(&store.links), dataset.lanes, 1 << 20, second, second));
        let settings = crate::hits::Settings {
            apply_interval: Span(second),
            apply_max_delay: Span(second),
            batch_hits: 1_000,
            watch_for: Span(second),
        };
        let applier = Applier::new(
            Arc::clone(&journal),
            Arc::clone(&store.tallies),
            Arc::clone(&store.links),
            cache,
            Arc::default(),
            settings,
            Calendar::new(&dataset.zones).unwrap(),
        );
        House { store, journal, applier, random: Random(stream) }
    }

    /// Makes links of all kinds.
    pub(crate) async fn furnish(&self) {
        for (i, code) in (0_u64..).zip(CODES) {
            let path = format!("story-{}", i / 2);
            let facts = ArticleFacts {
                title: Some(format!("Story {}: \"räume\"", i / 2)),
                section: (i < 4).then(|| "World: news".into()),
                authors: vec!["A. Writer".into(), "B. Writer".into()],
                ..ArticleFacts::default()
            };
            let link = Link {
                channel: (i % 2 == 0).then(|| "x".into()),
                tags: vec!["eu".into()],
                note: Some("a\nb".into()),
                ..blank(Some(crate::store::conformance::url(&path)), at(7))
            };
            let article = Some(crate::store::links::ArticleClaim {
                cms_id: Some(format!("cms-{i}")),
                facts,
                ..claim(&path)
            });
            created(&self.store, NewLink { link, article, ..choose(i, &path, code) }).await;
        }
        created(&self.store, NewLink { article: None, link: blank(None, at(8)), ..choose(90, "", "held") })
            .await;
        created(&self.store, ask(91, "other", &["zz7dw4m"])).await;
    }

    /// Journals `n` hits and missed visits of any kind, `ago_ms` before now.
    pub(crate) fn hit(&mut self, n: u64, ago_ms: i64) {
        append(&self.journal, &mut self.random, n, ago_ms);
    }

    /// Lets go of all segments whose hits are counted.
    pub(crate) async fn release(&self) {
        let stream = self.journal.stream();
        let durable = self.store.tallies.durable_stream(stream).await.unwrap().ordinals;
        let known = |asked: StreamId| (asked == stream).then(|| durable.clone());
        self.journal.release(&known, clock::now_ms()).unwrap();
    }

    pub(crate) async fn close(self) {
        self.journal.close(clock::now_ms()).unwrap();
        self.store.close().await.unwrap();
    }
}

/// Journals `n` hits and missed visits of any kind, `ago_ms` before now.
pub(crate) fn append(journal: &Journal, random: &mut Random, n: u64, ago_ms: i64) {
    for _ in 0..n {
        let code = *random.pick(&CODES);
        let missed = random.below(9) == 0;
        journal.append(&NewHit {
            outcome: match missed {
                true => Outcome::Missed(MissedReason::Expired),
                false => Outcome::Followed { target: 1 },
            },
            trigger: if random.below(3) == 0 { Trigger::Qr } else { Trigger::Link },
            signals: Signals { head: random.below(9) == 0, prefetch: false },
            visitor: Visitor { hash: random.below(1_000), own_key: random.below(50) == 0 },
            country: Country(*random.pick(&[*b"AT", *b"DE", [0, 0]])),
            user_agent: random.pick(&AGENTS).as_bytes(),
            ..NewHit::plain(lane_of(&code.to_lowercase(), LANES), code, clock::now_ms() - ago_ms)
        });
    }
}

/// A house in which hits are journalled and counted in a thread of its own, as many turns as it is told, until it
/// is asked back or dropped: a test that fails must not leave it running.
pub(crate) struct Busy {
    turns: mpsc::Sender<u64>,
    house: tokio::task::JoinHandle<House>,
}

impl Busy {
    /// With `releasing`, segments go as soon as they may.
    pub(crate) fn with(mut house: House, releasing: bool) -> Busy {
        let (turns, told) = mpsc::channel();
        let house = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Handle::current();
            for turn in told.iter().flat_map(|turns| 1..=turns) {
                house.hit(200, 0);
                if turn % 3 > 0 {
                    runtime.block_on(house.applier.pass()).unwrap();
                }
                if releasing && turn % 5 == 0 {
                    runtime.block_on(house.release());
                }
            }
            house
        });
        Busy { turns, house }
    }

    /// Lets it go on for so many turns of 200 hits, and does not wait for them.
    pub(crate) fn go(&self, turns: u64) {
        self.turns.send(turns).unwrap();
    }

    pub(crate) async fn stop(self) -> House {
        drop(self.turns);
        self.house.await.unwrap()
    }
}

pub(crate) async fn verified(store: &Store, dir: &Path) -> Report {
    let folder = dir.join("journal");
    let tables = Arc::new(Tables::new(&Additions::default()).unwrap());
    let kept = Kept { folder: &folder, tables };
    verify(store, Some(&kept), &silent, clock::now()).await.unwrap()
}

#[test]
fn numbers_that_add_up() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let mut house = House::open(dir.path(), 1).await;
        house.furnish().await;
        assert!(verified(&house.store, dir.path()).await.holds(), "nothing");
        house.hit(900, 7_200_000);
        house.hit(900, 0);
        house.applier.settle().await.unwrap();
        house.close().await;
        // A second boot, with a part that is not counted.
        let mut house = House::open(dir.path(), 2).await;
        house.hit(500, 0);
        house.applier.settle().await.unwrap();
        house.hit(50, 0);
        let report = verified(&house.store, dir.path()).await;
        assert_eq!(report.disagreements, []);
        assert_eq!(report.not_compared, Vec::<String>::new());
        assert_eq!((report.recounted, report.lanes), (2_300, 3));
        assert!(report.link_hours >= 12 && report.scopes >= 9 && report.rows > 50, "{report:?}");
        let none = verify(&house.store, None, &silent, clock::now()).await.unwrap();
        assert!(none.holds() && none.not_compared.len() == 1, "{none:?}");
        house.close().await;
    });
}

/// Plants an error with SQL, and gives what is said of it.
async fn planted(sql: &str) -> Vec<Disagreement> {
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::open(dir.path(), 1).await;
    house.furnish().await;
    house.hit(600, 0);
    house.applier.settle().await.unwrap();
    let db = rusqlite::Connection::open(dir.path().join("tallies.db")).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
    let report = verified(&house.store, dir.path()).await;
    assert_eq!(usize::try_from(report.disagreeing).unwrap(), report.disagreements.len());
    house.close().await;
    report.disagreements
}

#[test]
fn each_planted_disagreement_is_found() {
    let link = "scope = (SELECT id FROM scopes WHERE kind = 1 AND name = 'kx7dw4m')";
    let author = "scope = (SELECT id FROM scopes WHERE kind = 3 AND name = 'A. Writer')";
    let site = "scope = (SELECT id FROM scopes WHERE kind = 0)";
    let more = |series: i64, class: &str, whose: &str| {
        format!("UPDATE rows SET {class} = {class} + 1 WHERE series = {series} AND {whose}")
    };
    // Dimensions are packed; rows that an earlier version wrote are counted beside them.
    let beside = |series: i64, class: &str, whose: &str| {
        let one = |column: &str| u8::from(column == class);
        let [clicks, previews, bots, missed] = ["clicks", "previews", "bots", "missed"].map(one);
        format!(
            "INSERT INTO rows (series, bucket, scope, value, clicks, previews, bots, missed) \
             SELECT {series}, max(day), scope, 0, {clicks}, {previews}, {bots}, {missed} \
             FROM dimensions WHERE {whose}"
        )
    };
    let shifted =
        |whose: &str| format!("UPDATE rows SET bucket = bucket + 3600 WHERE series = 2 AND {whose}");
    let table = [
        ("UPDATE lanes SET lost = lost + 1 WHERE lane = 2".into(), "the site lane", "audit"),
        ("UPDATE lanes SET base = base + 1 WHERE lane = 0".into(), "lane 0", "audit"),
        ("UPDATE ordinals SET ordinal = ordinal + 1 WHERE lane = 1".into(), "lane 1", "audit"),
        ("UPDATE scopes SET bots = bots + 1 WHERE kind = 0".into(), "site", "total"),
        ("UPDATE scopes SET clicks = clicks + 1 WHERE kind = 3".into(), "author:A. Writer", "day"),
        (more(2, "clicks", link), "link:kx7dw4m", "hour"),
        (more(3, "previews", link), "link:kx7dw4m", "day"),
        (beside(4, "missed", author), "author:A. Writer", "missed"),
        (beside(5, "clicks", author), "author:A. Writer", "trigger"),
        (beside(6, "clicks", link), "link:kx7dw4m", "target"),
        (beside(7, "bots", site), "site", "bot"),
        (beside(8, "previews", link), "link:kx7dw4m", "preview"),
        (shifted(link), "link:kx7dw4m", "hour"),
        (shifted(site), "site", "hour"),
    ];
    for (sql, scope, series) in table {
        let found = block_on(planted(&sql));
        assert!(found.iter().any(|d| d.scope == scope && d.series == series), "{sql}: {found:?}");
    }
}

#[test]
fn counting_that_goes_on_is_no_disagreement() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let house = House::open(dir.path(), 1).await;
        house.furnish().await;
        let store = house.store.clone();
        let busy = Busy::with(house, false);
        for _ in 0..15 {
            busy.go(20);
            let report = verified(&store, dir.path()).await;
            assert_eq!(report.disagreements, []);
        }
        let mut house = busy.stop().await;
        house.applier.settle().await.unwrap();
        let report = verified(&house.store, dir.path()).await;
        assert!(report.holds() && report.not_compared.is_empty(), "{report:?}");
        house.close().await;
    });
}

#[test]
fn only_what_the_journal_still_has_is_recounted() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let mut house = House::open(dir.path(), 1).await;
        house.furnish().await;
        house.hit(2_000, 4 * 3_600_000);
        house.applier.settle().await.unwrap();
        house.hit(800, 0);
        house.release().await;
        house.applier.settle().await.unwrap();
        let report = verified(&house.store, dir.path()).await;
        assert_eq!(report.disagreements, []);
        assert!(report.not_compared.iter().any(|why| why.contains("only since")), "{report:?}");
        assert!(report.recounted < 2_800 && report.link_hours >= 6, "{report:?}");
        // An hour that is covered is still compared.
        let db = rusqlite::Connection::open(dir.path().join("tallies.db")).unwrap();
        let newest = "bucket = (SELECT max(bucket) FROM rows WHERE series = 2)";
        db.execute(&format!("UPDATE rows SET bucket = bucket + 3600 WHERE series = 2 AND {newest}"), [])
            .unwrap();
        let report = verified(&house.store, dir.path()).await;
        assert!(report.disagreements.iter().any(|d| d.found.starts_with("0 hits")), "{report:?}");
        house.close().await;
    });
}

#[test]
fn hours_that_have_gone_are_not_compared() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let mut house = House::open(dir.path(), 1).await;
        house.furnish().await;
        for days in [500, 60, 0] {
            house.hit(300, days * 86_400_000);
        }
        house.applier.settle().await.unwrap();
        let whole = verify(&house.store, None, &silent, clock::now()).await.unwrap();
        assert!(whole.holds() && whole.not_compared.len() == 1, "{whole:?}");
        house.applier.tidy(clock::now_ms()).await.unwrap();
        let first = house.store.tallies.first_bucket(Series::Hour).await.unwrap().unwrap();
        assert!(first > clock::now_ms() / 1_000 - 61 * 86_400, "{first}");
        let report = verify(&house.store, None, &silent, clock::now()).await.unwrap();
        assert_eq!(report.disagreements, []);
        assert!(report.not_compared.iter().any(|why| why.contains("hours are kept since")), "{report:?}");
        // Those that are kept are compared, and those that may not go must be there.
        let db = rusqlite::Connection::open(dir.path().join("tallies.db")).unwrap();
        let link = "scope = (SELECT id FROM scopes WHERE kind = 1 AND name = 'kx7dw4m')";
        let plant = [
            (format!("UPDATE rows SET clicks = clicks + 1 WHERE series = 2 AND {link}"), "link:kx7dw4m"),
            ("DELETE FROM rows WHERE series = 2".to_owned(), "site"),
        ];
        for (sql, scope) in plant {
            assert!(db.execute(&sql, []).unwrap() > 0, "{sql}");
            let found = verify(&house.store, None, &silent, clock::now()).await.unwrap().disagreements;
            assert!(found.iter().any(|d| d.scope == scope && d.series == "hour"), "{sql}: {found:?}");
        }
        house.close().await;
    });
}

#[test]
fn the_list_is_bounded() {
    let mut report = Report::default();
    for _ in 0..LISTED + 5 {
        report.disagree("site", "hour", None, 1, 2);
    }
    assert_eq!((report.disagreements.len(), report.disagreeing, report.holds()), (LISTED, 105, false));
}
