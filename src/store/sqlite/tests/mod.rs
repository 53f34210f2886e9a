//! What is SQLite's own: one commit for many, two processes, files that must be refused, older schemas.

mod archive;
mod files;

use super::*;
use crate::store::conformance::tokens::token;
use crate::store::conformance::{ask, at, choose, created, find};
use crate::store::settings;
use crate::store::tokens::TokenKind;
use crate::units::Size;
use tokio::task::JoinSet;

fn settings(lanes: u16) -> Settings {
    Settings {
        kind: settings::Kind::Sqlite,
        lanes,
        readers: 2,
        page_cache: Size(2 << 20),
        redis: Default::default(),
    }
}

fn open_in(dir: &Path, lanes: u16) -> Opened {
    open(dir, &settings(lanes), at(0), "Europe/Vienna").unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn one_lane() -> (Store, tempfile::TempDir) {
    made(1)
}

async fn four_lanes() -> (Store, tempfile::TempDir) {
    made(4)
}

fn made(lanes: u16) -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open_in(dir.path(), lanes).store, dir)
}

mod conformance_with_1_lane {
    use super::one_lane;
    crate::store_conformance!(one_lane);
}

mod conformance_with_4_lanes {
    use super::four_lanes;
    crate::store_conformance!(four_lanes);
}

#[test]
fn a_copy_has_no_tokens() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let token = token(TokenKind::Session, "the secret", "user:a name to look for", 0);
    block_on(async {
        let store = open_in(dir.path(), 1).store;
        store.tokens.put(token.clone()).await.unwrap();
        store.backend.snapshot(to.path()).await.unwrap();
        assert_eq!(store.tokens.get(TokenKind::Session, token.id, at(1)).await.unwrap(), Some(token.clone()));
        store.close().await.unwrap();
        let holds = |dir: &Path| {
            let bytes = std::fs::read(dir.join("links.db")).unwrap();
            bytes.windows(14).any(|some| some == b"a name to look")
        };
        assert!(holds(dir.path()) && !holds(to.path()), "not in its free pages either");
        let copy = open_in(to.path(), 1).store;
        assert!(copy.tokens.list(TokenKind::Session, None, at(1)).await.unwrap().is_empty());
        copy.close().await.unwrap();
    });
}

#[test]
fn opens_closes_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_in(dir.path(), 0);
    let dataset = block_on(first.store.tallies.dataset()).unwrap();
    assert_eq!((dataset.lanes, dataset.zones), (1, vec![(0, "Europe/Vienna".to_owned())]));
    block_on(first.store.close()).unwrap();
    block_on(first.store.close()).unwrap();
    assert!(matches!(block_on(first.store.links.find("a")), Err(Error::Unavailable(_))));
    assert!(matches!(block_on(first.store.links.create(vec![], at(0))), Err(Error::Unavailable(_))));
    for file in ["links.db-wal", "tallies.db-wal"] {
        assert!(!dir.path().join(file).exists(), "{file}");
    }
    // Lanes and zone of a store are those it was made with.
    let again = open(dir.path(), &settings(4), at(0), "Asia/Tokyo").unwrap();
    let dataset_again = block_on(again.store.tallies.dataset()).unwrap();
    assert_eq!((dataset_again.id, dataset_again.lanes), (dataset.id, 1));
    assert_eq!(dataset_again.zones, [(0, "Europe/Vienna".to_owned())]);
}

#[test]
fn writes_that_wait_share_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open_in(dir.path(), 1);
    block_on(async {
        // One write that is only over when all the others wait behind it.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let writer = opened.links_writer();
        let mut calls = JoinSet::new();
        calls.spawn(async move { drop(writer.write_alone(move |_| Ok(wait.recv().is_ok())).await) });
        tokio::task::yield_now().await;
        for tag in 1..=200 {
            let links = opened.store.links.clone();
            let name = format!("code{tag}");
            calls.spawn(async move {
                let mut made = links.create(vec![ask(tag, &name, &[&name])], at(0)).await.unwrap();
                assert!(matches!(made.pop().unwrap(), crate::store::links::Creation::Created(_)));
            });
        }
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
        let (commits, writes) = (opened.links_commits.commits(), opened.links_commits.writes());
        go.send(()).unwrap();
        calls.join_all().await;
        assert_eq!(opened.links_commits.writes() - writes, 200);
        // One, if the machine keeps up with a group's 50 ms.
        let commits = opened.links_commits.commits() - commits;
        assert!(commits < 20, "{commits} commits for 200 writes");
        opened.store.close().await.unwrap();
    });
}

