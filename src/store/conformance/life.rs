//! The life of articles: who says what of them, how they move, are taken back and redacted.

use super::editing::{changed, edit};
use super::moving::export;
use super::{Store, ask, at, choose, claim, code, created, existing, find, url};
use crate::domain::article::{Article, ArticleFacts, ArticleId, Fact, PageOutcome, PageState};
use crate::domain::link::{Broken, HistoryEntry, Status};
use crate::store::links::{
    ArticleClaim, ArticleEdit, ArticleEdited, ArticleKey, ExportItem, LinkFilter, LinkOrder, LinkPage,
    NewLink, SlotWish,
};

/// The edit that `change` makes of an article; its tag follows from its version.
#[must_use]
pub fn article_edit(old: &Article, change: impl FnOnce(&mut Article)) -> ArticleEdit {
    let mut article = old.clone();
    change(&mut article);
    article.version += 1;
    article.updated_at = at(i64::try_from(article.version).expect("a version"));
    let entry = HistoryEntry {
        version: article.version,
        at: article.updated_at,
        by: "user:maria".into(),
        action: "changed".into(),
        changes: serde_json::Map::from_iter([(
            "title".to_owned(),
            serde_json::json!({"from": "a", "to": "b"}),
        )]),
    };
    let tag = 2_000_000 + article.version;
    ArticleEdit { tag, article, entry: Some(entry), aliases: vec![], take: vec![] }
}

/// Makes an edit of an article, which must succeed.
pub async fn article_changed(store: &Store, edit: ArticleEdit) -> Article {
    match store.links.edit_article(edit).await.expect("edit") {
        ArticleEdited::Changed(article) => article.as_ref().clone(),
        other => panic!("not changed: {other:?}"),
    }
}

pub(super) async fn article(store: &Store, key: ArticleKey) -> Option<Article> {
    store.links.article(key).await.expect("article").map(|a| a.as_ref().clone())
}

pub(super) async fn by_url(store: &Store, path: &str) -> Option<ArticleId> {
    article(store, ArticleKey::Url(url(path))).await.map(|a| a.id)
}

/// A request for a link to the story of `claim`, to its own address.
pub(super) fn about(tag: u64, claim: ArticleClaim) -> NewLink {
    let mut new = ask(tag, "", &[&format!("code{tag}")]);
    new.link.target = Some(claim.url.clone());
    NewLink { article: Some(claim), ..new }
}

/// A request for a link of the channel "x" to the story of `claim`, to the address `path`.
pub(super) fn on_x(tag: u64, claim: ArticleClaim, path: &str) -> NewLink {
    let mut new = about(tag, claim);
    (new.link.channel, new.link.target) = (Some("x".into()), Some(url(path)));
    new
}

pub(super) fn spelt(path: &str, others: &[&str]) -> ArticleClaim {
    ArticleClaim { aliases: others.iter().map(|path| url(path)).collect(), ..claim(path) }
}

pub(super) async fn list(store: &Store, filter: LinkFilter) -> Vec<String> {
    let page = LinkPage { filter, order: LinkOrder::Code, descending: false, after: None, limit: 100 };
    let found = store.links.list(page, at(0)).await.expect("list");
    found.iter().map(|f| f.link.code.to_string()).collect()
}

pub(super) fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The CMS wins over the page, whichever comes first; the page wins over what an earlier page said.
pub async fn a_page_says_what_nobody_else_said(store: &Store) {
    let page = ArticleFacts {
        title: text("Page"),
        description: text("About"),
        section: text("News"),
        authors: vec!["Ann".into()],
        modified_at: Some(at(-3)),
        ..ArticleFacts::default()
    };
    let read = PageState { outcome: PageOutcome::Read, at: Some(at(1)), failures: 0, due: None };
    let mut first = claim("a");
    first.facts.section = text("World");
    (first.page, first.read) = (Some(page.clone()), Some(read));
    let story = created(store, about(1, first)).await.article.unwrap();
    let facts = ArticleFacts { section: text("World"), ..page.clone() };
    assert_eq!((&story.facts, story.read, story.version), (&facts, read, 1));
    assert_eq!(story.said.facts().collect::<Vec<_>>(), [Fact::Section]);
    // Another look at the page.
    let newer =
        ArticleFacts { title: text("Newer"), section: text("Other"), authors: vec!["Bob".into()], ..page };
    let mut second = claim("a");
    second.page = Some(newer.clone());
    let story = existing(store, about(2, second)).await.article.unwrap();
    let facts = ArticleFacts { section: text("World"), ..newer };
    assert_eq!((&story.facts, story.version), (&facts, 2));
    let by = |name: &str| LinkFilter { author: text(name), ..LinkFilter::default() };
    assert_eq!((list(store, by("Bob")).await.len(), list(store, by("Ann")).await.len()), (1, 0));
    // The CMS, at last.
    let mut third = claim("a");
    third.facts.title = text("Desk");
    existing(store, about(3, third.clone())).await;
    third.page = Some(ArticleFacts { title: text("Page again"), ..ArticleFacts::default() });
    let story = existing(store, about(4, third)).await.article.unwrap();
    assert_eq!((story.facts.title.as_deref(), story.version), (Some("Desk"), 3));
    assert_eq!(find(store, "code1").await.article, Some(story));
}

