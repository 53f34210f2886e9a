//! What is copied is the same, however many lanes there are; and whatever is not the same is found.

use std::path::Path;

use super::*;
use crate::domain::tally::{Counts, Row, Scope, Series};
use crate::hits::verify::tests::{block_on, open_store, silent};
use crate::secret::Secret;
use crate::store::accounts::AccountItem;
use crate::store::conformance::accounts::{key, user};
use crate::store::conformance::applying::{batch, clicked};
use crate::store::conformance::editing::{changed, edit};
use crate::store::conformance::webhooks::webhook;
use crate::store::conformance::{at, choose, code, created, find};
use crate::store::documents::{Document, DocumentChange, DocumentChanged};
use crate::store::links::ExportItem;
use crate::store::settings::Kind;
use crate::store::webhooks::Webhook;
use crate::store::{Settings, Store};
use crate::transfer::tests::{exported, filled};
use crate::units::Size;

fn open(dir: &Path, lanes: u16, zone: &str) -> Store {
    let settings = Settings {
        kind: Kind::Sqlite,
        lanes,
        readers: 2,
        page_cache: Size(2 << 20),
        redis: Default::default(),
    };
    crate::store::sqlite::open(dir, &settings, at(0), zone).unwrap().store
}

/// Ends every stream, as nodes do when they stop.
async fn finish(store: &Store) {
    for state in store.tallies.streams().await.unwrap() {
        assert!(store.tallies.finish(state.stream, &state.ordinals, at(0)).await.unwrap());
    }
}

/// A filled store in `dir`, with hits that were lost and days of two zones.
async fn source(dir: &Path) -> Store {
    filled(dir).await;
    let store = open_store(dir, "Europe/Vienna");
    store.tallies.add_zone(4_000_000_000, "Asia/Tokyo").await.unwrap();
    store
}

/// Lines of an export that are the same for two stores.
fn content(text: &str) -> Vec<&str> {
    let own = |line: &&str| {
        !["slugline", "stream", "end"].iter().any(|k| line.starts_with(&format!("{{\"kind\":\"{k}\"")))
    };
    text.lines().filter(own).collect()
}

