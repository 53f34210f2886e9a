//! The mirror beside a store: whatever order its records come in, it shows the same.

use std::collections::BTreeMap;

use super::*;
use crate::store::conformance::editing::{changed, edit};
use crate::store::conformance::{Random, ask, at, choose, created, existing, run};
use crate::store::links::{ExportItem, LinkFilter, LinkOrder, LinkPage};
use crate::store::mirror::{ABSENT, AliasKind, Kept, SlotOf, Value, base_of};
use crate::store::{Error, Store, settings};
use crate::units::Size;

fn settings() -> Settings {
    Settings {
        kind: settings::Kind::Sqlite,
        lanes: 1,
        readers: 2,
        page_cache: Size(2 << 20),
        redis: Default::default(),
    }
}

fn dataset(id: u128) -> Dataset {
    let id = crate::domain::tally::DatasetId(id);
    Dataset { id, lanes: 1, zones: vec![(0, "Europe/Vienna".into())], created_at: at(0) }
}

async fn opened(dir: &Path) -> Arc<dyn Mirror> {
    let mirror = open(dir, &settings()).unwrap();
    mirror.set_dataset(dataset(1)).await.unwrap();
    mirror
}

fn record(field: &str, raw: &str, value: Value) -> Put {
    Put { field: field.into(), raw: raw.into(), base: None, value }
}

/// Everything that a store of links gives.
async fn exported(links: &Arc<dyn Links>) -> Vec<ExportItem> {
    let (mut items, mut after) = (vec![], None);
    loop {
        let page = links.export(after).await.unwrap();
        if page.items.is_empty() {
            return items;
        }
        items.extend(page.items);
        after = page.after;
    }
}

/// The same without its order, which is that of arrival.
fn sorted(items: &[ExportItem]) -> Vec<String> {
    let mut items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    items.sort();
    items
}

/// A store's content as records.
fn records(items: Vec<ExportItem>) -> Vec<Put> {
    let mut slots: BTreeMap<ArticleId, Vec<SlotOf>> = BTreeMap::new();
    let mut puts = vec![];
    for item in &items {
        let ExportItem::Link { link, holds_slot: true } = item else { continue };
        let slot = link.slot().unwrap();
        let of = SlotOf {
            channel: slot.channel,
            campaign: slot.campaign,
            target: slot.target,
            code: link.code.clone(),
        };
        slots.entry(slot.article).or_default().push(of);
    }
    for item in items {
        puts.push(match item {
            ExportItem::Article(article) => {
                let slots = slots.remove(&article.id).unwrap_or_default();
                record(
                    &format!("a{}", article.id.0),
                    "1",
                    Value::Article { article: Box::new(article), slots },
                )
            }
            ExportItem::Alias { kind, site, value, article } => {
                let kind = if kind == "url" { AliasKind::Url } else { AliasKind::CmsId };
                record(&format!("u{value}"), "1", Value::Alias { kind, site, value, article })
            }
            ExportItem::Link { mut link, .. } => {
                if link.follows_article {
                    link.target = None;
                }
                let field = format!("l{}", link.code.key());
                let kept = Kept { link, created_tag: Some(1), write_tags: vec![] };
                record(&field, "1", Value::Links(vec![kept]))
            }
            ExportItem::ArticleHistory { article, entry } => {
                let field = format!("g{}{}", article.0, entry.version);
                record(&field, "1", Value::ArticleHistory { article, entry })
            }
            ExportItem::History { code, entry } => {
                record(&format!("h{code}{}", entry.version), "1", Value::History { code, entry })
            }
        });
    }
    puts
}

