//! Export and import: nothing is lost, nothing is added twice.

use super::applying::{audit_holds, batch, clicked, clicks, lane, lanes, link, row, total};
use super::editing::{changed, edit, retire};
use super::{Store, ask, at, blank, choose, claim, code, created, existing, find, url};
use crate::domain::article::{Article, Fact, Note, PageOutcome, PageState};
use crate::domain::link::{Broken, HistoryEntry, Link};
use crate::domain::tally::{Counts, Group, Scope, Series};
use crate::store::links::{ArticleKey, ExportItem, NewLink};

/// All that a store keeps of links.
pub async fn export(store: &Store) -> Vec<ExportItem> {
    let (mut items, mut after) = (vec![], None);
    loop {
        let page = store.links.export(after).await.expect("export");
        if page.items.is_empty() {
            return items;
        }
        items.extend(page.items);
        after = page.after;
    }
}

/// All numbers of a store.
pub async fn numbers(store: &Store) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    loop {
        let after = groups.last().map(|g| g.scope.parts()).map(|(kind, name)| (kind, name.to_owned()));
        let page = store.tallies.export(after).await.expect("export");
        if page.is_empty() {
            return groups;
        }
        groups.extend(page);
    }
}

async fn import(store: &Store, items: Vec<ExportItem>) -> Vec<Result<(), String>> {
    store.links.import(items).await.expect("import")
}

/// A story with everything, and one that was merged into it.
fn stories() -> (Article, Article) {
    let mut story = claim("a");
    story.facts.title = Some("Headline".into());
    story.facts.authors = vec!["Ann".into()];
    story.facts.description = Some("what it is about".into());
    story.facts.modified_at = Some(at(-60));
    let article = Article {
        cms_id: Some("1".into()),
        address: Some(url("a/")),
        facts: story.facts,
        said: [Fact::Title, Fact::Image].into_iter().collect(),
        withdrawn: true,
        replacement_url: Some(url("instead")),
        message: Some("taken back".into()),
        read: PageState { outcome: PageOutcome::Gone, at: Some(at(-20)), failures: 2, due: Some(at(20)) },
        notes: vec![Note { at: at(-70), text: "push 09:05 <b>".into(), by: "user:Ana".into() }],
        updated_at: at(-50),
        version: 3,
        ..Article::new(story.new_id, story.url, story.site, at(-100))
    };
    let merged = Article {
        merged_into: Some(article.id.clone()),
        ..Article::new(claim("merged").new_id, url("merged"), article.site.clone(), at(-10))
    };
    (article, merged)
}

/// What a store with a little of everything exports, written down by hand.
fn archive() -> Vec<ExportItem> {
    let (article, merged) = stories();
    let id = article.id.clone();
    let alias = |kind: &str, site: &str, value: String, of: &Article| ExportItem::Alias {
        kind: kind.into(),
        site: site.into(),
        value,
        article: of.id.clone(),
    };
    let mut items = vec![
        ExportItem::Article(article.clone()),
        ExportItem::Article(merged.clone()),
        alias("url", "", url("merged"), &merged),
        alias("url", "", url("a"), &article),
        alias("url", "", url("an-older-address"), &article),
        alias("cms_id", &article.site, "1".into(), &article),
    ];
    for version in [2, 3] {
        let line = HistoryEntry::redaction(version, "user:maria", at(-50));
        items.push(ExportItem::ArticleHistory { article: id.clone(), entry: line });
    }
    for (n, name) in (0..).zip(["first", "Second", "third"]) {
        let added = (n == 1).then(|| "utm_source=x".to_owned());
        let query = if n == 1 { "?utm_source=x" } else { "" };
        let base = blank(Some(format!("{}{query}", article.address())), at(n - 90));
        let link = Link {
            code: code(name),
            article: Some(id.clone()),
            follows_article: true,
            added,
            title: (n == 1).then(|| "its own".into()),
            tags: vec!["t".into()],
            confidential: n == 0,
            broken: (n == 0).then(|| Broken {
                target: article.address().to_owned(),
                since: at(-5),
                status: Some(410),
                proposal: None,
            }),
            retired_at: (n == 2).then(|| at(0)),
            version: 2,
            ..base
        };
        items.push(ExportItem::Link { link, holds_slot: n == 1 });
        for version in [1, 2] {
            let entry = HistoryEntry {
                version,
                at: at(n - 90),
                by: "key:a".into(),
                action: "changed".into(),
                changes: serde_json::Map::new(),
            };
            items.push(ExportItem::History { code: code(name), entry });
        }
    }
    items
}