#[test]
fn a_write_that_fails_undoes_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open_in(dir.path(), 1);
    block_on(async {
        let writer = opened.links_writer();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let mut calls = JoinSet::new();
        let blocker = writer.clone();
        calls.spawn(async move { blocker.write_alone(move |_| Ok(wait.recv().is_ok())).await.map(drop) });
        tokio::task::yield_now().await;
        for n in 0..10i64 {
            let writer = writer.clone();
            calls.spawn(async move {
                let wrote = writer.write(move |conn, _| {
                    conn.execute("INSERT INTO meta (name, value) VALUES (?, '')", [format!("test{n}")])?;
                    if n % 2 == 0 { Err(corrupt("a test", n)) } else { Ok(()) }
                });
                assert_eq!(wrote.await.is_ok(), n % 2 == 1);
                Ok(())
            });
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        calls.join_all().await;
        let count = writer.write(|conn, _| {
            let sql = "SELECT count(*) FROM meta WHERE name LIKE 'test%'";
            Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(count.await.unwrap(), 5);
    });
}

#[test]
fn a_call_to_a_thread_that_died_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open_in(dir.path(), 1);
    block_on(async {
        let died = opened.links_writer().write_alone(|_| -> Result<()> { panic!("for the test") }).await;
        assert!(matches!(died, Err(Error::Unavailable(_))));
        let after = opened.store.links.create(vec![ask(1, "a", &["aa"])], at(0)).await;
        assert!(matches!(after, Err(Error::Unavailable(_))));
        // Redirects go on.
        assert!(opened.store.links.find("aa").await.unwrap().is_empty());
        assert!(matches!(opened.store.close().await, Err(Error::Unavailable(_))));
    });
}

#[test]
fn two_processes_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (server, cli) = (open_in(dir.path(), 1).store, open_in(dir.path(), 1).store);
    block_on(async {
        let version = server.links.changes_since(0).await.unwrap().version;
        created(&cli, choose(1, "a", "Vote")).await;
        let changes = server.links.changes_since(version).await.unwrap();
        assert_eq!(changes.keys, Some(vec!["vote".to_owned()]));
        assert_eq!(find(&server, "vote").await, find(&cli, "vote").await);
        // Both write, at the same time; each waits for the other.
        let mut calls = JoinSet::new();
        for tag in 2..100 {
            let store = if tag % 2 == 0 { server.clone() } else { cli.clone() };
            calls.spawn(
                async move { created(&store, ask(tag, &format!("p{tag}"), &[&format!("c{tag}")])).await },
            );
        }
        calls.join_all().await;
        assert_eq!((server.links.count().await.unwrap(), cli.links.count().await.unwrap()), (99, 99));
        cli.close().await.unwrap();
        created(&server, ask(100, "late", &["late"])).await;
        server.close().await.unwrap();
    });
}

#[test]
fn the_search_index_narrows_and_never_lies() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open_in(dir.path(), 1);
    block_on(async {
        for tag in 1..=50u64 {
            let mut new = ask(tag, &format!("story-{tag}"), &[&format!("code{tag}")]);
            new.link.title = Some(format!("Headline {tag:03} of the day"));
            created(&opened.store, new).await;
        }
        let found = find(&opened.store, "code7").await;
        let writer = opened.links_writer();
        let index = async || writer.write(|conn, _| links::index_all(conn)).await.unwrap();
        let list = async |q: &str| {
            let filter = crate::store::links::LinkFilter { q: Some(q.into()), ..Default::default() };
            let order = crate::store::links::LinkOrder::Updated;
            let page =
                crate::store::links::LinkPage { filter, order, descending: true, after: None, limit: 99 };
            opened.store.links.list(page, at(0)).await.unwrap().len()
        };
        index().await;
        assert_eq!((list("HEADLINE 007").await, list("line 0").await, list("007 of").await), (1, 50, 1));
        // The index still has the old words, and not yet the new ones.
        let mut change =
            crate::store::conformance::editing::edit(&found, |l| l.title = Some("Another".into()));
        change.slot = crate::store::links::SlotWish::Keep;
        crate::store::conformance::editing::changed(&opened.store, change).await;
        assert_eq!((list("Headline 007").await, list("another").await), (0, 1));
        index().await;
        assert_eq!((list("Headline 007").await, list("another").await), (0, 1));
        let hits = writer.write(|conn, _| {
            let sql = "SELECT count(*) FROM search WHERE search MATCH '\"lin\"'";
            Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(hits.await.unwrap(), 49, "the index forgets what an edit took away");
    });
}
