//! What the service does while the store cannot take messages.

use std::sync::Mutex;

use super::*;
use crate::articles::fetch::System;
use crate::domain::link::Found;
use crate::links::news::What;
use crate::store::Store;
use crate::store::conformance::webhooks::webhook;
use crate::store::conformance::{ask, at, created, run};
use crate::store::webhooks::{Health, Settled};

/// How a store that is asked to add messages behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Good,
    Away,
    Hanging,
    Full,
}

/// Passes all on to a real store, if it is in the mood.
struct Moody {
    inner: Arc<dyn Deliveries>,
    mood: Mutex<Mood>,
}

impl Moody {
    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

#[async_trait]
impl Deliveries for Moody {
    async fn enqueue(&self, new: Vec<Delivery>) -> store::Result<Enqueued> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Good => self.inner.enqueue(new).await,
            Mood::Away => Err(store::Error::Unavailable("away".into())),
            Mood::Hanging => std::future::pending().await,
            Mood::Full => Ok(Enqueued { added: 0, refused: new.len() }),
        }
    }

    async fn due(&self, webhooks: &[String], now: Timestamp, limit: usize) -> store::Result<Vec<Delivery>> {
        self.inner.due(webhooks, now, limit).await
    }

    async fn settle(
        &self,
        before: &Delivery,
        after: Delivery,
        health: Health,
        now: Timestamp,
    ) -> store::Result<Settled> {
        self.inner.settle(before, after, health, now).await
    }

    async fn find(&self, webhook: &str, id: &str) -> store::Result<Option<Delivery>> {
        self.inner.find(webhook, id).await
    }

    async fn list(
        &self,
        webhook: &str,
        before: Option<(i64, String)>,
        limit: usize,
    ) -> store::Result<Vec<Delivery>> {
        self.inner.list(webhook, before, limit).await
    }

    async fn failing_since(&self, webhook: &str) -> store::Result<Option<Timestamp>> {
        self.inner.failing_since(webhook).await
    }

    async fn forgive(&self, webhook: &str) -> store::Result<()> {
        self.inner.forgive(webhook).await
    }
}

async fn open(store: &Store) -> (WebhookService, Arc<Moody>) {
    let moody = Arc::new(Moody { inner: Arc::clone(&store.deliveries), mood: Mutex::new(Mood::Good) });
    let deadline = Duration::from_millis(200);
    let poster = Poster::new("https://sl.example", vec![], Arc::new(System::new()), deadline).unwrap();
    let second = Span(Duration::from_secs(1));
    let settings = Settings { deadline: second, retry_after: vec![second], disable_after: second };
    let needs = Needs {
        webhooks: Arc::clone(&store.webhooks),
        deliveries: Arc::<Moody>::clone(&moody),
        accounts: Arc::clone(&store.accounts),
        poster: Arc::new(poster),
        settings,
        public_url: "https://sl.example".into(),
        deadline,
    };
    (WebhookService::open(needs).await.unwrap(), moody)
}

fn news(found: &Found, what: What) -> News {
    News { what, found: found.clone(), by: "key:a".into(), at: at(0) }
}

#[test]
fn an_editor_waits_for_no_store_longer_than_for_any_call() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let page_cache = crate::units::Size(1 << 20);
        let settings = store::Settings {
            kind: store::settings::Kind::Sqlite,
            lanes: 1,
            readers: 1,
            page_cache,
            redis: Default::default(),
        };
        let store = store::open(dir.path(), &settings, at(0), "UTC").await.unwrap();
        let found = created(&store, ask(1, "a", &["aa"])).await;
        let (service, moody) = open(&store).await;
        // Nobody wants to hear.
        assert!(!service.listens());
        service.hear(vec![news(&found, What::Created)]).await;
        store.webhooks.add(webhook("w1", 0)).await.unwrap();
        service.reload().await.unwrap();
        assert!(
            service.listens() && service.is_wanted(message::CREATED) && !service.is_wanted(message::CHANGED)
        );
        let kept = async || store.deliveries.list("w1", None, 9).await.unwrap().len();
        for (mood, lost) in [(Mood::Away, true), (Mood::Hanging, true), (Mood::Full, false)] {
            moody.set(mood);
            let began = std::time::Instant::now();
            service.hear(vec![news(&found, What::Created)]).await;
            assert!(began.elapsed() < Duration::from_secs(5), "{mood:?}");
            assert_eq!(service.failing.load(Ordering::Relaxed), lost, "{mood:?}");
            assert_eq!(kept().await, 0, "{mood:?}");
        }
        assert!(service.full.load(Ordering::Relaxed), "it is said once");
        moody.set(Mood::Good);
        let retired = What::Changed { action: "retired".into(), changes: serde_json::Map::new() };
        for _ in 0..2 {
            service.hear(vec![news(&found, What::Created), news(&found, retired.clone())]).await;
            assert_eq!(kept().await, 1, "once, and only what is wanted");
        }
        assert!(!service.failing.load(Ordering::Relaxed));
        store.close().await.unwrap();
    });
}
