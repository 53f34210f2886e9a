//! Reports over a small store: readers who follow several links, hours that have gone, curves, reasons.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::article::ArticleFacts;

use crate::domain::code::{Code, fold};
use crate::domain::lane::{Lane, lane_of};
use crate::domain::link::Link;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Batch, DaySketch, Group, SketchOf, StreamId};
use crate::hits::verify::tests::{LANES, block_on, open_store};
use crate::store::Store;
use crate::store::conformance::{Random, at, blank, choose, claim, created, url};
use crate::store::links::{ArticleClaim, NewLink};
use crate::store::tallies::Applied;

/// A store that numbers are put into, and its reports.
struct Room {
    store: Store,
    reports: Arc<ReportService>,
    ordinals: HashMap<Lane, u64>,
    made: u64,
    _dir: tempfile::TempDir,
}

fn link(code: &str) -> Scope {
    Scope::Link(code.into())
}

fn clicks(n: u64) -> Counts {
    Counts { clicks: n, ..Counts::default() }
}

fn row(series: Series, bucket: i64, counts: Counts) -> Row {
    valued(series, bucket, "", counts)
}

fn valued(series: Series, bucket: i64, value: &str, counts: Counts) -> Row {
    Row { series, bucket, value: value.to_owned().into(), counts }
}

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// `2026-11-22T17:00:00Z`, which is 18 h in Vienna, on a Sunday.
fn now() -> Timestamp {
    at(0)
}

/// Random enough for a sketch.
fn hash(reader: u64) -> u64 {
    Random(reader).next_number()
}

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path(), "Europe/Vienna");
        let calendar = Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap();
        let reports = ReportService::new(Arc::clone(&store.links), Arc::clone(&store.tallies), calendar);
        Room { store, reports: Arc::new(reports), ordinals: HashMap::new(), made: 0, _dir: dir }
    }

    fn today(&self) -> i64 {
        self.reports.calendar().day(now()).into()
    }

    /// Makes a link of a story, and gives the story's id.
    async fn make(&mut self, code: &str, path: &str, facts: ArticleFacts, made: Timestamp) -> ArticleId {
        self.made += 1;
        let target = Some(url(path));
        let link = Link { channel: Some(code.to_owned()), ..blank(target, made) };
        let article = Some(ArticleClaim { facts, ..claim(path) });
        let found = created(&self.store, NewLink { article, link, ..choose(self.made, path, code) }).await;
        found.article.as_ref().unwrap().id.clone()
    }

    /// Counts something.
    async fn count(&mut self, scope: Scope, rows: Vec<Row>, sketches: Vec<DaySketch>) {
        let lane = match &scope {
            Scope::Link(code) => lane_of(&fold(code), LANES),
            _ => LANES,
        };
        let from = *self.ordinals.get(&lane).unwrap_or(&0);
        let groups = vec![Group { scope, rows, sketches }];
        let batch = Batch {
            stream: StreamId(1),
            stream_began_ms: 0,
            lane,
            from,
            to: from + 1,
            lost: 0,
            groups: groups.into(),
        };
        assert_eq!(self.store.tallies.apply(&batch).await.unwrap(), Applied::Done);
        self.ordinals.insert(lane, from + 1);
    }

    /// Counts a click of each of these readers.
    async fn read(&mut self, code: &str, day: i64, readers: &BTreeSet<u64>) {
        let mut sketch = Sketch::default();
        readers.iter().for_each(|reader| sketch.add(hash(*reader)));
        let rows = vec![row(Series::Day, day, clicks(u64::try_from(readers.len()).unwrap()))];
        self.count(link(code), rows, vec![DaySketch { of: SketchOf::Readers, day, sketch }]).await;
    }

    async fn summary(&self, scope: ReportScope, from: i64, to: i64) -> Summary {
        self.reports
            .summary(&Question { scope, range: Range { from, to }, now: now(), as_of: now() })
            .await
            .unwrap()
    }

    /// A summary of the days `from..to`.
    async fn summary_of_days(&self, scope: ReportScope, from: i64, to: i64) -> Summary {
        let start = |day: i64| self.reports.calendar().start_of(i32::try_from(day).unwrap());
        self.summary(scope, start(from), start(to)).await
    }
}