fn sorted(items: Vec<ExportItem>) -> Vec<String> {
    let mut lines: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    lines.sort();
    lines
}

/// What goes in comes out, links after their stories, each history complete; slots are held by who held them.
pub async fn links_come_back_as_they_were(store: &Store) {
    assert!(export(store).await.is_empty());
    let before = store.links.changes_since(0).await.unwrap().version;
    assert!(import(store, archive()).await.iter().all(Result::is_ok));
    let exported = export(store).await;
    assert_eq!(sorted(exported.clone()), sorted(archive()));
    let first_link = exported.iter().position(|i| matches!(i, ExportItem::Link { .. })).unwrap();
    let last_story = exported.iter().rposition(|i| matches!(i, ExportItem::Article(_))).unwrap();
    assert!(last_story < first_link);
    assert_eq!(existing(store, ask(1, "a", &["new"])).await.link.code.as_str(), "Second");
    assert_eq!(
        existing(store, ask(2, "an-older-address", &["new"]).own()).await.link.code.as_str(),
        "Second"
    );
    let keys = store.links.changes_since(before).await.unwrap().keys.unwrap();
    assert!(["first", "second", "third"].iter().all(|k| keys.iter().any(|key| key == k)), "{keys:?}");
    let merged = store.links.article(ArticleKey::Url(url("merged"))).await.unwrap();
    assert_eq!(merged.map(|a| a.id.clone()), Some(claim("a").new_id));
    // It lives on as any other.
    let edited = changed(store, edit(&find(store, "second").await, |l| l.note = Some("n".into()))).await;
    assert_eq!(edited.link.version, 3);
}

impl NewLink {
    /// Leads to its story's own address instead of the one it was asked by.
    fn own(mut self) -> NewLink {
        self.link.target = Some(url("a"));
        self
    }
}

/// Reading back what is there already is fine and does nothing, also after it was changed here.
pub async fn importing_twice_changes_nothing(store: &Store) {
    import(store, archive()).await;
    let found = find(store, "second").await;
    retire(store, &changed(store, edit(&found, |l| l.title = Some("changed here".into()))).await).await;
    let before = export(store).await;
    assert!(import(store, archive()).await.iter().all(Result::is_ok));
    assert_eq!(export(store).await, before);
}

/// A code that another link has stays with it; what cannot be is said of that item alone.
pub async fn a_taken_code_is_refused(store: &Store) {
    let mine = created(store, choose(1, "mine", "first")).await;
    let outcomes = import(store, archive()).await;
    let refused: Vec<usize> =
        outcomes.iter().enumerate().filter(|(_, o)| o.is_err()).map(|(n, _)| n).collect();
    assert_eq!(refused, [8], "{outcomes:?}");
    assert_eq!(find(store, "first").await, mine);
    assert_eq!(store.links.count().await.unwrap(), 3);
    // Nothing to belong to.
    let lonely = ExportItem::Link {
        link: Link {
            code: code("lonely"),
            article: Some(claim("nobody").new_id),
            ..blank(Some(url("x")), at(0))
        },
        holds_slot: false,
    };
    let ExportItem::History { entry, .. } = archive().pop().unwrap() else { panic!("no history") };
    let lost = ExportItem::ArticleHistory { article: claim("nobody").new_id, entry: entry.clone() };
    let history = ExportItem::History { code: code("nothing"), entry };
    let alias = ExportItem::Alias {
        kind: "url".into(),
        site: String::new(),
        value: url("y"),
        article: claim("nobody").new_id,
    };
    let outcomes = import(store, vec![lonely, history, alias, lost]).await;
    assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
    assert!(store.links.article(ArticleKey::Url(url("y"))).await.unwrap().is_none());
}

