//! Merging and splitting articles.

use super::editing::{changed, edit};
use super::life::{about, article, article_changed, article_edit, by_url, list, on_x, spelt, text};
use super::{Store, at, claim, create, created, existing, find, url};
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::Found;
use crate::store::links::{
    ArticleClaim, ArticleEdit, ArticleEdited, ArticleKey, Creation, Edited, LinkFilter, SlotWish,
};

/// Two stories, the second made later: (older, younger), each with a plain link.
async fn two_stories(store: &Store) -> (Found, Found) {
    let older = created(store, about(1, claim("a"))).await;
    let mut new = about(2, ArticleClaim { cms_id: text("b"), ..spelt("b", &["b-amp"]) });
    new.link.created_at = at(5);
    let made = store.links.create(vec![new], at(5)).await.unwrap().pop().unwrap();
    let Creation::Created(younger) = made else { panic!("{made:?}") };
    (older, younger)
}

/// The younger of two stories is merged into the older; both codes live, and later pastes get the older.
pub async fn merged_stories_are_the_older(store: &Store) {
    let (older, younger) = two_stories(store).await;
    let (a, b) = (older.article.as_deref().unwrap(), younger.article.as_deref().unwrap());
    let wrong = article_edit(a, |a| a.merged_into = Some(b.id.clone()));
    let refused = store.links.edit_article(wrong).await.unwrap();
    assert!(matches!(&refused, ArticleEdited::NotOlder(into) if into.id == b.id), "{refused:?}");
    let itself = article_edit(b, |b| b.merged_into = Some(b.id.clone()));
    let refused = store.links.edit_article(itself).await.unwrap();
    assert!(matches!(refused, ArticleEdited::NotOlder(_)), "{refused:?}");
    let nobody = article_edit(b, |b| b.merged_into = Some(ArticleId("nobody".into())));
    assert!(matches!(store.links.edit_article(nobody).await.unwrap(), ArticleEdited::NotFound));

    let merged = article_changed(store, article_edit(b, |b| b.merged_into = Some(a.id.clone()))).await;
    for key in [
        ArticleKey::Url(url("a")),
        ArticleKey::Url(url("b")),
        ArticleKey::Url(url("b-amp")),
        ArticleKey::CmsId("b".into()),
        ArticleKey::CmsIdIn { site: a.site.clone(), id: "b".into() },
    ] {
        assert_eq!(article(store, key.clone()).await.as_ref(), Some(a), "{key:?}");
    }
    assert_eq!(article(store, ArticleKey::Id(b.id.clone())).await.as_ref(), Some(&merged));
    // Its link comes along, and both codes live.
    let mut along = edit(&younger, |link| {
        link.article = Some(a.id.clone());
        link.target = text(&a.url);
    });
    along.slot = SlotWish::Claim;
    let held = store.links.edit(along.clone(), at(0)).await.unwrap();
    assert!(matches!(&held, Edited::SlotHeld(holder) if holder.link == older.link), "{held:?}");
    along.slot = SlotWish::ClaimIfFree;
    let came = changed(store, along).await;
    assert_eq!((&came.link.article, came.article.as_deref()), (&Some(a.id.clone()), Some(a)));
    assert!(came.link.follows_article);
    assert_eq!(find(store, "code1").await, older);
    let of_a = LinkFilter { article: Some(a.id.clone()), ..LinkFilter::default() };
    assert_eq!(list(store, of_a).await, ["code1", "code2"]);
    // Whoever pastes any of the addresses gets the older story's link.
    for (tag, claim) in
        (10..).zip([claim("b"), spelt("new", &["b-amp"]), ArticleClaim { cms_id: text("b"), ..claim("c") }])
    {
        let mut new = about(tag, claim);
        new.link.target = text(&a.url);
        assert_eq!(existing(store, new).await.link, older.link);
    }
    assert_eq!(by_url(store, "new").await, Some(a.id.clone()));
    // And undone.
    let back = article_changed(store, article_edit(&merged, |b| b.merged_into = None)).await;
    assert_eq!(article(store, ArticleKey::Url(url("b-amp"))).await, Some(back.clone()));
    let mut home = edit(&came, |link| {
        link.article = Some(back.id.clone());
        link.target = text(&back.url);
    });
    home.slot = SlotWish::Keep;
    assert!(changed(store, home).await.link.follows_article, "another article is never the same slot");
    let plain = existing(store, about(20, claim("b"))).await;
    assert_eq!(plain.link.code.as_str(), "code2");
}

/// A merge into a story that was merged itself leads to the end.
pub async fn merges_lead_to_the_end(store: &Store) {
    let mut stories = vec![];
    for (n, path) in (0..).zip(["a", "b", "c"]) {
        let new = about(n, claim(path));
        let made = store.links.create(vec![new], at(i64::try_from(n).unwrap())).await.unwrap().pop().unwrap();
        let Creation::Created(found) = made else { panic!("{made:?}") };
        stories.push(found.article.unwrap());
    }
    let [a, b, c] = &stories[..] else { panic!() };
    article_changed(store, article_edit(c, |c| c.merged_into = Some(b.id.clone()))).await;
    article_changed(store, article_edit(b, |b| b.merged_into = Some(a.id.clone()))).await;
    assert_eq!(by_url(store, "c").await, Some(a.id.clone()));
    let found = created(store, on_x(9, claim("c"), "a")).await;
    assert_eq!(found.article.as_deref().map(|a| &a.id), Some(&a.id));
    let c = article(store, ArticleKey::Id(c.id.clone())).await.unwrap();
    let again = article_edit(&c, |c| c.merged_into = Some(b.id.clone()));
    // It is merged into that one already.
    assert_eq!(article_changed(store, again).await.merged_into, Some(b.id.clone()));
}