#[test]
fn a_storys_readers_are_the_union_of_its_links_and_not_their_sum() {
    block_on(async {
        let mut room = Room::new();
        let mut random = Random(7);
        let today = room.today();
        for story in 0..12 {
            let path = format!("story-{story}");
            let mut by_day: HashMap<i64, BTreeSet<u64>> = HashMap::new();
            let (mut id, mut all_clicks) = (None, 0);
            for n in 0..=random.below(3) {
                let code = format!("s{story}-{n}");
                id = Some(room.make(&code, &path, ArticleFacts::default(), now()).await);
                for day in [today - 1, today] {
                    let readers: BTreeSet<u64> = (0..random.below(60)).map(|_| random.below(80)).collect();
                    room.read(&code, day, &readers).await;
                    all_clicks += readers.len() as u64;
                    by_day.entry(day).or_default().extend(readers);
                }
            }
            let scope = ReportScope::Article(id.unwrap());
            let expected = |day: i64| by_day[&day].len() as u64;
            let summary = room.summary_of_days(scope.clone(), today - 1, today + 1).await;
            assert_eq!(summary.counts.uniques, expected(today - 1) + expected(today), "{path}");
            assert_eq!((summary.counts.clicks, summary.days), (all_clicks, 2), "{path}");
            let question = Question { scope, range: summary.range, now: now(), as_of: now() };
            let series = room.reports.series(&question, Unit::Day).await.unwrap();
            let days: Vec<u64> = series.buckets.iter().map(|bucket| bucket.counts.uniques).collect();
            assert_eq!(days, [expected(today - 1), expected(today)], "{path}");
        }
    });
}

#[test]
fn where_sketches_have_gone_the_links_numbers_are_summed() {
    block_on(async {
        let mut room = Room::new();
        let today = room.today();
        let mut id = None;
        for code in ["aa", "bb"] {
            id = Some(room.make(code, "a", ArticleFacts::default(), now()).await);
            for day in [today - 1, today] {
                room.read(code, day, &(0..10).collect()).await;
            }
        }
        let scope = ReportScope::Article(id.unwrap());
        let uniques = async |room: &Room| {
            let all = room.summary_of_days(scope.clone(), today - 1, today + 1).await;
            (all.counts.uniques, all.counts.clicks)
        };
        assert_eq!(uniques(&room).await, (20, 40));
        room.store.tallies.forget_sketches(today).await.unwrap();
        assert_eq!(uniques(&room).await, (30, 40));
        room.store.tallies.forget_sketches(today + 1).await.unwrap();
        assert_eq!(uniques(&room).await, (40, 40));
        let one = room.summary_of_days(ReportScope::parse("link:aa").unwrap(), today - 1, today + 1).await;
        assert_eq!(one.counts.uniques, 20, "a link's number is the one that was counted");
    });
}

#[test]
fn what_the_number_of_readers_is_worth() {
    block_on(async {
        let mut room = Room::new();
        let today = room.today();
        for day in [today - 1, today] {
            let rows = vec![row(Series::Day, day, clicks(8)), row(Series::Untracked, day, clicks(2))];
            room.count(Scope::Site, rows, vec![]).await;
        }
        let of = async |room: &Room, from, to| {
            let summary = room.summary_of_days(ReportScope::Site, from, to).await;
            (summary.worth.coverage().to_string(), summary.worth.too_high, summary.days)
        };
        assert_eq!(of(&room, today, today + 1).await, ("0.75".to_owned(), false, 1));
        room.count(Scope::Site, vec![row(Series::OwnKey, today - 1, clicks(1))], vec![]).await;
        assert_eq!(of(&room, today, today + 1).await, ("0.75".to_owned(), false, 1));
        assert_eq!(of(&room, today - 1, today + 1).await, ("0.75".to_owned(), true, 2));
        assert_eq!(of(&room, today - 9, today - 8).await, ("1".to_owned(), false, 1));
        // A part of a day has the readers of the whole day.
        let part = room.summary(ReportScope::Site, now().as_second() - 3_600, now().as_second()).await;
        assert_eq!((part.counts.clicks, part.worth.clicks, part.days), (0, 8, 1));
    });
}

