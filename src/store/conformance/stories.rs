//! Articles: how they are known, and what is learnt of them.

use super::{Store, ask, at, claim, created, existing, find, url};
use crate::domain::article::{Article, ArticleId, MAX_ALIASES};
use crate::store::links::{ArticleClaim, ArticleKey, Edited, LinkFilter, LinkOrder, LinkPage, NewLink};

async fn article(store: &Store, key: ArticleKey) -> Option<Article> {
    store.links.article(key).await.expect("article").map(|a| a.as_ref().clone())
}

/// A request for a link to the story of `claim`.
fn about(tag: u64, claim: ArticleClaim) -> NewLink {
    let mut new = ask(tag, "", &[&format!("code{tag}")]);
    new.link.target = Some(claim.url.clone());
    NewLink { article: Some(claim), ..new }
}

/// By id, by each address and by the CMS's id; what nobody said is unknown.
pub async fn known_by_address_and_cms_id(store: &Store) {
    let first = created(store, about(1, ArticleClaim { cms_id: Some("1".into()), ..claim("a") })).await;
    let story = first.article.as_deref().cloned();
    assert_eq!(article(store, ArticleKey::Id(ArticleId("a-a".into()))).await, story);
    assert_eq!(article(store, ArticleKey::Url(url("a"))).await, story);
    assert_eq!(article(store, ArticleKey::CmsId("1".into())).await, story);
    for unknown in
        [ArticleKey::Id(ArticleId("1".into())), ArticleKey::Url("1".into()), ArticleKey::CmsId(url("a"))]
    {
        assert_eq!(article(store, unknown).await, None);
    }
    // The CMS's id wins over the address; the address is then one more of its spellings.
    let renamed = ArticleClaim { cms_id: Some("1".into()), ..claim("a-renamed") };
    let second = created(store, about(2, renamed)).await;
    assert_eq!(
        second.article.as_deref().map(|a| (&a.id, a.url.as_str())),
        story.as_ref().map(|a| (&a.id, a.url.as_str()))
    );
    assert!(!second.link.follows_article, "it leads to another address than the article's own");
    assert_eq!(article(store, ArticleKey::Url(url("a-renamed"))).await.map(|a| a.id), story.map(|a| a.id));
    // Without the id the address is enough.
    assert_eq!(existing(store, about(3, claim("a"))).await.link.code, first.link.code);
}

/// A story takes 200 aliases besides its own address and CMS id. Others are not kept; who knows the story by something
/// else besides finds it as before.
pub async fn aliases_are_bounded(store: &Store) {
    let by_id = |cms: &str, path: &str| ArticleClaim { cms_id: Some(cms.into()), ..claim(path) };
    let ask_by = |tag: u64, claim: ArticleClaim| NewLink { article: Some(claim), ..ask(tag, "a", &["aa"]) };
    let first = created(store, ask_by(1, by_id("1", "a"))).await;
    let half = MAX_ALIASES / 2;
    for n in 0..half {
        for claim in [by_id("1", &format!("a{n}")), by_id(&format!("id{n}"), "a")] {
            let tag = 2 + u64::try_from(n).unwrap();
            assert_eq!(existing(store, ask_by(tag, claim)).await.link.code, first.link.code);
        }
    }
    let told = async |key| article(store, key).await.map(|a| a.id);
    let story = first.article.as_ref().map(|a| a.id.clone());
    for n in [0, half - 1] {
        assert_eq!(told(ArticleKey::Url(url(&format!("a{n}")))).await, story);
        assert_eq!(told(ArticleKey::CmsId(format!("id{n}"))).await, story);
    }
    for _ in 0..2 {
        for claim in [by_id("1", "late"), by_id("late", "a"), by_id("1", "a0"), by_id("id0", "a1")] {
            let found = existing(store, ask_by(500, claim)).await;
            assert_eq!((&found.link.code, &found.article), (&first.link.code, &first.article));
        }
        assert_eq!(told(ArticleKey::Url(url("late"))).await, None);
        assert_eq!(told(ArticleKey::CmsId("late".into())).await, None);
        // Its own are none of them.
        assert_eq!(told(ArticleKey::Url(url("a"))).await, story);
        assert_eq!(told(ArticleKey::CmsId("1".into())).await, story);
    }
    // What is not kept is free for another.
    let other = created(store, about(600, claim("late"))).await;
    assert_ne!(other.link.article, first.link.article);
}

/// The last alias that is the story's own comes in, however many others it has.
pub async fn an_own_cms_id_always_has_room(store: &Store) {
    let first = created(store, about(1, claim("a"))).await;
    let elsewhere = |n: usize| ArticleClaim {
        site: format!("edition{n}.example"),
        cms_id: Some("1".into()),
        ..claim("a")
    };
    for n in 0..=MAX_ALIASES {
        existing(store, about(2, elsewhere(n))).await;
    }
    let own = ArticleClaim { cms_id: Some("own".into()), ..claim("a") };
    let found = existing(store, about(3, own)).await;
    assert_eq!(found.article.unwrap().cms_id.as_deref(), Some("own"));
    let story = article(store, ArticleKey::CmsId("own".into())).await;
    assert_eq!(story.map(|a| a.id), first.link.article);
}