/// Each spelling that a claim knows leads to its story, unless it is another's.
pub async fn other_addresses_become_aliases(store: &Store) {
    let first = created(store, about(1, spelt("a", &["a-amp", "a-mobile", "a", "a-amp"]))).await;
    let other = created(store, about(2, claim("b"))).await;
    for path in ["a", "a-amp", "a-mobile"] {
        assert_eq!(by_url(store, path).await, first.link.article, "{path}");
    }
    // An unknown address by one that is known; what is another's stays.
    let found = created(store, on_x(3, spelt("a-print", &["b-unknown", "a-amp", "b"]), "a")).await;
    assert_eq!(found.link.article, first.link.article);
    for path in ["a-print", "b-unknown"] {
        assert_eq!(by_url(store, path).await, first.link.article, "{path}");
    }
    assert_eq!(by_url(store, "b").await, other.link.article);
    // The CMS's id comes first, then the address, then the others.
    let by_cms = ArticleClaim { cms_id: text("7"), ..spelt("c", &[]) };
    let third = created(store, about(4, by_cms)).await;
    let told = async |claim| existing(store, on_x(9, claim, "a")).await.link.article.clone();
    created(store, on_x(5, claim("b"), "a")).await;
    created(store, on_x(6, claim("c"), "a")).await;
    assert_eq!(told(ArticleClaim { cms_id: text("7"), ..spelt("b", &["a"]) }).await, third.link.article);
    assert_eq!(told(spelt("b", &["a"])).await, other.link.article);
    assert_eq!(told(spelt("unseen", &["b", "a"])).await, other.link.article);
    let site = || "news.example.com".to_owned();
    let key = ArticleKey::CmsIdIn { site: site(), id: "7".into() };
    assert_eq!(article(store, key).await.map(|a| a.id), third.link.article);
    let elsewhere = ArticleKey::CmsIdIn { site: "other.example".into(), id: "7".into() };
    assert_eq!(article(store, elsewhere).await, None);
}

/// Links that follow their article go with it; one that was retargeted by hand stays, and no address is lost.
pub async fn a_move_takes_along_what_follows(store: &Store) {
    let first = created(store, about(1, spelt("a", &["a-amp"]))).await;
    let by_hand = created(store, on_x(2, claim("a"), "elsewhere")).await;
    let before = store.links.changes_since(0).await.unwrap().version;
    let story = first.article.as_deref().unwrap();
    let moved = article_changed(store, article_edit(story, |a| a.url = url("moved"))).await;
    assert_eq!((moved.url.as_str(), moved.version), (url("moved").as_str(), 2));
    let found = find(store, "code1").await;
    assert_eq!((found.link.target.clone(), found.link.version), (text(&url("moved")), 1));
    assert!(found.link.follows_article);
    assert_eq!(find(store, "code2").await.link, by_hand.link);
    for path in ["a", "a-amp", "moved"] {
        assert_eq!(by_url(store, path).await, first.link.article, "{path}");
    }
    let keys = store.links.changes_since(before).await.unwrap().keys.unwrap();
    assert!(keys.iter().any(|key| key == "code1") && keys.iter().any(|key| key == "code2"), "{keys:?}");
    let words = |q: &str| LinkFilter { q: text(q), ..LinkFilter::default() };
    assert_eq!(list(store, words("example.com/moved")).await, ["code1"]);
    assert!(list(store, words("example.com/a")).await.is_empty());
    // The slot is the same.
    assert_eq!(existing(store, about(3, claim("moved"))).await.link, found.link);
    let mut old = about(4, claim("a"));
    old.link.target = text(&url("moved"));
    assert_eq!(existing(store, old).await.link, found.link);
    // And back again, which is no new address.
    let back = article_changed(store, article_edit(&moved, |a| a.url = url("a"))).await;
    assert_eq!(by_url(store, "moved").await, Some(back.id));
    assert_eq!(find(store, "code1").await.link, first.link);
    let aliases = export(store).await.into_iter().filter(|item| matches!(item, ExportItem::Alias { .. }));
    assert_eq!(aliases.count(), 3);
}

