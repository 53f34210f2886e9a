//! What the service does while the store cannot take messages, and with a key that is used again.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::manage::NewWebhook;
use super::*;
use crate::articles::fetch::System;
use crate::domain::access::{Actor, Role};
use crate::domain::error::Reason;
use crate::domain::link::Found;
use crate::domain::target::Rules;
use crate::links::codes::Entropy;
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
    /// How often it was asked to add messages.
    asked: AtomicUsize,
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
        self.asked.fetch_add(1, Ordering::Relaxed);
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

async fn open_store(dir: &Path) -> Store {
    let page_cache = crate::units::Size(1 << 20);
    let settings = store::Settings {
        kind: store::settings::Kind::Sqlite,
        lanes: 1,
        readers: 1,
        page_cache,
        redis: Default::default(),
    };
    store::open(dir, &settings, at(0), "UTC").await.unwrap()
}

async fn open(store: &Store) -> (WebhookService, Arc<Moody>) {
    let (inner, mood) = (Arc::clone(&store.deliveries), Mutex::new(Mood::Good));
    let moody = Arc::new(Moody { inner, mood, asked: AtomicUsize::new(0) });
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
        let store = open_store(dir.path()).await;
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
        // A batch is not tried piece by piece: what is left of it is lost at the first failure.
        let message = message::of_news(&news(&found, What::Created), "https://sl.example");
        let batch = vec![message; 2 * AT_ONCE + 1];
        for (mood, lost, asked) in
            [(Mood::Away, batch.len(), 1), (Mood::Hanging, batch.len(), 1), (Mood::Full, batch.len(), 3)]
        {
            moody.set(mood);
            moody.asked.store(0, Ordering::Relaxed);
            assert_eq!(service.put_on_way(&batch).await, lost, "{mood:?}");
            assert_eq!(moody.asked.load(Ordering::Relaxed), asked, "{mood:?}");
        }
        moody.set(Mood::Good);
        assert_eq!(service.put_on_way(&batch[..1]).await, 0);
        let retired = What::Changed { action: "retired".into(), changes: serde_json::Map::new() };
        for _ in 0..2 {
            service.hear(vec![news(&found, What::Created), news(&found, retired.clone())]).await;
            assert_eq!(kept().await, 1, "once, and only what is wanted");
        }
        assert!(!service.failing.load(Ordering::Relaxed));
        store.close().await.unwrap();
    });
}

#[test]
fn a_key_that_is_used_again_takes_no_secret_away() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path()).await;
        let (service, _) = open(&store).await;
        let admin = Actor { name: "key:a".into(), role: Role::Admin };
        let make = async |name: &str, now: i64| {
            let url = Some("https://8.8.8.8/in".to_owned());
            let entropy = Entropy::derived("key:a", "key");
            let new = NewWebhook { url, name: Some(name.into()), events: None };
            service.create(new, &Rules::default(), &admin, &entropy, at(now)).await
        };
        let secret = async || store.webhooks.all().await.unwrap()[0].secret.reveal().unwrap().to_owned();
        let made = make("a", 0).await.unwrap();
        // Its answer was lost before anybody saw it.
        let again = make("a", 60).await.unwrap();
        assert_eq!((&again.id, again.version), (&made.id, 2));
        assert_ne!(again.secret.reveal(), made.secret.reveal());
        // Somebody has changed it since, or its day is over: its secret is in use.
        let before = secret().await;
        for now in [61, 86_400] {
            let Err(Error::Refused(refusal)) = make("a", now).await else { panic!("it is in use") };
            assert_eq!(refusal.reason, Reason::Conflict);
            assert_eq!(secret().await, before);
        }
        service.remove(&made.id, &admin, at(0)).await.unwrap();
        store.close().await.unwrap();
    });
}