#[test]
fn where_hours_have_gone_a_range_is_of_whole_days() {
    block_on(async {
        let mut room = Room::new();
        let first = second("2025-10-01T10:00:00Z");
        let kept = second("2025-11-09T23:00:00Z");
        for hour in [first, kept, now().as_second() - 3_600] {
            let day = room.reports.calendar().place(hour * 1_000).day.into();
            let rows = vec![row(Series::Hour, hour, clicks(3)), row(Series::Day, day, clicks(3))];
            room.count(Scope::Site, rows, vec![]).await;
        }
        let old = (second("2025-10-01T09:30:00Z"), second("2025-10-01T10:30:00Z"));
        let summary = room.summary(ReportScope::Site, old.0, old.1).await;
        assert_eq!((summary.range.from, summary.counts.clicks), (second("2025-10-01T09:00:00Z"), 3));
        room.store.tallies.forget_hours(kept).await.unwrap();
        let summary = room.summary(ReportScope::Site, old.0, old.1).await;
        let whole = (second("2025-09-30T22:00:00Z"), second("2025-10-01T22:00:00Z"));
        assert_eq!((summary.range.from, summary.range.to, summary.counts.clicks), (whole.0, whole.1, 3));
        let question = |from, to| Question {
            scope: ReportScope::Site,
            range: Range { from, to },
            now: now(),
            as_of: now(),
        };
        let refused = room.reports.series(&question(old.0, old.1), Unit::Hour).await.unwrap_err();
        assert!(refused.to_string().contains("2025-11-10"), "{refused}");
        assert!(room.reports.heat(&question(old.0, old.1)).await.is_err());
        let heat = room.reports.heat(&question(old.0, now().as_second())).await.unwrap();
        assert_eq!((heat.range.from, heat.range.to), (kept, now().as_second()));
        let series = room.reports.series(&question(kept, kept + 7_200), Unit::Hour).await.unwrap();
        assert_eq!(series.buckets[0].counts.clicks, 3);
    });
}

#[test]
fn clicks_by_hour_of_the_week() {
    block_on(async {
        let mut room = Room::new();
        // The hour that the clock of Vienna shows twice, and a Monday.
        let hours = [("2026-10-25T00:00:00Z", 1), ("2026-10-25T01:00:00Z", 2), ("2026-10-26T08:00:00Z", 4)];
        for (hour, n) in hours {
            room.count(Scope::Site, vec![row(Series::Hour, second(hour), clicks(n))], vec![]).await;
        }
        let range = Range { from: second("2026-10-24T22:00:00Z"), to: second("2026-10-26T23:00:00Z") };
        let question = Question { scope: ReportScope::Site, range, now: now(), as_of: now() };
        let heat = room.reports.heat(&question).await.unwrap();
        assert_eq!(heat.rows.len(), 168);
        let some: Vec<_> = heat.rows.iter().filter(|row| row.counts.clicks > 0).collect();
        let some: Vec<_> = some.iter().map(|row| (row.weekday, row.hour, row.counts.clicks)).collect();
        assert_eq!(some, [(1, 9, 4), (7, 2, 3)]);
    });
}

fn story_at(section: &str, published: Option<Timestamp>) -> ArticleFacts {
    ArticleFacts { section: Some(section.into()), published_at: published, ..ArticleFacts::default() }
}

#[test]
fn a_story_beside_the_usual_one() {
    block_on(async {
        let mut room = Room::new();
        let hours_ago = |n: i64| now() - SignedDuration::from_hours(n);
        // (code, section, published so many hours ago, clicks in its first hours)
        let stories = [
            ("own", "World", 2, [5, 1, 0]),
            ("one", "World", 100, [10, 0, 4]),
            ("two", "World", 200, [20, 2, 0]),
            ("three", "World", 1, [90, 0, 0]),
            ("old", "World", 24 * 31, [1_000, 0, 0]),
            ("sport", "Sport", 100, [1_000, 0, 0]),
            ("later", "World", -5, [0, 0, 0]),
        ];
        let mut own = None;
        for (code, section, ago, by_age) in stories {
            let published = hours_ago(ago);
            let id = room.make(code, code, story_at(section, Some(published)), hours_ago(ago.max(0))).await;
            own = own.or(Some(id));
            let begin = room.reports.calendar().place(published.as_millisecond()).hour;
            let rows = (0..).zip(by_age).map(|(age, n)| row(Series::Hour, begin + age * 3_600, clicks(n)));
            room.count(link(code), rows.collect(), vec![]).await;
        }
        let own = own.unwrap();
        let curve = room.reports.curve(&own, now()).await.unwrap();
        assert_eq!((curve.basis, curve.began), (Basis::Published, hours_ago(2)));
        let rows: Vec<_> = curve.rows.iter().map(|row| (row.age, row.clicks, row.stories)).collect();
        // Ages that it has not reached are absent; a story whose hour is not over says nothing of it.
        assert_eq!(rows, [(0, 5, 3), (1, 6, 2), (2, 6, 2)]);
        assert_eq!(curve.rows[0].usual, Some(Usual { q1: 15, median: 20, q3: 55 }));
        assert_eq!(curve.rows[2].usual, Some(Usual { q1: 16, median: 18, q3: 20 }));
        // Without a time of publication it is the first link's.
        let id = room.make("plain", "plain", ArticleFacts::default(), hours_ago(1)).await;
        let curve = room.reports.curve(&id, now()).await.unwrap();
        assert_eq!((curve.basis, curve.began, curve.rows.len()), (Basis::Created, hours_ago(1), 2));
        assert_eq!((curve.rows[1].usual, curve.rows[1].stories), (None, 0));
        // One that is not published yet has no age.
        let later = room.store.links.article(ArticleKey::Url(url("later"))).await.unwrap().unwrap();
        assert!(room.reports.curve(&later.id, now()).await.unwrap().rows.is_empty());
        let nobody = room.reports.curve(&ArticleId("anobody".into()), now()).await.unwrap_err();
        assert!(matches!(nobody, Error::Refused(refusal) if refusal.reason == Reason::NotFound));
    });
}

