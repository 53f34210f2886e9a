//! Numbers through faults: whatever is lost, comes twice, comes late or goes back, each hit is counted once.
//!
//! Hits are made up before: which ones an ordinal stands for never changes, as in a journal.

use std::borrow::Cow;
use std::collections::BTreeMap;

use slugline::domain::lane::{Lane, lane_of};
use slugline::domain::tally::{Batch, Counts, Group, Row, Scope, Series, StreamId};
use slugline::hits::journal::sim::Chance;
use slugline::store::tallies::Applied;
use slugline::store::{Error, Store};

use super::{Standalone, store_with};
use crate::faults::{Seed, rounds};
use crate::harness::eventually;
use crate::redis::proxy::{Fault, Proxy};

const LANES: Lane = 3;
const STREAMS: u64 = 2;
const HITS: usize = 300;
const CODES: [&str; 6] = ["aa", "bb", "cc", "dd", "ee", "ff"];

#[derive(Clone, Copy)]
struct Made {
    code: &'static str,
    at: i64,
    trigger: &'static str,
}

/// What was journalled, and how far somebody thinks that it is counted.
struct Books {
    hits: Vec<Vec<Made>>,
    known: BTreeMap<(u64, Lane), u64>,
    sent: Vec<Batch>,
}

impl Books {
    fn new(chance: &mut Chance) -> Books {
        let mut one = |_| Made {
            code: CODES[usize::try_from(chance.below(6).min(chance.below(6))).unwrap()],
            at: i64::try_from(chance.below(200_000)).unwrap(),
            trigger: if chance.once_in(4) { "qr" } else { "link" },
        };
        let hits = (0..STREAMS).map(|_| (0..HITS).map(&mut one).collect()).collect();
        Books { hits, known: BTreeMap::new(), sent: vec![] }
    }

    /// The hits of a lane, in order of their ordinals.
    fn of(&self, stream: u64, lane: Lane) -> Vec<Made> {
        let hits = self.hits[usize::try_from(stream).unwrap()].iter().copied();
        hits.filter(|hit| lane == LANES || lane_of(hit.code, LANES) == lane).collect()
    }

    /// The next hits, up to so many.
    fn next(&mut self, stream: u64, lane: Lane, most: u64) -> Option<Batch> {
        let hits = self.of(stream, lane);
        let from = self.known.get(&(stream, lane)).copied().unwrap_or(0);
        let to = (from + most).min(u64::try_from(hits.len()).unwrap());
        let some = &hits[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()];
        let (stream_id, groups) = (StreamId(stream), fold(some, lane));
        let batch =
            Batch { stream: stream_id, stream_began_ms: 5, lane, from, to, lost: 0, groups: groups.into() };
        self.sent.push(batch.clone());
        (from < to).then_some(batch)
    }

    /// Sends a batch, as the applier does: after an error the store is asked how far it is.
    async fn send(&mut self, store: &Store, batch: &Batch) {
        let at = match store.tallies.apply(batch).await {
            Ok(Applied::Done) => batch.to,
            Ok(Applied::At(at)) => at,
            Err(Error::Unavailable(_)) => {
                let asked = async || store.tallies.stream(batch.stream).await.ok();
                eventually("the store says how far it is", asked).await.ordinals[usize::from(batch.lane)]
            }
            Err(other) => panic!("{other}"),
        };
        self.known.insert((batch.stream.0, batch.lane), at);
    }

    /// Sends what is left, and compares everything.
    async fn settle(&mut self, store: &Store, what: &str) {
        for stream in 0..STREAMS {
            for lane in 0..=LANES {
                let asked = async || store.tallies.stream(StreamId(stream)).await.ok();
                let at = eventually("the store is there", asked).await.ordinals[usize::from(lane)];
                self.known.insert((stream, lane), at);
                while let Some(batch) = self.next(stream, lane, 40) {
                    self.send(store, &batch).await;
                }
            }
        }
        let all: Vec<Made> = self.hits.iter().flatten().copied().collect();
        for code in CODES {
            let of_code: Vec<Made> = all.iter().filter(|hit| hit.code == code).copied().collect();
            compare(store, &Scope::Link(code.into()), &of_code, what).await;
        }
        compare(store, &Scope::Site, &all, what).await;
        let audit = store.tallies.audit().await.unwrap();
        assert!(audit.iter().all(|lane| lane.holds() && lane.lost == 0), "{what}: {audit:?}");
        assert_eq!(audit.last().unwrap().ordinals, STREAMS * u64::try_from(HITS).unwrap(), "{what}");
    }
}