/// Links that follow a story lead to the spelling of its address that was pasted first, or that staff gave it, with
/// what their channels add.
pub async fn readers_are_led_to_the_spelling_that_is_known(store: &Store) {
    let spelling = |path: &str| format!("http://www.news.example.com/{path}/?b=1&a=2");
    let pasted = ArticleClaim { address: Some(spelling("a")), ..claim("a") };
    let mut on_channel = on_x(2, claim("a"), "a");
    on_channel.link.added = text("utm_source=x&b=9");
    let first = created(store, about(1, pasted)).await;
    let second = created(store, on_channel.clone()).await;
    let elsewhere = created(store, on_x(3, claim("a"), "elsewhere")).await;
    let target = async |code| find(store, code).await.link.target.clone();
    assert_eq!(first.link.target, text(&spelling("a")));
    let added = |path| Some(format!("{}&utm_source=x", spelling(path)));
    assert_eq!((&second.link.target, &second.link.added), (&added("a"), &on_channel.link.added));
    // Whoever wishes so follows, whatever the spelling; a story that is known keeps its own.
    let mut other = about(4, ArticleClaim { address: Some(spelling("other")), ..claim("a") });
    (other.link.target, other.link.follows_article) = (Some(spelling("b")), true);
    assert_eq!(existing(store, other).await.link, first.link);

    let story = first.article.as_deref().unwrap();
    let respelt = |a: &mut Article| a.move_to(a.url.clone(), Some(spelling("respelt")));
    let story = article_changed(store, article_edit(story, respelt)).await;
    assert_eq!(
        (target("code1").await, target("code2").await),
        (text(&spelling("respelt")), added("respelt"))
    );
    let moved = |a: &mut Article| a.move_to(url("moved"), Some(spelling("moved")));
    let story = article_changed(store, article_edit(&story, moved)).await;
    assert_eq!((target("code1").await, target("code2").await), (text(&spelling("moved")), added("moved")));
    assert_eq!(find(store, "code3").await.link, elsewhere.link);
    let words = |q: &str| LinkFilter { q: text(q), ..LinkFilter::default() };
    assert_eq!(list(store, words("www.news.example.com/moved")).await, ["code1", "code2"]);
    // An editor who saw the old target does not bring it back.
    let late = changed(store, edit(&second, |link| link.note = text("late"))).await;
    assert_eq!(late.link.target, added("moved"));
    let plain =
        article_changed(store, article_edit(&story, |a| a.move_to(url("moved"), Some(url("moved"))))).await;
    assert_eq!((plain.address.as_ref(), target("code1").await), (None, text(&url("moved"))));
    // A link that is led elsewhere and back has what its channel adds again.
    let away = changed(store, {
        let mut away = edit(&late, |l| (l.target, l.follows_article) = (text(&url("away")), false));
        away.slot = SlotWish::Claim;
        away
    })
    .await;
    assert_eq!((away.link.target.clone(), away.link.follows_article), (text(&url("away")), false));
    let mut back = edit(&away, |link| link.follows_article = true);
    back.slot = SlotWish::Claim;
    let back = changed(store, back).await;
    assert_eq!(back.link.target, Some(format!("{}?utm_source=x&b=9", url("moved"))));
}

