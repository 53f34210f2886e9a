//! Lists: filters, orders, pages, words.

use std::collections::BTreeSet;

use super::editing::{changed, edit, retire};
use super::{Random, Store, ask, at, blank, choose, claim, created, url};
use crate::domain::article::ArticleId;
use crate::domain::link::{Found, Status, Via};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage, NewCode, NewLink};

const ORDERS: [LinkOrder; 4] = [LinkOrder::Created, LinkOrder::Updated, LinkOrder::Code, LinkOrder::Title];
const WORDS: [&str; 5] = ["Election", "budget", "Zürich", "100%", "a_b"];

/// All pages of a list, `limit` links each.
async fn pages(
    store: &Store,
    filter: &LinkFilter,
    order: LinkOrder,
    descending: bool,
    limit: usize,
) -> Vec<Found> {
    let (mut all, mut after): (Vec<Found>, _) = (vec![], None);
    loop {
        let page = LinkPage { filter: filter.clone(), order, descending, after, limit };
        let found = store.links.list(page, at(0)).await.expect("list");
        assert!(found.len() <= limit, "a page of {}", found.len());
        let Some(last) = found.last() else { return all };
        after = Some((order.key_of(last), last.link.code.to_string()));
        all.extend(found);
        assert!(all.len() <= 10_000, "pages without end");
    }
}

async fn codes(store: &Store, filter: LinkFilter) -> BTreeSet<String> {
    let found = pages(store, &filter, LinkOrder::Code, false, 7).await;
    found.iter().map(|f| f.link.code.to_string()).collect()
}

/// `count` links of every sort.
async fn random_links(store: &Store, random: &mut Random, count: u64) {
    let some =
        |random: &mut Random, from: &[&str]| (random.below(2) == 0).then(|| (*random.pick(from)).to_owned());
    let mut batch = vec![];
    for n in 0..count {
        let path = format!("p{}", random.below(count / 2 + 1));
        let mut claim = claim(&path);
        claim.facts.title = some(random, &WORDS);
        claim.facts.section = some(random, &["World", "Sport"]);
        claim.facts.authors = some(random, &["Ann", "Bob"]).into_iter().collect();
        let mut link = blank(Some(url(&path)), at(i64::try_from(random.below(20)).unwrap()));
        link.title = some(random, &WORDS);
        link.note = some(random, &WORDS);
        link.channel = some(random, &["x", "print"]);
        link.campaign = some(random, &["c1", "c2"]);
        link.tags = some(random, &["t1", "t2"]).into_iter().collect();
        link.created_by = (*random.pick(&["key:a", "user:b"])).into();
        link.via = *random.pick(&[Via::Api, Via::Page]);
        link.disabled = random.below(5) == 0;
        link.expires_at = (random.below(3) == 0).then(|| at(i64::try_from(random.below(3)).unwrap() - 1));
        link.not_before = (random.below(3) == 0).then(|| at(i64::try_from(random.below(3)).unwrap() - 1));
        let code = NewCode::Drawn(
            [super::code(&format!("{}{n}", random.pick(&["b", "A", "-"])))].into_iter().collect(),
        );
        let article = if random.below(8) == 0 { None } else { Some(claim) };
        link.target = link.target.filter(|_| article.is_some());
        batch.push(NewLink { tag: n + 1, code, article, link, force_new: true });
    }
    store.links.create(batch, at(0)).await.expect("create");
    for found in pages(store, &LinkFilter::default(), LinkOrder::Code, false, 1_000).await {
        match random.below(6) {
            0 => drop(retire(store, &found).await),
            1 => drop(changed(store, edit(&found, |l| l.note = Some("edited".into()))).await),
            _ => {}
        }
    }
}