fn rows(hits: &[Made]) -> Vec<Row> {
    let mut rows: BTreeMap<(Series, i64, &str), u64> = BTreeMap::new();
    for hit in hits {
        let day = hit.at / 86_400;
        for (series, bucket, value) in [
            (Series::Total, 0, ""),
            (Series::Minute, hit.at / 60 * 60, ""),
            (Series::Hour, hit.at / 3_600 * 3_600, ""),
            (Series::Day, day, ""),
            (Series::Trigger, day, hit.trigger),
        ] {
            *rows.entry((series, bucket, value)).or_default() += 1;
        }
    }
    let row = |((series, bucket, value), n): (_, u64)| {
        let (value, counts): (&str, _) = (value, Counts { clicks: n, ..Counts::default() });
        Row { series, bucket, value: Cow::Owned(value.to_owned()), counts }
    };
    rows.into_iter().map(|((s, b, v), n)| row(((s, b, v), n))).collect()
}

fn fold(hits: &[Made], lane: Lane) -> Vec<Group> {
    if lane == LANES {
        return vec![Group::of(Scope::Site, rows(hits))];
    }
    let mut by_code: BTreeMap<&str, Vec<Made>> = BTreeMap::new();
    hits.iter().for_each(|hit| by_code.entry(hit.code).or_default().push(*hit));
    by_code.iter().map(|(code, hits)| Group::of(Scope::Link((*code).into()), rows(hits))).collect()
}

async fn compare(store: &Store, scope: &Scope, hits: &[Made], what: &str) {
    for series in Series::ALL {
        let found = store.tallies.rows(scope, series, i64::MIN, i64::MAX).await.unwrap();
        let expected: Vec<Row> = rows(hits).into_iter().filter(|row| row.series == series).collect();
        assert_eq!(found, expected, "{what}: {scope:?} {series:?}");
    }
}

/// A server behind a line, and a store over it.
struct Rig {
    server: Standalone,
    proxy: Proxy,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Rig {
        let server = Standalone::start(&[]).await;
        let proxy = Proxy::start(&server.address());
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(&server.settings_at(&proxy.address()), folder.path(), LANES).await;
        Rig { server, proxy, store, _folder: folder }
    }

    fn copy(&self, n: usize) -> std::path::PathBuf {
        self.server.folder().join(format!("copy-{n}.rdb"))
    }

    /// A copy of all that the server has.
    async fn save(&self, n: usize) {
        self.server.ask(&["SAVE"]).await;
        std::fs::copy(self.server.folder().join("dump.rdb"), self.copy(n)).unwrap();
    }

    /// The server is what it was when that copy was made.
    async fn go_back(&self, n: usize) {
        self.server.kill();
        std::fs::copy(self.copy(n), self.server.folder().join("dump.rdb")).unwrap();
        self.server.restart().await;
    }
}

fn is_script(words: &[Vec<u8>]) -> bool {
    words.first().is_some_and(|word| word == b"EVALSHA")
}