fn refusal<T: std::fmt::Debug>(said: Result<T, Error>) -> String {
    match said {
        Err(Error::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn lanes_may_become_fewer_or_more() {
    block_on(async {
        for lanes in [1, 5] {
            let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let from = source(one.path()).await;
            let to = open(two.path(), lanes, "Europe/Vienna");
            let open = copy(&from, &to, two.path(), &silent).await;
            assert!(refusal(open).contains("000000000000004d"), "a stream is not finished");
            assert_eq!(unfinished(two.path()).unwrap(), None);
            finish(&from).await;
            let copied = copy(&from, &to, two.path(), &silent).await.unwrap();
            assert!(!copied.resumed);
            for kind in [
                "article", "alias", "link", "history", "key", "user", "setting", "channel", "audit", "scope",
                "webhook",
            ] {
                assert!(copied.lines.of(kind) > 0, "{kind}");
            }
            assert!(matches!(unfinished(two.path()).unwrap(), Some(Unfinished::Migration { .. })));
            assert_eq!(super::compared(two.path()).unwrap(), None);
            let again = copy(&from, &to, two.path(), &silent).await.unwrap();
            assert_eq!((again.resumed, again.lines.all()), (true, 0), "all was there");
            let compared = compare(&from, &to, two.path(), &silent).await.unwrap();
            assert_eq!(
                (compared.links, compared.scopes),
                (copied.lines.of("link"), copied.lines.of("scope"))
            );
            assert_eq!(content(&exported(&from).await), content(&exported(&to).await));
            let webhooks = to.webhooks.all().await.unwrap();
            assert_eq!(webhooks, from.webhooks.all().await.unwrap(), "with their secrets");
            let lost = to.tallies.lost().await.unwrap();
            let (site, of_lanes) = lost.split_last().unwrap();
            assert_eq!((*site, of_lanes.iter().sum::<u64>()), (3, 3));
            let (source, target) =
                (from.tallies.dataset().await.unwrap(), to.tallies.dataset().await.unwrap());
            assert_eq!(super::compared(two.path()).unwrap(), Some((source.id, target.id)));
            assert_eq!((target.zones.len(), target.lanes), (2, lanes));
            done(two.path()).unwrap();
            assert_eq!(unfinished(two.path()).unwrap(), None);
            from.close().await.unwrap();
            to.close().await.unwrap();
        }
    });
}

/// What is done to the target behind the migration's back, and what it says then.
type Tampering = (&'static str, fn(Store) -> std::pin::Pin<Box<dyn Future<Output = ()>>>);

const TAMPERINGS: [Tampering; 10] = [
    ("webhook w1", |to| {
        Box::pin(async move {
            let other = Secret::new("whsec_b3RoZXI=");
            let webhook = Webhook { secret: other, version: 2, ..webhook("w1", 6) };
            to.webhooks.replace(webhook, "k", "webhook.changed", at(9)).await.unwrap();
        })
    }),
    ("another in the target", |to| {
        Box::pin(async move {
            let found = find(&to, "kx7dw4m").await;
            changed(&to, edit(&found, |link| link.note = Some("other".into()))).await;
        })
    }),
    // Which of the things that belong to it is told, is as their hashes are.
    ("extra", |to| Box::pin(async move { drop(created(&to, choose(9, "extra", "extra")).await) })),
    ("of an article", |to| {
        Box::pin(async move {
            let items = to.links.export(None).await.unwrap().items;
            let Some(ExportItem::Article(article)) = items.first() else { panic!("{items:?}") };
            let (kind, value) = ("url".into(), "https://news.example.com/added".into());
            let alias = ExportItem::Alias { kind, site: String::new(), value, article: article.id.clone() };
            to.links.import(vec![alias]).await.unwrap();
        })
    }),
    ("version 77 in the history", |to| {
        Box::pin(async move {
            let mut entry = to.links.history(&code("kx7dw4m"), None, 1).await.unwrap().remove(0);
            entry.version = 77;
            let line = ExportItem::History { code: code("kx7dw4m"), entry };
            to.links.import(vec![line]).await.unwrap();
        })
    }),
    ("API key zz", |to| Box::pin(async move { assert!(to.accounts.add_key(key("zz", 5)).await.unwrap()) })),
    ("user Ada", |to| {
        Box::pin(async move {
            let changed = crate::store::accounts::User { password: None, ..user("Ada", 4) };
            assert!(to.accounts.set_user(changed, "cli", "user.changed", at(9)).await.unwrap());
        })
    }),
    ("only the target has numbers of link:other", |to| {
        Box::pin(
            async move { to.tallies.import(vec![clicked(Scope::Link("other".into()), 3)]).await.unwrap() },
        )
    }),
    ("minute 60 of site", |to| {
        Box::pin(async move {
            let mut site = to.tallies.export(None).await.unwrap().remove(0);
            let counts = Counts { bots: 1, ..Counts::default() };
            site.rows.push(Row { series: Series::Minute, bucket: 60, value: "".into(), counts });
            to.tallies.import(vec![site]).await.unwrap();
        })
    }),
    ("lost of links and site", |to| Box::pin(async move { to.tallies.import_lost(0, 9).await.unwrap() })),
];

#[test]
fn each_difference_is_named() {
    block_on(async {
        let one = tempfile::tempdir().unwrap();
        let from = source(one.path()).await;
        finish(&from).await;
        for (named, tamper) in TAMPERINGS {
            let two = tempfile::tempdir().unwrap();
            let to = open_store(two.path(), "Europe/Vienna");
            copy(&from, &to, two.path(), &silent).await.unwrap();
            tamper(to.clone()).await;
            let said = compare(&from, &to, two.path(), &silent).await;
            assert!(said.is_err(), "{named}: {said:?}");
            let why = refusal(said);
            assert!(why.contains("not the same") && why.contains(named), "{named}: {why}");
            assert_eq!(super::compared(two.path()).unwrap(), None, "nothing is to be left");
            to.close().await.unwrap();
        }
        from.close().await.unwrap();
    });
}

#[test]
fn what_is_missing_is_named() {
    block_on(async {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = source(one.path()).await;
        finish(&from).await;
        let to = open_store(two.path(), "Europe/Vienna");
        copy(&from, &to, two.path(), &silent).await.unwrap();
        let compared = async || refusal(compare(&from, &to, two.path(), &silent).await);
        let line = crate::store::accounts::AuditEntry {
            id: 0,
            at: at(70),
            by: "cli".into(),
            action: "thing.done".into(),
            object: "thing:a".into(),
            detail: String::new(),
        };
        from.accounts.audit(vec![line.clone()]).await.unwrap();
        assert!(compared().await.contains("thing.done thing:a by cli"));
        to.accounts.import(vec![AccountItem::Audit(line)]).await.unwrap();
        let document = from.documents.documents().await.unwrap().remove(0);
        let DocumentChanged::Done(_) = from.documents.change_document(change(&document, None)).await.unwrap()
        else {
            panic!("it is there")
        };
        assert!(compared().await.contains("setting newsroom.name is missing or another"));
        let back = change(&document, Some(document.value.clone()));
        from.documents.change_document(back.clone()).await.unwrap();
        for _ in 0..2 {
            let other = DocumentChange { value: Some("Other".into()), ..back.clone() };
            to.documents.change_document(other).await.unwrap();
            to.documents.change_document(back.clone()).await.unwrap();
        }
        assert!(compared().await.contains("setting newsroom.name is missing or another"), "another version");
        from.close().await.unwrap();
        to.close().await.unwrap();
    });
}

fn change(document: &Document, value: Option<serde_json::Value>) -> DocumentChange {
    let Document { kind, name, .. } = document.clone();
    DocumentChange { kind, name, value, seen: None, by: "cli".into(), at: at(80) }
}

#[test]
fn a_missing_link_is_named() {
    block_on(async {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = source(one.path()).await;
        finish(&from).await;
        let to = open_store(two.path(), "Europe/Vienna");
        copy(&from, &to, two.path(), &silent).await.unwrap();
        let compared = async || refusal(compare(&from, &to, two.path(), &silent).await);
        created(&from, choose(9, "late", "late")).await;
        assert!(compared().await.contains("link late is missing in the target"));
        from.close().await.unwrap();
        to.close().await.unwrap();
    });
}

/// A store whose own books do not balance must not become the base of one in which all do.
#[test]
fn what_does_not_add_up_is_not_moved() {
    block_on(async {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = source(one.path()).await;
        finish(&from).await;
        from.tallies.apply(&batch(5, 0, 0, 7, vec![])).await.unwrap();
        finish(&from).await;
        let to = open_store(two.path(), "Europe/Vienna");
        assert!(refusal(copy(&from, &to, two.path(), &silent).await).contains("do not add up in lane 0"));
        from.close().await.unwrap();
        to.close().await.unwrap();
    });
}
