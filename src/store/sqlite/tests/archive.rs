//! Every released schema, with data in it, opens and is what it was.
//!
//! The dumps are in `tests/fixtures/store-vN/`. That of the current schema is written by
//! `SLUGLINE_WRITE_FIXTURES=1 cargo test --lib the_current_schema_is_that_of_its_fixture` from the store that
//! [`a_little_of_everything`] makes; without the variable the same test says if the schema has changed without a
//! migration. A schema that was released is never written again.

use std::fmt::Write;

use rusqlite::types::ValueRef;

use super::*;
use crate::domain::access::Role;
use crate::domain::article::Said;
use crate::domain::tally::{Counts, Scope, ScopeKind, Series, StreamId};
use crate::store::accounts::{Answer, Begun};
use crate::store::conformance::accounts::{key, user};
use crate::store::conformance::applying::{audit_holds, batch, clicked, clicks, link};
use crate::store::conformance::editing::{changed, edit, retire};
use crate::store::conformance::tokens::token;
use crate::store::conformance::webhooks::{delivery, webhook};
use crate::store::conformance::{existing, url};
use crate::store::documents::{Document, DocumentKind};
use crate::store::links::{ArticleKey, LinkFilter, LinkOrder, LinkPage};
use crate::store::tokens::{Token, TokenKind};

const CURRENT: &str = "tests/fixtures/store-v7";
const RELEASED: [&str; 7] = [
    "tests/fixtures/store-v1",
    "tests/fixtures/store-v2",
    "tests/fixtures/store-v3",
    "tests/fixtures/store-v4",
    "tests/fixtures/store-v5",
    "tests/fixtures/store-v6",
    CURRENT,
];

/// The search index is not dumped: its tables are FTS5's own. All links are to be indexed again.
fn dump(file: &Path) -> String {
    let conn = Connection::open(file).unwrap();
    let mut text = String::new();
    for pragma in ["application_id", "user_version"] {
        let value: i64 = conn.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        writeln!(text, "PRAGMA {pragma} = {value};").unwrap();
    }
    let mut schema = conn
        .prepare(
            "SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'search\\__%' ESCAPE '\\' \
             OR name = 'search_pending' ORDER BY rowid",
        )
        .unwrap();
    let objects = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for object in objects {
        let (name, kind, sql): (String, String, String) = object.unwrap();
        writeln!(text, "{sql};").unwrap();
        if kind == "table" && !name.starts_with("search") {
            dump_rows(&conn, &name, &mut text);
        }
    }
    if text.contains("search_pending") {
        text.push_str("INSERT INTO search_pending (link) SELECT id FROM links;\n");
    }
    text
}

fn dump_rows(conn: &Connection, table: &str, text: &mut String) {
    let mut all = conn.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1, 2")).unwrap();
    let columns = all.column_count();
    let mut rows = all.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<String> = (0..columns).map(|n| literal(row.get_ref(n).unwrap())).collect();
        writeln!(text, "INSERT INTO \"{table}\" VALUES ({});", values.join(", ")).unwrap();
    }
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            format!("x'{}'", bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")))
        }
    }
}

fn load(fixture: &Path, dir: &Path) {
    for name in ["links", "tallies"] {
        let sql = std::fs::read_to_string(fixture.join(format!("{name}.sql"))).unwrap();
        let conn = Connection::open(dir.join(format!("{name}.db"))).unwrap();
        conn.execute_batch(&sql).unwrap();
    }
}

/// Stores of before had no documents.
fn a_channel() -> Document {
    Document {
        kind: DocumentKind::Channel,
        name: "x".into(),
        value: serde_json::json!({ "utm_source": "x" }),
        version: 3,
        updated_at: at(4),
        updated_by: "user:maria".into(),
    }
}

fn a_share() -> Token {
    token(TokenKind::Share, "a", "user:Maria", 0)
}

/// What the fixtures hold; [`is_a_little_of_everything`] reads it again.
async fn a_little_of_everything(store: &Store) {
    let mut new = choose(1, "a", "Vote-26");
    let claim = new.article.as_mut().unwrap();
    claim.cms_id = Some("4711".into());
    claim.facts.title = Some("It's the headline".into());
    claim.facts.section = Some("World".into());
    claim.facts.authors = vec!["Ann Author".into()];
    claim.facts.published_at = Some(at(-60));
    new.link.tags = vec!["election".into()];
    new.link.channel = Some("x".into());
    let first = created(store, new).await;
    changed(store, edit(&first, |l| l.note = Some("for the desk".into()))).await;
    let second = created(store, ask(2, "b", &["kx7dw4m"])).await;
    retire(store, &second).await;
    store.accounts.add_key(key("abcdefghijkl", 0)).await.unwrap();
    store.accounts.add_key(key("mnopqrstuvwx", 1)).await.unwrap();
    store.accounts.revoke_key("mnopqrstuvwx", "cli", at(2)).await.unwrap();
    store.accounts.add_user(user("Maria", 0)).await.unwrap();
    store.documents.import_documents(vec![a_channel()]).await.unwrap();
    store.accounts.begin("key:a", "i", [1; 32], at(0)).await.unwrap();
    let answer = Answer { status: 201, body: b"{}".to_vec() };
    store.accounts.finish("key:a", "i", Some(answer)).await.unwrap();
    store.webhooks.import(vec![webhook("w1", 0)]).await.unwrap();
    store.deliveries.enqueue(vec![delivery("w1", "m1", 0)]).await.unwrap();
    store.tokens.put(a_share()).await.unwrap();
    let groups = vec![clicked(link("Vote-26"), 5), clicked(link("kx7dw4m"), 2)];
    let mut lossy = batch(u64::MAX, 0, 0, 9, groups);
    lossy.lost = 2;
    store.tallies.apply(&lossy).await.unwrap();
    let site = vec![clicked(Scope::Site, 7), clicked(Scope::Section("World".into()), 5)];
    store.tallies.apply(&batch(u64::MAX, 1, 0, 7, site)).await.unwrap();
    store.tallies.apply(&batch(3, 0, 0, 1, vec![clicked(link("Vote-26"), 1)])).await.unwrap();
    store.tallies.finish(StreamId(3), &[1, 0], at(3)).await.unwrap();
    store.tallies.add_zone(2_000_000_000, "Asia/Tokyo").await.unwrap();
}