async fn one_step(rig: &mut Rig, books: &mut Books, chance: &mut Chance, saved: &mut usize) -> &'static str {
    let (stream, lane) = (chance.below(STREAMS), Lane::try_from(chance.below(u64::from(LANES) + 1)).unwrap());
    let most = 1 + chance.below(30);
    match chance.below(16) {
        0 => {
            let n = usize::try_from(chance.below(u64::try_from(*saved).unwrap())).unwrap();
            rig.go_back(n).await;
            "it goes back"
        }
        1 => {
            rig.save(*saved).await;
            *saved += 1;
            "a copy is made"
        }
        2..5 => {
            let n = chance.below(u64::try_from(books.sent.len()).unwrap().max(1));
            if let Some(late) = books.sent.get(usize::try_from(n).unwrap()).cloned() {
                books.send(&rig.store, &late).await;
            }
            "an old batch comes again"
        }
        5..8 => {
            // The read or the write of an apply.
            rig.proxy.plan(Fault::DropReply, 1 + chance.below(2), is_script);
            if let Some(batch) = books.next(stream, lane, most) {
                books.send(&rig.store, &batch).await;
            }
            "a reply is lost"
        }
        8..11 => {
            rig.proxy.plan(Fault::Hold, 1 + chance.below(2), is_script);
            if let Some(batch) = books.next(stream, lane, most) {
                books.send(&rig.store, &batch).await;
            }
            "a script is held"
        }
        11 => {
            rig.proxy.deliver().await;
            "held scripts are delivered"
        }
        _ => {
            if let Some(batch) = books.next(stream, lane, most) {
                books.send(&rig.store, &batch).await;
            }
            "nothing is amiss"
        }
    }
}