/// An edit is made once, on the version that was read, and leaves a line.
pub async fn an_edit_of_an_article_is_made_once(store: &Store) {
    let first = created(store, about(1, claim("a"))).await;
    let story = first.article.as_deref().unwrap();
    let mut change = article_edit(story, |a| {
        a.facts.title = text("Headline");
        a.said.add(Fact::Title);
        a.cms_id = text("4711");
        a.message = text("m");
    });
    change.aliases = vec![url("a-amp"), url("a")];
    let second = article_changed(store, change.clone()).await;
    assert_eq!(second, change.article);
    assert_eq!(find(store, "code1").await.article.as_deref(), Some(&second));
    assert_eq!(article(store, ArticleKey::CmsId("4711".into())).await.as_ref(), Some(&second));
    assert_eq!(by_url(store, "a-amp").await, first.link.article);
    let third = article_changed(store, article_edit(&second, |a| a.cms_id = text("other"))).await;
    assert_eq!(third.cms_id.as_deref(), Some("4711"), "a CMS id stays");
    assert_eq!(article_changed(store, change).await, third, "a late retry brings nothing back");
    for version in [1, 2, 4] {
        let mut stale = article_edit(story, |a| a.url = url("stale"));
        (stale.tag, stale.article.version) = (77, version + 1);
        match store.links.edit_article(stale).await.unwrap() {
            ArticleEdited::Stale(now) => assert_eq!(*now, third, "{version}"),
            other => panic!("{version}: {other:?}"),
        }
    }
    let mut nobody = article_edit(story, |_| {});
    nobody.article.id = ArticleId("nobody".into());
    assert!(matches!(store.links.edit_article(nobody).await.unwrap(), ArticleEdited::NotFound));
    let lines = async |before, limit| {
        let lines = store.links.article_history(&second.id, before, limit).await.unwrap();
        lines.into_iter().map(|line| line.version).collect::<Vec<_>>()
    };
    assert_eq!(lines(None, 10).await, [3, 2]);
    assert_eq!(lines(Some(3), 10).await, [2]);
    assert_eq!(lines(None, 1).await, [3]);
    let audit = store.accounts.audited(None, 100).await.unwrap();
    let said = audit.iter().filter(|line| line.object == "article:a-a" && line.action == "article.changed");
    assert_eq!(said.count(), 2);
    // What only a page says leaves none.
    let quiet = ArticleEdit { entry: None, ..article_edit(&third, |a| a.facts.description = text("d")) };
    article_changed(store, quiet).await;
    assert_eq!(lines(None, 10).await, [3, 2]);
}

/// Nobody's address or CMS id becomes another's.
pub async fn a_held_address_is_refused(store: &Store) {
    let first = created(store, about(1, ArticleClaim { cms_id: text("1"), ..spelt("a", &["a-amp"]) })).await;
    let other = created(store, about(2, claim("b"))).await.article.unwrap();
    for change in [
        article_edit(&other, |b| b.url = url("a")),
        article_edit(&other, |b| b.url = url("a-amp")),
        article_edit(&other, |b| b.cms_id = text("1")),
    ] {
        match store.links.edit_article(change).await.unwrap() {
            ArticleEdited::AddressHeld(holder) => assert_eq!(Some(&holder), first.article.as_ref()),
            done => panic!("{done:?}"),
        }
    }
    assert_eq!(article(store, ArticleKey::Id(other.id.clone())).await.as_ref(), Some(other.as_ref()));
    // An alias is only wished for.
    let mut change = article_edit(&other, |_| {});
    change.aliases = vec![url("a-amp"), url("b-amp")];
    article_changed(store, change).await;
    assert_eq!(by_url(store, "a-amp").await, first.link.article);
    assert_eq!(by_url(store, "b-amp").await, Some(other.id.clone()));
}