/// What the documentation says of a filter, on one link.
fn matches(filter: &LinkFilter, found: &Found) -> bool {
    let (link, article) = (&found.link, found.article.as_deref());
    let same = |asked: &Option<String>, is: Option<&String>| asked.is_none() || asked.as_ref() == is;
    let title = link.title.as_deref().or(article.and_then(|a| a.facts.title.as_deref()));
    let words = |q: &String| {
        let texts = [Some(link.code.as_str()), title, link.target.as_deref(), link.note.as_deref()];
        texts.iter().flatten().any(|t| t.to_ascii_lowercase().contains(&q.to_ascii_lowercase()))
    };
    same(&filter.section, article.and_then(|a| a.facts.section.as_ref()))
        && same(&filter.channel, link.channel.as_ref())
        && same(&filter.campaign, link.campaign.as_ref())
        && same(&filter.created_by, Some(&link.created_by))
        && filter.author.as_ref().is_none_or(|name| article.is_some_and(|a| a.facts.authors.contains(name)))
        && filter.tag.as_ref().is_none_or(|tag| link.tags.contains(tag))
        && filter.via.is_none_or(|via| link.via == via)
        && filter.status.is_none_or(|status| found.status(at(0)) == status)
        && filter.article.as_ref().is_none_or(|id| link.article.as_ref() == Some(id))
        && filter.from.is_none_or(|from| link.created_at >= from)
        && filter.to.is_none_or(|to| link.created_at < to)
        && filter.q.as_ref().is_none_or(words)
}

fn random_filter(random: &mut Random) -> LinkFilter {
    let mut filter = LinkFilter::default();
    for _ in 0..random.below(3) {
        match random.below(11) {
            0 => filter.section = Some("World".into()),
            1 => filter.author = Some("Ann".into()),
            2 => filter.channel = Some("x".into()),
            3 => filter.campaign = Some("c1".into()),
            4 => filter.tag = Some("t1".into()),
            5 => filter.created_by = Some("key:a".into()),
            6 => filter.via = Some(Via::Api),
            7 => filter.q = Some((*random.pick(&["elect", "ü", "%", "_", "p1", "BUD"])).into()),
            8 => filter.from = Some(at(5)),
            9 => filter.to = Some(at(15)),
            _ => filter.article = Some(ArticleId("a-p1".into())),
        }
    }
    filter
}

/// Whatever is filtered, in whatever order, in pages of whatever size: all that match, each once, in order.
pub async fn pages_are_complete_and_without_duplicates(store: &Store) {
    let mut random = Random(1);
    random_links(store, &mut random, 60).await;
    let all = pages(store, &LinkFilter::default(), LinkOrder::Code, false, 1_000).await;
    assert_eq!(u64::try_from(all.len()).unwrap(), store.links.count().await.unwrap());
    for round in 0..120u64 {
        let filter = random_filter(&mut random);
        let (order, descending) = (*random.pick(&ORDERS), random.below(2) == 0);
        let limit = usize::try_from(random.below(9) + 1).unwrap();
        let key = |found: &Found| {
            let key = order.key_of(found);
            // Times as numbers, so that one with more digits is later.
            let number = if matches!(order, LinkOrder::Created | LinkOrder::Updated) {
                key.parse::<i64>().unwrap()
            } else {
                0
            };
            (number, key, found.link.code.to_string())
        };
        let mut expected: Vec<_> = all.iter().filter(|f| matches(&filter, f)).map(key).collect();
        expected.sort();
        if descending {
            expected.reverse();
        }
        let listed = pages(store, &filter, order, descending, limit).await;
        let listed: Vec<_> = listed.iter().map(key).collect();
        assert_eq!(listed, expected, "round {round}: {filter:?} {order:?} {descending} {limit}");
    }
}

/// Each filter by itself, and every status.
pub async fn each_filter_shows_what_it_names(store: &Store) {
    let mut random = Random(2);
    random_links(store, &mut random, 40).await;
    let all = pages(store, &LinkFilter::default(), LinkOrder::Code, false, 1_000).await;
    let none = LinkFilter::default;
    let text = |t: &str| Some(t.to_owned());
    let mut filters = vec![
        LinkFilter { section: text("Sport"), ..none() },
        LinkFilter { author: text("Bob"), ..none() },
        LinkFilter { channel: text("print"), ..none() },
        LinkFilter { campaign: text("c2"), ..none() },
        LinkFilter { tag: text("t2"), ..none() },
        LinkFilter { created_by: text("user:b"), ..none() },
        LinkFilter { via: Some(Via::Page), ..none() },
        LinkFilter { via: Some(Via::Import), ..none() },
        LinkFilter { article: Some(ArticleId("a-p2".into())), ..none() },
        LinkFilter { from: Some(at(5)), to: Some(at(6)), ..none() },
        LinkFilter { section: text("sport"), ..none() },
        LinkFilter { tag: text(""), ..none() },
    ];
    for status in ["retired", "disabled", "expired", "reserved", "scheduled", "active"] {
        filters.push(LinkFilter { status: Status::from_name(status), ..none() });
    }
    for filter in filters {
        let expected: BTreeSet<_> =
            all.iter().filter(|f| matches(&filter, f)).map(|f| f.link.code.to_string()).collect();
        assert_eq!(codes(store, filter.clone()).await, expected, "{filter:?}");
    }
}