/// Two sites may use one CMS id; asked for without a site it is the older story's.
pub async fn cms_ids_count_within_their_site(store: &Store) {
    let on = |site: &str, path: &str| ArticleClaim {
        cms_id: Some("1".into()),
        site: site.into(),
        url: format!("https://{site}/{path}"),
        new_id: ArticleId(format!("{site}-{path}").into()),
        ..claim("")
    };
    let zebra = created(store, about(1, on("zebra.example", "a"))).await;
    let ape = created(store, about(2, on("ape.example", "a"))).await;
    assert_ne!(zebra.link.article, ape.link.article);
    assert_eq!(article(store, ArticleKey::CmsId("1".into())).await.map(|a| a.id), zebra.link.article);
    let moved = created(store, about(3, on("ape.example", "b"))).await;
    assert_eq!(moved.link.article, ape.link.article);
}

/// What is known stays; what was not is filled in, also by a request that finds its link; the version says so.
pub async fn facts_fill_what_is_not_known(store: &Store) {
    let mut first = claim("a");
    first.facts.title = Some("Headline".into());
    let made = created(store, about(1, first)).await.article.unwrap();
    let mut second =
        ArticleClaim { cms_id: Some("9".into()), new_id: ArticleId("other".into()), ..claim("a") };
    second.facts.title = Some("Another headline".into());
    second.facts.section = Some("World".into());
    second.facts.authors = vec!["Ann".into()];
    second.facts.published_at = Some(at(-5));
    second.facts.image = Some(url("i"));
    second.facts.language = Some("en".into());
    let links = store.links.create(vec![about(2, second.clone())], at(60)).await.unwrap();
    let crate::store::links::Creation::Existing(found) = &links[0] else { panic!("{links:?}") };
    let filled = found.article.clone().unwrap();
    let mut facts = second.facts.clone();
    facts.title = Some("Headline".into());
    assert_eq!((&filled.facts, filled.version, filled.updated_at), (&facts, 2, at(60)));
    assert_eq!((&filled.id, filled.cms_id.as_deref(), filled.created_at), (&made.id, Some("9"), at(0)));
    assert_eq!(article(store, ArticleKey::CmsId("9".into())).await.as_ref(), Some(filled.as_ref()));
    // Nothing new, nothing changed.
    existing(store, about(3, second)).await;
    assert_eq!(article(store, ArticleKey::Url(url("a"))).await.as_ref(), Some(filled.as_ref()));
}

/// All links of a story show what is learnt of it, are found by it, and are in the change feed.
pub async fn links_show_what_their_story_learns(store: &Store) {
    let bare = created(store, about(1, claim("a"))).await;
    let mut on_x = about(2, claim("a"));
    on_x.link.channel = Some("x".into());
    on_x.link.title = Some("its own".into());
    created(store, on_x).await;
    let before = store.links.changes_since(0).await.unwrap().version;
    let mut learnt = claim("a");
    learnt.facts.title = Some("Headline".into());
    learnt.facts.section = Some("World".into());
    learnt.facts.authors = vec!["Ann".into()];
    existing(store, about(3, learnt)).await;
    assert_eq!(find(store, "code1").await.article.unwrap().facts.title.as_deref(), Some("Headline"));
    assert_eq!(find(store, "code1").await.link.version, bare.link.version);
    let mut keys = store.links.changes_since(before).await.unwrap().keys.unwrap();
    keys.sort();
    keys.dedup();
    assert_eq!(keys, ["code1", "code2"]);
    let list = async |filter| {
        let page = LinkPage { filter, order: LinkOrder::Title, descending: false, after: None, limit: 9 };
        let found = store.links.list(page, at(0)).await.unwrap();
        found.iter().map(|f| f.link.code.to_string()).collect::<Vec<_>>()
    };
    let section = LinkFilter { section: Some("World".into()), ..LinkFilter::default() };
    assert_eq!(list(section).await, ["code1", "code2"]);
    let author = LinkFilter { author: Some("Ann".into()), ..LinkFilter::default() };
    assert_eq!(list(author).await, ["code1", "code2"]);
    let words = LinkFilter { q: Some("headline".into()), ..LinkFilter::default() };
    assert_eq!(list(words).await, ["code1"]);
    // An edit knows its story by now.
    let change = super::editing::edit(&bare, |l| l.note = Some("n".into()));
    let Edited::Changed(found) = store.links.edit(change, at(1)).await.unwrap() else {
        panic!("not changed")
    };
    assert_eq!(found.article.unwrap().facts.section.as_deref(), Some("World"));
}