#[tokio::test]
async fn each_hit_is_counted_once_through_anything() {
    let seed = Seed::new();
    for round in 0..rounds(2, 60) {
        let (mut chance, mut rig, mut saved) = (seed.chance(round), Rig::new().await, 1);
        let mut books = Books::new(&mut chance);
        rig.save(0).await;
        let mut steps = vec![];
        for _ in 0..60 {
            steps.push(one_step(&mut rig, &mut books, &mut chance, &mut saved).await);
        }
        rig.proxy.plan(Fault::DropReply, 0, is_script);
        books.settle(&rig.store, &format!("round {round}: {steps:?}")).await;
        // Whatever was held comes after everything else.
        rig.proxy.deliver().await;
        books.settle(&rig.store, &format!("round {round}, late: {steps:?}")).await;
        rig.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn streams_that_meet_in_a_lane_count_all() {
    let books = Books::new(&mut Seed::new().chance(0));
    let rig = Rig::new().await;
    // As many nodes, each with a stream of its own, all in one lane at the same time.
    let all = (100..108).map(async |stream| {
        for (from, to) in (0..20).map(|n| (n, n + 1)) {
            let groups = vec![Group::of(Scope::Site, rows(&books.hits[0][..1]))];
            let stream = StreamId(stream);
            let batch =
                Batch { stream, stream_began_ms: 1, lane: LANES, from, to, lost: 0, groups: groups.into() };
            assert_eq!(rig.store.tallies.apply(&batch).await.unwrap(), Applied::Done);
        }
    });
    futures_util::future::join_all(all).await;
    assert_eq!(rig.store.tallies.totals(&[Scope::Site]).await.unwrap()[0].all(), 160);
    let audit = *rig.store.tallies.audit().await.unwrap().last().unwrap();
    assert_eq!((audit.ordinals, audit.tallies), (160, 160));
    rig.store.close().await.unwrap();
}

/// The server refuses every write; then it takes them again.
async fn refuse(rig: &Rig, how: &str, word: &str, begin: &[&[&str]], end: &[&[&str]]) {
    let mut chance = Seed::new().chance(1);
    let mut books = Books::new(&mut chance);
    let first = books.next(0, LANES, 50).unwrap();
    books.send(&rig.store, &first).await;
    for command in begin {
        rig.server.ask(command).await;
    }
    let refused = books.next(0, LANES, 50).unwrap();
    let why = eventually("it is refused", async || match rig.store.tallies.apply(&refused).await {
        Err(Error::Unavailable(why)) if why.contains(word) => Some(why),
        Err(Error::Unavailable(_)) => None,
        other => panic!("{how}: {other:?}"),
    })
    .await;
    println!("{how}: {why}");
    for command in end {
        rig.server.ask(command).await;
    }
    let asked = async || rig.store.tallies.stream(StreamId(0)).await.ok();
    assert_eq!(eventually("it answers", asked).await.ordinals, [0, 0, 0, 50], "{how}: refused in part");
    compare(&rig.store, &Scope::Site, &books.hits[0][..50], how).await;
    books.settle(&rig.store, how).await;
}

#[tokio::test]
async fn out_of_memory_refuses_whole() {
    let rig = Rig::new().await;
    let (begin, end) = (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]);
    refuse(&rig, "out of memory", "OOM", &[&begin], &[&end]).await;
    rig.store.close().await.unwrap();
}

#[tokio::test]
async fn a_replica_refuses_whole() {
    let rig = Rig::new().await;
    let begin = ["REPLICAOF", "127.0.0.1", "1"];
    refuse(&rig, "read-only", "", &[&begin], &[&["REPLICAOF", "NO", "ONE"]]).await;
    rig.store.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_whole() {
    let rig = Rig::new().await;
    let dump = rig.server.folder().join("dump.rdb");
    // A copy cannot take the place of a folder.
    std::fs::create_dir(&dump).unwrap();
    let save = ["CONFIG", "SET", "save", "3600 1000000"];
    rig.server.ask(&save).await;
    let _fails = rig.server.try_ask(&["SAVE"]).await;
    rig.server.ask(&["BGSAVE"]).await;
    eventually("the copy has failed", async || {
        (rig.server.info("rdb_last_bgsave_status").await == "err").then_some(())
    })
    .await;
    let end = ["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"];
    refuse_after(&rig, "disk error", "MISCONF", &end).await;
    rig.store.close().await.unwrap();
}

/// The same where writes are refused already.
async fn refuse_after(rig: &Rig, how: &str, word: &str, end: &[&str]) {
    rig.server.ask(end).await;
    let begin = ["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"];
    refuse(rig, how, word, &[&begin], &[end]).await;
}

#[tokio::test]
async fn another_dataset_is_left_alone() {
    let rig = Rig::new().await;
    let mut books = Books::new(&mut Seed::new().chance(2));
    let first = books.next(0, LANES, 50).unwrap();
    books.send(&rig.store, &first).await;
    let next = books.next(0, LANES, 50).unwrap();
    let fenced = async |what: &str| {
        let tallies = &rig.store.tallies;
        let all = [
            tallies.apply(&next).await.map(drop),
            tallies.stream(StreamId(0)).await.map(drop),
            tallies.streams().await.map(drop),
            tallies.finish(StreamId(0), &[0; 4], slugline::clock::now()).await.map(drop),
            tallies.forget_finished(slugline::clock::now()).await.map(drop),
            tallies.forget_minutes(0).await,
            tallies.rows(&Scope::Site, Series::Day, 0, 9).await.map(drop),
            tallies.by_scope(slugline::domain::tally::ScopeKind::Link, 0, 9, None).await.map(drop),
            tallies.totals(&[Scope::Site]).await.map(drop),
            tallies.audit().await.map(drop),
            tallies.lost().await.map(drop),
            tallies.export(None).await.map(drop),
            tallies.import(next.groups.to_vec()).await,
            tallies.import_lost(LANES, 1).await,
        ];
        for (n, done) in all.into_iter().enumerate() {
            assert!(matches!(done, Err(Error::Fenced(_))), "{what}: call {n}: {done:?}");
        }
    };
    rig.save(0).await;
    rig.server.ask(&["FLUSHALL"]).await;
    fenced("flushed").await;
    let keys: Vec<String> = redis::from_redis_value(rig.server.ask(&["KEYS", "*"]).await).unwrap();
    assert!(keys.is_empty(), "{keys:?}");
    rig.go_back(0).await;
    let ids: Vec<String> = redis::from_redis_value(rig.server.ask(&["KEYS", "sl:*:m"]).await).unwrap();
    for key in &ids {
        rig.server.ask(&["HSET", key, "id", &"7".repeat(32)]).await;
    }
    eventually("the server is found again", async || match rig.store.tallies.lost().await {
        Err(Error::Unavailable(_)) => None,
        _ => Some(()),
    })
    .await;
    fenced("another one's").await;
    rig.go_back(0).await;
    books.settle(&rig.store, "right again").await;
    rig.store.close().await.unwrap();
}