/// A small newsroom with a bit of everything.
async fn newsroom(store: &Store) {
    let mut known = ask(1, "a", &["aa"]);
    let claim = known.article.as_mut().unwrap();
    claim.cms_id = Some("4711".into());
    claim.facts.section = Some("World".into());
    claim.facts.authors = vec!["Ada".into(), "Bo".into()];
    let first = created(store, known).await;
    let mut titled = choose(2, "a", "Vote-26");
    titled.link.channel = Some("x".into());
    titled.link.tags = vec!["live".into()];
    let second = created(store, titled).await;
    created(store, ask(3, "b", &["bb"])).await;
    let mut other = ask(4, "b", &["bc"]);
    other.link.target = Some("https://elsewhere.example/".into());
    created(store, other).await;
    let mut facts = ask(5, "b", &["bd"]);
    facts.article.as_mut().unwrap().facts.title = Some("Storm".into());
    existing(store, facts).await;
    changed(store, edit(&first, |l| l.note = Some("n".into()))).await;
    let third = changed(store, edit(&second, |l| l.tags = vec!["evening".into()])).await;
    changed(store, edit(&third, |l| l.retired_at = Some(at(9)))).await;
}

#[test]
fn shows_the_same_whatever_the_order() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let store =
            crate::store::sqlite::open(dir.path(), &settings(), at(0), "Europe/Vienna").unwrap().store;
        newsroom(&store).await;
        let expected = exported(&store.links).await;
        let list = async |links: &Arc<dyn Links>| {
            let filter = LinkFilter { section: Some("World".into()), ..LinkFilter::default() };
            let page = LinkPage { filter, order: LinkOrder::Title, descending: false, after: None, limit: 9 };
            links.list(page, at(0)).await.unwrap()
        };
        let audit = async |accounts: &dyn Accounts| {
            let mut lines = accounts.audited(None, 100).await.unwrap();
            lines.iter_mut().for_each(|line| line.id = 0);
            lines.sort_by_key(|line| format!("{line:?}"));
            lines
        };
        for seed in 0..40 {
            let mut random = Random(seed);
            let mirrored = tempfile::tempdir().unwrap();
            let mirror = opened(mirrored.path()).await;
            let mut puts = records(expected.clone());
            puts.sort_by_cached_key(|_| random.next_number());
            for put in puts.iter().cloned() {
                mirror.put_ahead(0, vec![put]).await.unwrap();
            }
            // The order of links and their histories is the caller's: those come after.
            mirror
                .put_ahead(0, puts.iter().cloned().map(|p| Put { raw: "2".into(), ..p }).collect())
                .await
                .unwrap();
            let links = mirror.links();
            assert_eq!(sorted(&exported(&links).await), sorted(&expected), "seed {seed}");
            assert_eq!(list(&links).await, list(&store.links).await, "seed {seed}");
            assert_eq!(audit(&*mirror.accounts()).await, audit(&*store.accounts).await, "seed {seed}");
            mirror.close().await.unwrap();
        }
        store.close().await.unwrap();
    });
}

#[test]
fn goes_on_only_from_where_it_is() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (mirror, other) = (opened(dir.path()).await, opened(dir.path()).await);
        let place = |version, tag| Followed { mark: Mark { version, tag }, complete: true };
        let nothing = |raw: &str| vec![record("x", raw, Value::Nothing)];
        assert_eq!(mirror.followed().await.unwrap(), [Followed::default(); 3], "one lane, site, root");
        assert!(mirror.put(1, nothing("1"), Followed::default(), place(5, u64::MAX)).await.unwrap());
        assert!(!other.put(1, nothing("2"), Followed::default(), place(6, 1)).await.unwrap());
        assert_eq!(other.followed().await.unwrap()[1], place(5, u64::MAX));
        assert!(other.put(1, nothing("2"), place(5, u64::MAX), place(6, 1)).await.unwrap());
        let raws = mirror.raws(1, vec![b"x".to_vec(), b"y".to_vec()]).await.unwrap();
        let raw = raws[0].clone().unwrap();
        assert_eq!((raw.raw, raw.bases), (b"2".to_vec(), vec![ABSENT, base_of(b"1")]));
        assert_eq!(raws[1], None);
        mirror.put_missing(1, nothing("3")).await.unwrap();
        assert_eq!(mirror.page(1, None, 9).await.unwrap()[0].raw, b"2");
        mirror.put_ahead(1, vec![Put { raw: vec![], ..nothing("")[0].clone() }]).await.unwrap();
        assert!(mirror.page(1, None, 9).await.unwrap().is_empty());
        mirror.close().await.unwrap();
        other.close().await.unwrap();
    });
}