#[test]
fn why_hits_were_not_clicks() {
    block_on(async {
        let mut room = Room::new();
        room.make("aa", "a", ArticleFacts::default(), now()).await;
        let today = room.today();
        let bots = |n| Counts { bots: n, ..Counts::default() };
        let rows = vec![
            row(Series::Day, today, Counts { clicks: 9, previews: 2, bots: 8, ..Counts::default() }),
            valued(Series::Reason, today, "known_bot:Googlebot", bots(5)),
            valued(Series::Reason, today, "~says_so:my: bot", bots(2)),
            valued(Series::Reason, today, "no_agent", bots(1)),
            valued(Series::Reason, today, "head", Counts { previews: 2, ..Counts::default() }),
            valued(Series::Missed, today, "expired", Counts { missed: 4, ..Counts::default() }),
        ];
        room.count(link("aa"), rows, vec![]).await;
        let before = vec![valued(Series::Reason, today - 3, "no_agent", bots(2))];
        room.count(link("aa"), before, vec![]).await;
        let code = Code::parse("AA").unwrap();
        let all = room.reports.reasons(&code, None, now()).await.unwrap();
        let rows: Vec<_> =
            all.rows.iter().map(|row| (row.reason.as_str(), row.name.as_deref(), row.count)).collect();
        let expected = [
            ("known_bot", Some("Googlebot"), 5),
            ("expired", None, 4),
            ("no_agent", None, 3),
            ("head", None, 2),
            ("says_so", Some("my: bot"), 2),
        ];
        assert_eq!((rows, all.clicks), (expected.to_vec(), 9));
        let tomorrow = room.reports.calendar().start_of(i32::try_from(today).unwrap() + 1);
        assert_eq!(all.range.to, tomorrow);
        let range = Range { from: now().as_second(), to: now().as_second() + 1 };
        let some = room.reports.reasons(&code, Some(range), now()).await.unwrap();
        assert_eq!(some.rows.iter().map(|row| row.count).sum::<u64>(), 14);
        assert_eq!(
            date_of(room.reports.calendar().place(some.range.from * 1_000).day).to_string(),
            "2026-11-22"
        );
        assert!(room.reports.reasons(&Code::parse("zz").unwrap(), None, now()).await.is_err());
    });
}

#[test]
fn who_does_not_wait_gets_at_once_what_is_there_while_another_sums() {
    block_on(async {
        let mut room = Room::new();
        room.make("aa", "a", ArticleFacts::default(), now()).await;
        let reports = Arc::clone(&room.reports);
        let range = Range { from: now().as_second() - 86_400, to: now().as_second() };
        let question = Question { scope: ReportScope::Site, range, now: now(), as_of: now() };
        let (by, order, limit) = (By::Link, Order::Click, 5);
        let asked = reports.asked(&question, by, order, limit);
        let at_once = || reports.top_at_hand(&question, by, order, limit).now_or_never();

        assert!(reports.tops.renew(&asked), "another sums it");
        assert!(matches!(at_once(), Some(None)), "nothing yet");
        let old = reports.top(&question, by, order, limit).await.unwrap();
        // Summed in no time, so it is stale at once.
        reports.tops.put(asked.clone(), &old, Instant::now() + Duration::from_secs(1));
        assert!(at_once().flatten().is_some_and(|top| Arc::ptr_eq(&top, &old)), "the stale one");
        reports.tops.renewed(&asked);

        // Nobody sums one that is still good.
        let Some(began) = Instant::now().checked_sub(Duration::from_secs(60)) else { return };
        reports.tops.put(asked.clone(), &old, began);
        assert!(at_once().flatten().is_some_and(|top| Arc::ptr_eq(&top, &old)), "the good one");
        assert!(reports.tops.renew(&asked), "nobody began to");
    });
}
