//! Time, and a store that is away: what tests over HTTP cannot wait for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::domain::access::Role;
use crate::store::Store;
use crate::store::conformance::at;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A store of tokens that counts how often it is asked, and can be away.
struct Watched {
    tokens: Arc<dyn Tokens>,
    away: AtomicBool,
    gets: AtomicUsize,
    touches: AtomicUsize,
}

impl Watched {
    fn there(&self) -> store::Result<()> {
        let away = self.away.load(Ordering::SeqCst);
        if away { Err(store::Error::Unavailable("away".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Tokens for Watched {
    async fn put(&self, token: Token) -> store::Result<()> {
        self.there()?;
        self.tokens.put(token).await
    }

    async fn get(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> store::Result<Option<Token>> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.there()?;
        self.tokens.get(kind, id, now).await
    }

    async fn take(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> store::Result<Option<Token>> {
        self.there()?;
        self.tokens.take(kind, id, now).await
    }

    async fn touch(&self, kind: TokenKind, id: TokenId, at: Timestamp) -> store::Result<()> {
        self.touches.fetch_add(1, Ordering::SeqCst);
        self.there()?;
        self.tokens.touch(kind, id, at).await
    }

    async fn remove(&self, kind: TokenKind, id: TokenId) -> store::Result<()> {
        self.there()?;
        self.tokens.remove(kind, id).await
    }

    async fn remove_of(&self, kinds: &[TokenKind], owner: &str) -> store::Result<()> {
        self.there()?;
        self.tokens.remove_of(kinds, owner).await
    }

    async fn list(&self, kind: TokenKind, owner: Option<&str>, now: Timestamp) -> store::Result<Vec<Token>> {
        self.there()?;
        self.tokens.list(kind, owner, now).await
    }

    async fn sweep(&self, now: Timestamp) -> store::Result<()> {
        self.there()?;
        self.tokens.sweep(now).await
    }
}

struct House {
    _dir: TempDir,
    store: Store,
    watched: Arc<Watched>,
    accounts: Arc<AccountService>,
    sessions: SessionService,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::hits::verify::tests::open_store(dir.path(), "UTC");
    let watched = Arc::new(Watched {
        tokens: Arc::clone(&store.tokens),
        away: AtomicBool::new(false),
        gets: AtomicUsize::new(0),
        touches: AtomicUsize::new(0),
    });
    let tokens: Arc<dyn Tokens> = watched.clone();
    let accounts =
        AccountService::open(Arc::clone(&store.accounts), Arc::clone(&tokens), Arc::clone(&store.documents))
            .await
            .unwrap();
    let accounts = Arc::new(accounts);
    accounts.add_user("Maria", Role::Editor, None, "cli", at(0)).await.unwrap();
    let sessions = SessionService::new(tokens, Arc::clone(&accounts), Settings::for_tests());
    House { _dir: dir, store, watched, accounts, sessions }
}

impl House {
    /// Signed in by a link at some time.
    async fn began(&self, seconds: i64) -> Began {
        let (link, _) = self.sessions.sign_in_link("maria", "cli", at(seconds)).await.unwrap();
        self.sessions.use_link(&link, &Client::default(), at(seconds)).await.unwrap()
    }

    async fn holds(&self, secret: &str, seconds: i64) -> bool {
        let held = self.sessions.holder(secret, at(seconds)).await.unwrap();
        let expected = Actor { name: "user:Maria".into(), role: Role::Editor };
        held.inspect(|(actor, _)| assert_eq!(*actor, expected)).is_some()
    }

    fn away(&self, away: bool) {
        self.watched.away.store(away, Ordering::SeqCst);
    }

    async fn close(self) {
        self.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_ends_when_nobody_comes_and_in_the_end() {
    let house = house().await;
    let idle = house.began(0).await;
    assert!(house.holds(&idle.secret, 7 * DAY - 1).await, "and that was a use");
    assert!(house.holds(&idle.secret, 14 * DAY - 2).await);
    assert!(!house.holds(&idle.secret, 22 * DAY).await);
    assert!(house.sessions.sessions(None, at(22 * DAY)).await.unwrap().is_empty());
    let used = house.began(0).await;
    for day in 0..30 {
        assert!(house.holds(&used.secret, day * DAY + HOUR).await, "day {day}");
    }
    assert!(house.holds(&used.secret, 30 * DAY - 1).await);
    assert!(!house.holds(&used.secret, 30 * DAY).await);
    house.close().await;
}

#[tokio::test]
async fn a_page_costs_no_call_of_the_store() {
    let house = house().await;
    let began = house.began(0).await;
    let gets = || house.watched.gets.load(Ordering::SeqCst);
    assert!(house.holds(&began.secret, 10).await);
    let before = gets();
    for _ in 0..100 {
        assert!(house.holds(&began.secret, 10).await);
    }
    assert_eq!(gets(), before);
    assert!(house.holds(&began.secret, 11).await);
    assert_eq!(gets(), before + 1, "a second later it is asked again");
    // Use is noted by the hour.
    assert_eq!(house.watched.touches.load(Ordering::SeqCst), 0);
    for seconds in [HOUR, HOUR, HOUR + 100, HOUR + 3_000] {
        assert!(house.holds(&began.secret, seconds).await);
    }
    assert_eq!(house.watched.touches.load(Ordering::SeqCst), 1);
    // What can be no secret is not even looked for.
    let before = gets();
    for wrong in ["", "x", &"?".repeat(43), &"A".repeat(44)] {
        assert!(!house.holds(wrong, 10).await);
    }
    assert_eq!(gets(), before);
    house.close().await;
}

#[tokio::test]
async fn while_the_store_is_away_who_was_in_stays_in_for_a_while() {
    let house = house().await;
    let (known, unknown) = (house.began(0).await, house.began(0).await);
    assert!(house.holds(&known.secret, 10).await);
    house.away(true);
    assert!(house.holds(&known.secret, 14 * 60).await);
    assert!(house.sessions.holder(&unknown.secret, at(20)).await.is_err(), "nobody knows");
    assert!(house.sessions.holder(&known.secret, at(16 * 60)).await.is_err(), "for a while only");
    assert!(house.sessions.sign_out(&known.secret, at(20)).await.is_err(), "it has not ended");
    // Who may nothing any more is out all the same.
    house.away(false);
    assert!(house.holds(&known.secret, 17 * 60).await);
    house.away(true);
    assert!(
        house.accounts.disable_user("Maria", "cli", at(18 * 60)).await.is_err(),
        "and is to be told again"
    );
    house.accounts.reload().await.unwrap();
    assert!(!house.holds(&known.secret, 18 * 60).await);
    house.away(false);
    house.accounts.disable_user("Maria", "cli", at(19 * 60)).await.unwrap();
    house.accounts.enable_user("Maria", "cli", at(20 * 60)).await.unwrap();
    assert!(!house.holds(&known.secret, 21 * 60).await, "what was before does not come back");
    house.close().await;
}

#[tokio::test]
async fn a_link_is_good_for_an_hour_and_looking_does_not_use_it() {
    let house = house().await;
    let (link, until) = house.sessions.sign_in_link("maria", "cli", at(0)).await.unwrap();
    assert_eq!(until, at(HOUR));
    let client = Client::default();
    for _ in 0..3 {
        assert_eq!(house.sessions.link_is_for(&link, &client, at(HOUR - 1)).await.unwrap(), "Maria");
    }
    let refused =
        |error| matches!(error, Error::Refused(refusal) if refusal.reason == Reason::Unauthenticated);
    assert!(house.sessions.link_is_for(&link, &client, at(HOUR)).await.is_err_and(refused));
    assert!(house.sessions.use_link(&link, &client, at(HOUR)).await.is_err_and(refused));
    let began = house.began(0).await;
    assert!(house.sessions.may_set_password(&began.info, at(HOUR - 1)));
    assert!(!house.sessions.may_set_password(&began.info, at(HOUR)), "then the one before is asked for");
    house.close().await;
}

#[tokio::test]
async fn screens_and_shares_end_with_their_time_and_their_maker() {
    let house = house().await;
    let maria = house.accounts.acting("Maria").unwrap();
    let make =
        async |kind, view| house.sessions.make_grant(kind, ("a", view), &maria, at(0)).await.unwrap().0;
    let screen = make(GrantKind::Screen, "").await;
    let share = make(GrantKind::Share, "/-/reports?a=b").await;
    let granted =
        async |kind, secret: &str, seconds| house.sessions.granted(kind, secret, at(seconds)).await.unwrap();
    assert_eq!(granted(GrantKind::Share, &share, 30 * DAY - 1).await.unwrap().view, "/-/reports?a=b");
    assert_eq!(granted(GrantKind::Share, &share, 30 * DAY).await, None);
    assert!(granted(GrantKind::Screen, &screen, 364 * DAY).await.is_some());
    assert_eq!(granted(GrantKind::Screen, &screen, 365 * DAY).await, None);
    assert_eq!(granted(GrantKind::Share, &screen, 1).await, None);
    assert_eq!(granted(GrantKind::Screen, &share, 1).await, None);
    // Those of a key end with it.
    let (key, secret) = house.accounts.create_key("k", Role::Creator, None, "cli", at(0)).await.unwrap();
    let by_key = house.accounts.holder(&secret, at(1)).unwrap();
    let (of_key, _) = house.sessions.make_grant(GrantKind::Screen, ("b", ""), &by_key, at(1)).await.unwrap();
    assert!(granted(GrantKind::Screen, &of_key, 2).await.is_some());
    house.accounts.revoke_key(&key.id, "cli", at(2)).await.unwrap();
    assert_eq!(granted(GrantKind::Screen, &of_key, 2).await, None);
    house.close().await;
}