/// Only an import makes codes that differ in case alone; the oldest comes first, and all keep the code taken.
pub async fn imported_codes_may_differ_only_in_case(store: &Store) {
    created(store, choose(1, "a", "vote")).await;
    let variant = |name: &str| ExportItem::Link {
        link: Link { code: code(name), ..blank(None, at(-1)) },
        holds_slot: false,
    };
    assert!(import(store, vec![variant("VOTE"), variant("Vote")]).await.iter().all(Result::is_ok));
    let found = store.links.find("vote").await.unwrap();
    assert_eq!(found.iter().map(|f| f.link.code.as_str()).collect::<Vec<_>>().len(), 3);
    let many = store.links.find_many(&["vote".to_owned()]).await.unwrap();
    assert_eq!(many.len(), 3);
    let drawn = created(store, ask(2, "b", &["vOTE", "other"])).await;
    assert_eq!(drawn.link.code.as_str(), "other");
}

/// Two stores with the same numbers export the same.
pub async fn numbers_come_back_as_they_were(store: &Store) {
    assert!(numbers(store).await.is_empty());
    let all = Counts { clicks: 4, previews: 3, bots: 2, missed: 1, ..Counts::default() };
    let mut groups = vec![clicked(Scope::Site, 10), clicked(link("aa"), 4), clicked(link("Bb"), 6)];
    groups.push(Group::of(Scope::Section("World".into()), vec![row(Series::Total, 0, all)]));
    groups[1].rows.push(row(Series::Minute, 60, clicks(1)));
    groups[1].rows.push(crate::domain::tally::Row {
        value: std::borrow::Cow::Borrowed("qr"),
        ..row(Series::Trigger, 20_000, all)
    });
    store.tallies.import(groups.clone()).await.unwrap();
    let numbers = numbers(store).await;
    assert_eq!(numbers, {
        groups.iter_mut().for_each(|g| g.rows.sort_by_key(|r| (r.series, r.bucket)));
        groups.sort_by(|a, b| {
            (a.scope.parts().0, a.scope.parts().1).cmp(&(b.scope.parts().0, b.scope.parts().1))
        });
        groups
    });
    assert_eq!(total(store, "Bb").await, clicks(6));
    let days = store.tallies.by_scope(crate::domain::tally::ScopeKind::Link, 0, 30_000, None).await.unwrap();
    assert_eq!(days.len(), 2);
    audit_holds(store).await;
    let audit = store.tallies.audit().await.unwrap();
    assert_eq!(audit.iter().map(|a| a.base).sum::<u64>(), 20);
    // What was lost before comes with it.
    let lanes = lanes(store).await;
    store.tallies.import_lost(lanes, 5).await.unwrap();
    store.tallies.import_lost(lanes, 5).await.unwrap();
    assert_eq!(store.tallies.lost().await.unwrap().last(), Some(&5));
    audit_holds(store).await;
    // And what is counted from now on is added.
    let lane = lane(store, "aa").await;
    store.tallies.apply(&batch(7, lane, 0, 1, vec![clicked(link("aa"), 1)])).await.unwrap();
    assert_eq!(total(store, "aa").await, clicks(5));
    audit_holds(store).await;
}

/// Again is the same; less is less; what was there of a scope is gone.
pub async fn importing_sets_and_never_adds(store: &Store) {
    let mut before = clicked(link("aa"), 4);
    before.rows.push(row(Series::Hour, 7_200, clicks(9)));
    for _ in 0..2 {
        store.tallies.import(vec![before.clone(), clicked(link("bb"), 1)]).await.unwrap();
        assert_eq!((total(store, "aa").await, total(store, "bb").await), (clicks(4), clicks(1)));
        audit_holds(store).await;
    }
    store.tallies.import(vec![clicked(link("aa"), 2)]).await.unwrap();
    assert_eq!((total(store, "aa").await, total(store, "bb").await), (clicks(2), clicks(1)));
    let hours = store.tallies.rows(&link("aa"), Series::Hour, 0, 10_000).await.unwrap();
    assert_eq!(hours, [row(Series::Hour, 3_600, clicks(2))]);
    audit_holds(store).await;
    let base: u64 = store.tallies.audit().await.unwrap().iter().map(|a| a.base).sum();
    assert_eq!(base, 3);
}