async fn is_a_little_of_everything(store: &Store) {
    let found = find(store, "vote-26").await;
    let article = found.article.clone().unwrap();
    assert_eq!((found.link.version, found.link.note.as_deref()), (2, Some("for the desk")));
    assert_eq!((article.cms_id.as_deref(), article.facts.authors.len()), (Some("4711"), 1));
    assert_eq!(article.facts.title.as_deref(), Some("It's the headline"));
    // Who said what was not kept at first: nobody but the CMS and staff said anything.
    assert_eq!(article.said, Said::known(&article.facts));
    let history = store.links.history(&found.link.code, None, 10).await.unwrap();
    assert_eq!(history.iter().map(|e| e.action.as_str()).collect::<Vec<_>>(), ["changed", "created"]);
    assert!(store.links.article(ArticleKey::CmsId("4711".into())).await.unwrap().is_some());
    for q in ["the desk", "s the head"] {
        let filter = LinkFilter { q: Some(q.into()), section: Some("World".into()), ..LinkFilter::default() };
        let page = LinkPage { filter, order: LinkOrder::Title, descending: true, after: None, limit: 5 };
        assert_eq!(store.links.list(page, at(0)).await.unwrap(), std::slice::from_ref(&found));
    }
    let mut again = ask(9, "a", &["new"]);
    again.link.channel = Some("x".into());
    assert_eq!(existing(store, again).await.link, found.link);
    assert!(find(store, "kx7dw4m").await.link.retired_at.is_some());

    let keys = store.accounts.keys().await.unwrap();
    assert_eq!(keys.iter().map(|k| k.revoked_at).collect::<Vec<_>>(), [None, Some(at(2))]);
    assert_eq!(store.accounts.users().await.unwrap()[0].role, Role::Editor);
    assert_eq!(store.accounts.audited(None, 100).await.unwrap().len(), 8);
    let begun = store.accounts.begin("key:a", "i", [1; 32], at(9)).await.unwrap();
    assert!(matches!(begun, Begun::Done(Answer { status: 201, .. })));

    // Older schemas had none.
    for there in store.webhooks.all().await.unwrap() {
        assert_eq!(there, webhook("w1", 0));
        let due = store.deliveries.due(&["w1".into()], at(0), 9).await.unwrap();
        assert_eq!(due, [delivery("w1", "m1", 0)]);
    }

    for there in store.tokens.list(TokenKind::Share, None, at(1)).await.unwrap() {
        assert_eq!(there, a_share());
    }

    let scopes = [link("Vote-26"), Scope::Site, Scope::Section("World".into())];
    assert_eq!(store.tallies.totals(&scopes).await.unwrap(), [clicks(6), clicks(7), clicks(5)]);
    let hours = store.tallies.rows(&link("Vote-26"), Series::Hour, 0, 10_000).await.unwrap();
    assert_eq!(hours.iter().map(|r| r.counts).sum::<Counts>(), clicks(6));
    assert_eq!(store.tallies.by_scope(ScopeKind::Link, 0, 30_000, None).await.unwrap().len(), 2);
    assert_eq!(store.tallies.stream(StreamId(u64::MAX)).await.unwrap().ordinals, [9, 7]);
    assert_eq!(store.tallies.stream(StreamId(3)).await.unwrap().finished_at, Some(at(3)));
    assert_eq!(store.tallies.lost().await.unwrap(), [2, 0]);
    assert_eq!(store.tallies.dataset().await.unwrap().zones.len(), 2);
    audit_holds(store).await;
    assert_eq!(article.url, url("a"));
}

#[test]
fn every_released_schema_opens_as_it_was() {
    for fixture in RELEASED {
        let dir = tempfile::tempdir().unwrap();
        load(Path::new(fixture), dir.path());
        let opened = open_in(dir.path(), 1);
        block_on(async {
            is_a_little_of_everything(&opened.store).await;
            let first = RELEASED.iter().position(|f| *f == "tests/fixtures/store-v4").unwrap();
            let has = RELEASED[first..].contains(&fixture);
            let documents = if has { vec![a_channel()] } else { vec![] };
            assert_eq!(opened.store.documents.documents().await.unwrap(), documents, "{fixture}");
            // And it lives on.
            created(&opened.store, ask(10, "new", &["new"])).await;
            opened.store.close().await.unwrap();
        });
    }
}

#[test]
fn the_current_schema_is_that_of_its_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open_in(dir.path(), 1);
    block_on(async {
        a_little_of_everything(&opened.store).await;
        is_a_little_of_everything(&opened.store).await;
        opened.store.close().await.unwrap();
    });
    for name in ["links", "tallies"] {
        let text = dump(&dir.path().join(format!("{name}.db")));
        let kept = Path::new(CURRENT).join(format!("{name}.sql"));
        if std::env::var_os("SLUGLINE_WRITE_FIXTURES").is_some() {
            std::fs::create_dir_all(CURRENT).unwrap();
            std::fs::write(&kept, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&kept).unwrap();
        let schema = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("INSERT"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(schema(&text), schema(&kept), "{name}: a change of the schema is a new migration");
    }
}