#[test]
fn tells_what_was_put_and_is_only_read() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mirror = opened(dir.path()).await;
        let links = mirror.links();
        let begin = links.changes_since(0).await.unwrap().version;
        let mut changed = links.changed();
        let link = crate::store::conformance::blank(Some("https://a.example/".into()), at(0));
        let put = |raw: &str, note: &str| {
            let link = crate::domain::link::Link { note: Some(note.into()), ..link.clone() };
            record("lunset", raw, Value::Links(vec![Kept { link, created_tag: Some(3), write_tags: vec![] }]))
        };
        mirror.put_ahead(0, vec![put("1", "a")]).await.unwrap();
        changed.changed().await.unwrap();
        let changes = links.changes_since(begin).await.unwrap();
        assert_eq!((changes.keys, changes.accounts), (Some(vec!["unset".to_owned()]), false));
        mirror.put_ahead(0, vec![put("1", "b")]).await.unwrap();
        assert_eq!(
            links.changes_since(0).await.unwrap().version,
            changes.version,
            "the same bytes are nothing new"
        );
        mirror.upset().await.unwrap();
        assert_eq!(links.changes_since(changes.version).await.unwrap().keys, None);
        let refused = links.create(vec![ask(1, "a", &["aa"])], at(0)).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        // Another store's mirror begins with nothing.
        mirror.set_dataset(dataset(2)).await.unwrap();
        assert_eq!((exported(&links).await, mirror.page(0, None, 9).await.unwrap()), (vec![], vec![]));
        mirror.close().await.unwrap();
    });
}

#[test]
fn a_code_that_is_another_links_now_has_nothing_of_the_one_before() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let mirror = opened(dir.path()).await;
        let put = |raw: &str, tag: u64, version: u64, by: &str| {
            let link = crate::domain::link::Link {
                version,
                created_by: by.into(),
                tags: vec![by.into()],
                ..crate::store::conformance::blank(Some(format!("https://{by}.example/")), at(0))
            };
            record(
                "lunset",
                raw,
                Value::Links(vec![Kept { link, created_tag: Some(tag), write_tags: vec![] }]),
            )
        };
        let code = crate::store::conformance::code("unset");
        mirror.put_ahead(0, vec![put("1", 1, 1, "ada")]).await.unwrap();
        let entry = crate::domain::link::HistoryEntry {
            version: 2,
            at: at(1),
            by: "ada".into(),
            action: "changed".into(),
            changes: serde_json::Map::new(),
        };
        let line = Value::History { code: code.clone(), entry };
        mirror.put_ahead(0, vec![put("2", 1, 2, "ada"), record("hunset2", "1", line)]).await.unwrap();
        mirror.put_ahead(0, vec![put("3", 9, 1, "bo")]).await.unwrap();
        let found = mirror.links().find("unset").await.unwrap().remove(0);
        assert_eq!((found.link.created_by.as_str(), found.link.version), ("bo", 1));
        let history = mirror.links().history(&code, None, 9).await.unwrap();
        assert_eq!(history.iter().map(|e| (e.version, e.by.as_str())).collect::<Vec<_>>(), [(1, "bo")]);
        assert_eq!(mirror.links().count().await.unwrap(), 1);
        mirror.close().await.unwrap();
    });
}

/// Each order of four.
fn orders() -> Vec<[usize; 4]> {
    let all = (0..256).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3]);
    all.filter(|order| (0..4).all(|one| order.contains(&one))).collect()
}

fn story(id: &str, path: &str) -> crate::domain::article::Article {
    let url = crate::store::conformance::url(path);
    crate::domain::article::Article::new(ArticleId(id.into()), url, "news.example.com".into(), at(0))
}

fn put_story(article: &crate::domain::article::Article, raw: &str) -> Put {
    let value = Value::Article { article: Box::new(article.clone()), slots: vec![] };
    record(&format!("a{}", article.id.0), raw, value)
}