/// Words are contained in code, title, target or note, from one letter on, in links old and new.
pub async fn finds_words(store: &Store) {
    let mut new = choose(1, "politics/vote", "vote26");
    new.link.title = Some("Österreich wählt".into());
    new.link.note = Some("for the\nevening desk".into());
    let found = created(store, new).await;
    created(store, ask(2, "sport", &["kx7dw4m"])).await;
    let hit = BTreeSet::from(["vote26".to_owned()]);
    let words = async |q: &str| codes(store, LinkFilter { q: Some(q.into()), ..LinkFilter::default() }).await;
    for round in 0..2 {
        for q in
            ["TE2", "vote26", "ch wähl", "reich", "politics/VOTE", "the\nevening", "ä", "wä", "vote26\u{0}"]
        {
            let expected = if q.contains('\0') { BTreeSet::new() } else { hit.clone() };
            assert_eq!(words(q).await, expected, "{round} {q:?}");
        }
        assert_eq!(words("news.example.com").await.len(), 2);
        assert_eq!(words("").await.len(), 2, "nothing asked, nothing filtered");
        assert!(words("evening desk vote").await.is_empty(), "words are one piece of text");
        if round == 0 {
            // By now an index may have been built; it must forget what is no longer there.
            changed(store, edit(&found, |l| l.message = Some("m".into()))).await;
        }
    }
    let old = super::find(store, "vote26").await;
    changed(store, edit(&old, |l| l.title = Some("Something else".into()))).await;
    assert!(words("reich").await.is_empty());
    assert_eq!(words("omething").await, hit);
}

/// What means something in a query language means itself here.
pub async fn words_with_special_characters(store: &Store) {
    for (tag, title) in
        (1..).zip(["100% sure", "100 sure", "a_b", "axb", "say \"hello\"", "c:\\d", "it's * (new) -old"])
    {
        let mut new = ask(tag, &format!("p{tag}"), &[&format!("code{tag}")]);
        new.link.title = Some(title.into());
        created(store, new).await;
    }
    let words = [
        ("100%", 1),
        ("0% s", 1),
        ("a_b", 3),
        ("_b", 3),
        ("\"hello\"", 5),
        ("\"", 5),
        (":\\d", 6),
        ("\\", 6),
        ("it's *", 7),
        ("* (new) -", 7),
        ("'s", 7),
    ];
    for (q, tag) in words {
        let found = codes(store, LinkFilter { q: Some(q.into()), ..LinkFilter::default() }).await;
        assert_eq!(found, BTreeSet::from([format!("code{tag}")]), "{q:?}");
    }
}

/// A link without a title sorts by its article's; without either it comes first.
pub async fn titles_sort_with_their_articles(store: &Store) {
    for (tag, own, of_article) in
        [(1, None, Some("mm")), (2, Some("aa"), Some("zz")), (3, None, None), (4, Some("zz"), None)]
    {
        let name = format!("code{tag}");
        let mut new = ask(tag, &name, &[&name]);
        new.link.title = own.map(str::to_owned);
        let mut claim = claim(&name);
        claim.facts.title = of_article.map(str::to_owned);
        new.article = Some(claim);
        created(store, new).await;
    }
    for (descending, expected) in
        [(false, ["code3", "code2", "code1", "code4"]), (true, ["code4", "code1", "code2", "code3"])]
    {
        let found = pages(store, &LinkFilter::default(), LinkOrder::Title, descending, 1).await;
        assert_eq!(found.iter().map(|f| f.link.code.as_str()).collect::<Vec<_>>(), expected);
    }
}