/// Part of a story becomes one of its own: it takes aliases from it, and links come over.
pub async fn a_story_is_split(store: &Store) {
    let first = created(store, about(1, spelt("a", &["b", "b-amp", "c"]))).await;
    let on_b = created(store, on_x(2, claim("a"), "b")).await;
    let from = first.link.article.clone().unwrap();
    let new = Article::new(ArticleId("a-split".into()), url("b"), "news.example.com".into(), at(7));
    let mut split = article_edit(&new, |_| {});
    (split.tag, split.article.version) = (5, 1);
    let held = store.links.edit_article(split.clone()).await.unwrap();
    assert!(matches!(&held, ArticleEdited::AddressHeld(holder) if holder.id == from), "{held:?}");
    let take = |path: &str| (url(path), from.clone());
    // Its own address and somebody else's stay.
    split.take = vec![take("b"), take("b-amp"), take("a"), take("unknown")];
    let made = article_changed(store, split.clone()).await;
    assert_eq!(article_changed(store, split).await, made, "the same again");
    for (path, whose) in [("a", &from), ("c", &from), ("b", &made.id), ("b-amp", &made.id)] {
        assert_eq!(by_url(store, path).await.as_ref(), Some(whose), "{path}");
    }
    assert_eq!(by_url(store, "unknown").await, None);
    let mut over = edit(&on_b, |link| link.article = Some(made.id.clone()));
    over.slot = SlotWish::Claim;
    let over = changed(store, over).await;
    assert!(over.link.follows_article, "it leads to its new story's own address");
    assert_eq!(existing(store, on_x(3, claim("b"), "b")).await.link, over.link);
    // An alias is taken from a known story as well, and given back.
    let c =
        article_changed(store, ArticleEdit { take: vec![take("c")], ..article_edit(&made, |_| {}) }).await;
    assert_eq!(by_url(store, "c").await.as_ref(), Some(&c.id));
    let mut back = article_edit(first.article.as_deref().unwrap(), |_| {});
    back.take = vec![(url("c"), c.id.clone()), (url("b"), c.id.clone())];
    article_changed(store, back).await;
    assert_eq!(by_url(store, "c").await.as_ref(), Some(&from));
    assert_eq!(by_url(store, "b").await.as_ref(), Some(&c.id), "an own address is never taken");
}

/// A story that was merged into another is the same story: nothing of it is left either.
pub async fn what_was_merged_is_redacted_with_it(store: &Store) {
    let (older, younger) = two_stories(store).await;
    let (a, b) = (older.article.clone().unwrap(), younger.article.clone().unwrap());
    article_changed(store, article_edit(&b, |b| b.merged_into = Some(a.id.clone()))).await;
    let left = store.links.redact(&a.id, "user:maria", at(9)).await.unwrap().unwrap();
    assert!(left.is_redacted() && left.id == a.id);
    assert!(article(store, ArticleKey::Id(b.id.clone())).await.unwrap().is_redacted());
    for key in ["code1", "code2"] {
        assert!(find(store, key).await.link.is_redacted(), "{key}");
    }
    for path in ["a", "b", "b-amp"] {
        assert_eq!(by_url(store, path).await, None);
    }
    let anew = ArticleClaim { new_id: ArticleId("a-new".into()), ..claim("b-amp") };
    let found = created(store, about(9, anew)).await;
    assert_eq!(found.link.article, Some(ArticleId("a-new".into())));
}

/// A merge while others make links: each gets one, and whoever comes later gets the older story.
pub async fn a_merge_races_with_creations(store: &Store) {
    let (older, younger) = two_stories(store).await;
    let (a, b) = (older.article.clone().unwrap(), younger.article.clone().unwrap());
    let mut asking = tokio::task::JoinSet::new();
    for n in 100..140 {
        let links = std::sync::Arc::clone(&store.links);
        let mut new = about(n, claim("b"));
        new.link.channel = Some(format!("channel {n}"));
        asking.spawn(async move { links.create(vec![new], at(9)).await.unwrap().pop().unwrap() });
    }
    let merged = article_changed_at_last(store, &b.id, &a.id).await;
    assert_eq!(merged.merged_into, Some(a.id.clone()));
    for made in asking.join_all().await {
        let Creation::Created(found) = made else { panic!("{made:?}") };
        let article = found.link.article.clone().unwrap();
        assert!([&a.id, &b.id].contains(&&article), "{article:?}");
        assert_eq!(find(store, &found.link.code.key()).await.link, found.link);
    }
    let mut late = about(200, claim("b-amp"));
    late.link.channel = Some("late".into());
    let Creation::Created(found) = create(store, late).await else { panic!("not made") };
    assert_eq!(found.link.article, Some(a.id.clone()));
}

/// Merges whatever version it is at.
async fn article_changed_at_last(store: &Store, id: &ArticleId, into: &ArticleId) -> Article {
    loop {
        let now = article(store, ArticleKey::Id(id.clone())).await.unwrap();
        let change = article_edit(&now, |b| b.merged_into = Some(into.clone()));
        match store.links.edit_article(change).await.unwrap() {
            ArticleEdited::Changed(article) => return article.as_ref().clone(),
            ArticleEdited::Stale(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