fn put_alias(path: &str, whose: &str, raw: &str) -> Put {
    let (kind, value) = (AliasKind::Url, crate::store::conformance::url(path));
    let article = ArticleId(whose.into());
    record(&format!("u{path}"), raw, Value::Alias { kind, site: String::new(), value, article })
}

async fn leads_to(mirror: &Arc<dyn Mirror>, path: &str) -> Option<String> {
    let key = crate::store::links::ArticleKey::Url(crate::store::conformance::url(path));
    mirror.links().article(key).await.unwrap().map(|article| article.id.0.to_string())
}

/// The story, both addresses and a link that was looked at since come from lanes of their own.
#[test]
fn a_move_is_seen_whatever_comes_first() {
    run(async {
        for order in orders() {
            let dir = tempfile::tempdir().unwrap();
            let mirror = opened(dir.path()).await;
            let link = |broken| {
                let link = crate::domain::link::Link {
                    article: Some(ArticleId("a1".into())),
                    follows_article: true,
                    broken,
                    ..crate::store::conformance::blank(None, at(0))
                };
                Value::Links(vec![Kept { link, created_tag: Some(3), write_tags: vec![] }])
            };
            let old = story("a1", "old");
            mirror.put_ahead(0, vec![put_story(&old, "1"), record("lunset", "1", link(None))]).await.unwrap();
            let mut moved = crate::domain::article::Article { version: 2, ..story("a1", "moved") };
            moved.withdrawn = true;
            let broken = crate::domain::link::Broken {
                target: moved.url.clone(),
                since: at(1),
                status: Some(404),
                proposal: None,
            };
            let puts = [
                put_story(&moved, "2"),
                put_alias("old", "a1", "1"),
                put_alias("moved", "a1", "1"),
                record("lunset", "2", link(Some(broken.clone()))),
            ];
            for at in order {
                mirror.put_ahead(0, vec![puts[at].clone()]).await.unwrap();
            }
            for path in ["old", "moved"] {
                assert_eq!(leads_to(&mirror, path).await.as_deref(), Some("a1"), "{order:?} {path}");
            }
            let found = mirror.links().find("unset").await.unwrap().remove(0);
            assert_eq!(
                (&found.link.target, &found.link.broken),
                (&Some(moved.url), &Some(broken)),
                "{order:?}"
            );
            assert_eq!(found.status(at(0)), crate::domain::link::Status::Withdrawn);
            mirror.close().await.unwrap();
        }
    });
}

/// A story is redacted and another gets its address: what leads where does not depend on what is heard first.
#[test]
fn what_is_freed_is_anothers_whatever_comes_first() {
    run(async {
        for order in orders() {
            let dir = tempfile::tempdir().unwrap();
            let mirror = opened(dir.path()).await;
            let told = story("a1", "told");
            let known = vec![
                put_story(&told, "1"),
                record("utold", "1", Value::Nothing),
                put_alias("amp", "a1", "1"),
            ];
            mirror.put_ahead(0, known).await.unwrap();
            assert_eq!(mirror.aliases(&told.id).await.unwrap().len(), 2);
            let freed = || Value::Freed { article: told.id.clone() };
            let puts = [
                put_story(&told.redacted(at(5)), "2"),
                record("uamp", "2", freed()),
                record("utold", "2", Value::Nothing),
                put_story(&story("a2", "told"), "1"),
            ];
            for at in order {
                mirror.put_ahead(0, vec![puts[at].clone()]).await.unwrap();
            }
            assert_eq!(leads_to(&mirror, "told").await.as_deref(), Some("a2"), "{order:?}");
            assert_eq!(leads_to(&mirror, "amp").await, None, "{order:?}");
            assert!(mirror.aliases(&told.id).await.unwrap().is_empty(), "{order:?}");
            let said = format!("{:?}", exported(&mirror.links()).await);
            assert_eq!(said.matches("/told").count(), 2, "the new story and its alias: {said}");
            mirror.close().await.unwrap();
        }
    });
}
