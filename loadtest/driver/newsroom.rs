//! A newsroom at work beside the readers: links made and changed, lists and reports looked at, somebody who watches.
//!
//! Guarantees: each kind of work is done at its own pace, however long the others take, and every refusal is noted with
//! its words. Refuses to know: how many readers there are.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::api::{Api, excerpt, runtime};
use crate::numbers::{count, nanos};
use crate::random::Random;

/// How often each is done: a large newsroom on a busy day.
const SINGLE: Duration = Duration::from_secs(2);
const BATCH: Duration = Duration::from_secs(15);
const EDIT: Duration = Duration::from_secs(3);
const LIST: Duration = Duration::from_secs(2);
const REPORT: Duration = Duration::from_secs(2);
/// Between two looks at whether it is over.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Links in a batch.
const BATCH_LINKS: u64 = 50;
/// Errors that are kept in words.
const WORDS: usize = 20;
/// A viewer who hears nothing for so long has lost the connection.
const SILENCE: Duration = Duration::from_secs(20);

/// What came of one kind of work.
#[derive(Default)]
pub(crate) struct Done {
    /// Nanoseconds of each that went well.
    pub(crate) took: Vec<u64>,
    pub(crate) errors: u64,
}

/// What came of all.
#[derive(Default)]
pub(crate) struct Diary {
    done: Mutex<BTreeMap<&'static str, Done>>,
    words: Mutex<Vec<String>>,
    errors: AtomicU64,
    /// Events that the viewer got.
    pub(crate) events: AtomicU64,
}

impl Diary {
    fn note(&self, kind: &'static str, began: Instant, outcome: Result<()>) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = done.entry(kind).or_default();
        match outcome {
            Ok(()) => of_kind.took.push(nanos(began.elapsed())),
            Err(error) => {
                of_kind.errors += 1;
                self.errors.fetch_add(1, Ordering::Relaxed);
                let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
                if words.len() < WORDS {
                    words.push(format!("{kind}: {error:#}"));
                }
            }
        }
    }

    /// What went wrong so far, of all kinds.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    pub(crate) fn into_parts(self) -> (BTreeMap<&'static str, Done>, Vec<String>) {
        let done = self.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        (done, self.words.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Works until `over`; all of it on the calling thread.
pub(crate) fn work(api: &Api, codes: &[String], diary: &Diary, over: &AtomicBool) -> Result<()> {
    let desk = Desk { api, codes, diary, over };
    runtime()?.block_on(async {
        tokio::join!(
            desk.keep("create", SINGLE, 1, async |desk, n, _| desk.create(n).await),
            desk.keep("create batch", BATCH, 2, async |desk, n, _| desk.batch(n).await),
            desk.keep("edit", EDIT, 3, async |desk, n, random| desk.edit(n, random).await),
            desk.keep("list", LIST, 4, async |desk, n, _| desk.list(n).await),
            desk.keep("report", REPORT, 5, async |desk, n, random| desk.report(n, random).await),
            desk.watch(),
        );
    });
    Ok(())
}

struct Desk<'a> {
    api: &'a Api,
    codes: &'a [String],
    diary: &'a Diary,
    over: &'a AtomicBool,
}

impl Desk<'_> {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits until it is over.
    async fn ended(&self) {
        while !self.is_over() {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Does something again and again.
    async fn keep(
        &self,
        kind: &'static str,
        every: Duration,
        seed: u64,
        work: impl AsyncFn(&Self, u64, &mut Random) -> Result<()>,
    ) {
        let mut pace = interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut random = Random::new(seed);
        let mut n = 0;
        loop {
            tokio::select! {
                _ = pace.tick() => {}
                () = self.ended() => return,
            }
            let began = Instant::now();
            let outcome = work(self, n, &mut random).await;
            self.diary.note(kind, began, outcome);
            n += 1;
        }
    }

    async fn create(&self, n: u64) -> Result<()> {
        let link = json!({
            "url": format!("https://news.example.com/2026/11/23/soak-{n:06}"),
            "channel": "newsletter",
            "article": { "title": format!("Story {n} of the day"), "section": "World", "authors": ["Ada Writer"] },
        });
        let (status, body) = self.api.send(Method::POST, "/api/v1/links", &link).await?;
        ensure!(status == StatusCode::CREATED, "answered {status}: {}", excerpt(&body));
        Ok(())
    }

    async fn batch(&self, n: u64) -> Result<()> {
        let url = |of| format!("https://news.example.com/2026/11/23/batch-{n:06}-{of:03}");
        let links: Vec<Value> = (0..BATCH_LINKS).map(|of| json!({ "url": url(of) })).collect();
        let codes = self.api.create(Bytes::from(json!({ "links": links }).to_string())).await?;
        ensure!(count(codes.len()) == BATCH_LINKS, "{} links were made", codes.len());
        Ok(())
    }

    /// Another target for a link that readers follow meanwhile.
    async fn edit(&self, n: u64, random: &mut Random) -> Result<()> {
        let code = random.pick(self.codes).context("there is no code")?;
        let path = format!("/api/v1/links/{code}");
        let link: Value = serde_json::from_slice(&self.api.get(&path).await?)?;
        let change = json!({
            "version": link.get("version").context("a link has no version")?,
            "url": format!("https://news.example.com/2026/11/23/moved-{n:06}"),
        });
        let (status, body) = self.api.send(Method::PATCH, &path, &change).await?;
        ensure!(status == StatusCode::OK, "{code} answered {status}: {}", excerpt(&body));
        Ok(())
    }

    async fn list(&self, n: u64) -> Result<()> {
        let lists = [
            "/api/v1/links?limit=50",
            "/api/v1/links?q=story&limit=50",
            "/api/v1/links?section=World&sort=-updated",
            "/api/v1/links?channel=newsletter&sort=title",
        ];
        let at = usize::try_from(n)? % lists.len();
        self.api.get(lists.get(at).context("there is no list")?).await.map(|_| ())
    }

    async fn report(&self, n: u64, random: &mut Random) -> Result<()> {
        let code = random.pick(self.codes).context("there is no code")?;
        let path = match n % 6 {
            0 => "summary?scope=site".to_owned(),
            1 => format!("summary?scope=link:{code}"),
            2 => format!("series?scope=link:{code}&unit=hour"),
            3 => "top?scope=site&by=link&limit=50".to_owned(),
            4 => "top?scope=site&by=source".to_owned(),
            _ => "series?scope=site&unit=minute&from=".to_owned() + &an_hour_ago(),
        };
        self.api.report(&path).await.map(|_| ())
    }

    /// Follows the live board, and comes back whenever it ends.
    async fn watch(&self) {
        let api = self.api.another();
        while !self.is_over() {
            let began = Instant::now();
            let outcome = self.follow(&api).await;
            self.diary.note("live", began, outcome);
            if !self.is_over() {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn follow(&self, api: &Api) -> Result<()> {
        let answer = api.ask(Method::GET, "/api/v1/live", Bytes::new()).await?;
        ensure!(answer.status() == StatusCode::OK, "answered {}", answer.status());
        let mut body = answer.into_body();
        while !self.is_over() {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await.context("nothing is heard")?;
            let frame = frame.context("the stream ended")??;
            if let Some(data) = frame.data_ref() {
                let events = data.split(|&b| b == b'\n').filter(|line| line.starts_with(b"event:")).count();
                self.diary.events.fetch_add(count(events), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

fn an_hour_ago() -> String {
    let at = jiff::Timestamp::now().as_second() - 3_600;
    jiff::Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.to_string())
}