/// A withdrawn article's links are withdrawn, whatever else they are; but retired ones are retired.
pub async fn a_withdrawn_article_withdraws_its_links(store: &Store) {
    let first = created(store, about(1, claim("a"))).await;
    let disabled = created(store, on_x(2, claim("a"), "a")).await;
    changed(store, edit(&disabled, |link| link.disabled = true)).await;
    let retired = created(store, choose(3, "a", "gone")).await;
    super::editing::retire(store, &retired).await;
    created(store, about(4, claim("b"))).await;
    created(store, NewLink { article: None, link: super::blank(None, at(0)), ..choose(5, "", "held") }).await;
    let change = article_edit(first.article.as_deref().unwrap(), |a| {
        a.withdrawn = true;
        a.replacement_url = text(&url("instead"));
        a.message = text("taken back");
    });
    let story = article_changed(store, change).await;
    let found = find(store, "code1").await;
    assert_eq!((found.status(at(0)), found.article.as_deref()), (Status::Withdrawn, Some(&story)));
    let of = |status| LinkFilter { status: Some(status), ..LinkFilter::default() };
    assert_eq!(list(store, of(Status::Withdrawn)).await, ["code1", "code2"]);
    assert_eq!(list(store, of(Status::Retired)).await, ["gone"]);
    assert_eq!(list(store, of(Status::Active)).await, ["code4"]);
    assert_eq!(list(store, of(Status::Reserved)).await, ["held"]);
    assert!(list(store, of(Status::Disabled)).await.is_empty());
    article_changed(store, article_edit(&story, |a| a.withdrawn = false)).await;
    assert_eq!(list(store, of(Status::Disabled)).await, ["code2"]);
}

/// What is wrong with a target is no change of the link, and goes with the target.
pub async fn a_broken_target_is_noted(store: &Store) {
    let first = created(store, about(1, claim("a"))).await;
    let broken = Broken { target: url("a"), since: at(3), status: Some(404), proposal: text(&url("moved")) };
    let set = async |key: &str, broken: Option<&Broken>, target: &str| {
        store.links.set_broken(&code(key), broken.cloned(), &url(target)).await.unwrap()
    };
    assert!(!set("code1", Some(&broken), "elsewhere").await);
    assert!(!set("unknown", Some(&broken), "a").await);
    let before = store.links.changes_since(0).await.unwrap().version;
    assert!(set("code1", Some(&broken), "a").await && set("code1", Some(&broken), "a").await);
    let keys = store.links.changes_since(before).await.unwrap().keys.unwrap();
    assert!(keys.iter().all(|key| key == "code1") && !keys.is_empty(), "{keys:?}");
    let found = find(store, "code1").await;
    assert_eq!((found.link.broken.as_ref(), found.link.version), (Some(&broken), 1));
    let only = || LinkFilter { broken: true, ..LinkFilter::default() };
    created(store, about(2, claim("b"))).await;
    assert_eq!(list(store, only()).await, ["code1"]);
    // An edit knows nothing of it, and whoever read the link before is not late.
    let noted = changed(store, edit(&first, |link| link.note = text("n"))).await;
    assert_eq!(noted.link.broken.as_ref(), Some(&broken));
    // Its article goes elsewhere.
    let story =
        article_changed(store, article_edit(first.article.as_deref().unwrap(), |a| a.url = url("moved")))
            .await;
    assert_eq!(find(store, "code1").await.link.broken, None);
    assert!(list(store, only()).await.is_empty());
    let at_moved = Broken { target: url("moved"), status: None, proposal: None, ..broken };
    assert!(set("code1", Some(&at_moved), "moved").await);
    assert_eq!(find(store, "code1").await.link.broken.as_ref(), Some(&at_moved));
    let now = find(store, "code1").await;
    let by_hand = changed(store, edit(&now, |link| link.target = text(&url("by-hand")))).await;
    assert_eq!((by_hand.link.broken.as_ref(), by_hand.article.as_deref()), (None, Some(&story)));
    assert!(set("code1", Some(&at_moved), "by-hand").await && set("code1", None, "by-hand").await);
    assert_eq!(find(store, "code1").await.link.broken, None);
}

/// Pages that are to be looked at again, the longest due first.
pub async fn pages_are_due(store: &Store) {
    for (tag, path, due) in [(1, "a", Some(9)), (2, "b", None), (3, "c", Some(5)), (4, "d", Some(20))] {
        let outcome = PageOutcome::Broken;
        let read = PageState { outcome, at: Some(at(1)), failures: 2, due: due.map(at) };
        created(store, about(tag, ArticleClaim { read: Some(read), ..claim(path) })).await;
    }
    let due = async |now, limit| {
        let due = store.links.articles_due(at(now), limit).await.unwrap();
        due.into_iter().map(|article| article.id.0.to_string()).collect::<Vec<_>>()
    };
    assert!(due(4, 10).await.is_empty());
    assert_eq!(due(9, 10).await, ["a-c", "a-a"]);
    assert_eq!(due(30, 2).await, ["a-c", "a-a"]);
    // Another look is no change of what is known.
    let read =
        PageState { outcome: PageOutcome::NotReadable, at: Some(at(6)), failures: 3, due: Some(at(40)) };
    let found = existing(store, about(5, ArticleClaim { read: Some(read), ..claim("c") })).await;
    assert_eq!(found.article.map(|a| (a.read, a.version)), Some((read, 1)));
    assert_eq!(due(30, 10).await, ["a-a", "a-d"]);
}

/// A story that says "secret" wherever it can, with two links; gives its claim.
async fn a_secret_story(store: &Store) -> ArticleClaim {
    let mut first = ArticleClaim {
        new_id: ArticleId("a-told".into()),
        cms_id: text("cms-secret"),
        ..spelt("secret", &["secret-amp"])
    };
    first.facts = ArticleFacts {
        title: text("Secret"),
        section: text("World"),
        authors: vec!["Ann".into()],
        image: text(&url("secret.jpg")),
        ..ArticleFacts::default()
    };
    let plain = created(store, about(1, first.clone())).await;
    let mut other = on_x(2, first.clone(), "secret-target");
    (other.link.title, other.link.note) = (text("a secret title"), text("a secret note"));
    let noted = created(store, other).await;
    let mut again = edit(&noted, |link| link.message = text("a secret message"));
    again.entry.changes = serde_json::Map::from_iter([(
        "message".to_owned(),
        serde_json::json!({"from": null, "to": "a secret message"}),
    )]);
    changed(store, again).await;
    let mut line = article_edit(plain.article.as_deref().unwrap(), |a| a.message = text("secret"));
    line.entry
        .as_mut()
        .unwrap()
        .changes
        .insert("url".into(), serde_json::json!({"from": null, "to": "secret"}));
    article_changed(store, line).await;
    first
}

/// Nothing readable is left of a redacted story; codes and their numbers of versions stay, its addresses are free.
pub async fn a_redacted_story_says_nothing(store: &Store) {
    let first = a_secret_story(store).await;
    let untouched = created(store, about(3, claim("b"))).await;
    let id = first.new_id.clone();
    assert!(store.links.redact(&ArticleId("nobody".into()), "user:maria", at(9)).await.unwrap().is_none());
    let left = store.links.redact(&id, "user:maria", at(9)).await.unwrap().unwrap();
    let said = format!("{:?}", export(store).await).to_lowercase();
    assert!(!said.contains("secret"), "{said}");
    assert!(left.is_redacted() && left.facts.section.as_deref() == Some("World"));
    assert_eq!(article(store, ArticleKey::Id(id.clone())).await.as_ref(), Some(left.as_ref()));
    for (key, version) in [("code1", 2), ("code2", 3)] {
        let found = find(store, key).await;
        assert_eq!((found.status(at(0)), found.link.version), (Status::Disabled, version), "{key}");
        let lines = store.links.history(&found.link.code, None, 10).await.unwrap();
        let versions: Vec<u64> = lines.iter().map(|line| line.version).collect();
        assert_eq!(versions, (1..=version).rev().collect::<Vec<_>>(), "{key}");
        assert_eq!(lines[0].action, HistoryEntry::REDACTED);
    }
    let lines = store.links.article_history(&id, None, 10).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.version).collect::<Vec<_>>(), [3, 2]);
    let words = LinkFilter { q: text("secret"), ..LinkFilter::default() };
    assert!(list(store, words).await.is_empty());
    // Again is the same.
    let before = export(store).await;
    assert_eq!(store.links.redact(&id, "user:maria", at(10)).await.unwrap(), Some(left));
    assert_eq!(export(store).await, before);
    assert_eq!(find(store, "code3").await, untouched);
    // Whoever reads the page now finds a new story.
    for path in ["secret", "secret-amp"] {
        assert_eq!(by_url(store, path).await, None);
    }
    let anew = ArticleClaim { new_id: ArticleId("a-new".into()), ..first };
    let found = created(store, about(4, anew)).await;
    assert_eq!(found.link.article, Some(ArticleId("a-new".into())));
    assert_eq!(by_url(store, "secret-amp").await, found.link.article);
    let key = ArticleKey::CmsId("cms-secret".into());
    assert_eq!(article(store, key).await.map(|a| a.id), found.link.article);
}
