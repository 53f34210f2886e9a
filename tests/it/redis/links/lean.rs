//! What a link costs in Redis.

use slugline::domain::article::ArticleId;
use slugline::domain::code::{Code, Codes};
use slugline::domain::link::Link;
use slugline::links::codes::{Drawer, Entropy, Settings};
use slugline::store::conformance::{ask, at};
use slugline::store::links::{ArticleClaim, NewCode, NewLink};
use slugline::store::redis::lanes::Lanes;

use crate::redis::house::House;
use crate::redis::servers::Standalone;

/// Links of the quick measurement. The promise is for 100,000 (`SLUGLINE_LEAN=100000`): the hashes' own cost is
/// shared by fewer here.
const LINKS: usize = 5_000;
/// Most bytes of Redis for a link without hits, with its article, slot and alias.
const BYTES: u64 = 300;

/// A request as the API makes it: a drawn code, an article of its own, a target of 110 bytes. Only codes that
/// lie with the article, so that drawing does not take all day.
fn request(drawer: &Drawer, lanes: &Lanes, n: usize) -> NewLink {
    let entropy = Entropy::derived("lean", "lean");
    let url = format!(
        "https://www.example-newspaper.com/2026/11/22/politics/{n:06}-a-headline-that-says-what-it-is-about"
    );
    let url = format!("{url:-<110}");
    assert_eq!(url.len(), 110);
    let claim = ArticleClaim {
        new_id: drawer.article_id(entropy.bytes("article", n)),
        url: url.clone(),
        address: None,
        site: "www.example-newspaper.com".into(),
        cms_id: None,
        aliases: vec![],
        facts: Default::default(),
        page: None,
        read: None,
    };
    let new = ask(u64::try_from(n).unwrap() + 1, "", &[]);
    let link = Link { target: Some(url), created_by: "key:abcdefghijkl".into(), ..new.link };
    let (home, mut bytes) = (lanes.of(&claim.new_id.0), entropy.bytes("code", n));
    let code = loop {
        let drawn = drawer.codes(&mut bytes, 128, 0, 0);
        let near: Codes = drawn.iter().filter(|code| lanes.of(&code.key()) == home).collect();
        // One alone may be taken.
        if near.len() > 1 {
            break NewCode::Drawn(near);
        }
    };
    NewLink { code, article: Some(claim), link, ..new }
}

/// Bytes of all keys with such names, and how many keys.
async fn memory(server: &Standalone, names: &str) -> (u64, u64) {
    let script = "local bytes, keys, cursor = 0, 0, '0' repeat local page = redis.call('SCAN', cursor, 'MATCH', \
                  ARGV[1], 'COUNT', 10000) cursor = page[1] for _, key in ipairs(page[2]) do bytes = bytes + \
                  redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) keys = keys + 1 end until cursor == '0' \
                  return {bytes, keys}";
    let answer = server.ask(&["EVAL", script, "0", names]).await;
    redis::from_redis_value(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_without_hits_costs_little() {
    let links = std::env::var("SLUGLINE_LEAN").map_or(LINKS, |n| n.parse().unwrap());
    let server = Standalone::start(&[]).await;
    let house = House::open(&server.settings(), 64).await;
    let empty: u64 = server.info("used_memory").await.parse().unwrap();
    let settings = Settings { alphabet: "bcdfghjkmnpqrstvwxz23456789".into(), length: 7 };
    let (drawer, lanes) = (Drawer::new(&settings), &house.lanes);
    let mut codes: Vec<(Code, ArticleId)> = vec![];
    for first in (0..links).step_by(1_000) {
        let batch = (first..links.min(first + 1_000)).map(|n| request(&drawer, lanes, n)).collect();
        for made in house.store.links.create(batch, at(0)).await.unwrap() {
            let slugline::store::links::Creation::Created(found) = made else { panic!("{made:?}") };
            codes.push((found.link.code.clone(), found.link.article.clone().unwrap()));
        }
    }
    let used: u64 = server.info("used_memory").await.parse().unwrap();
    let together = codes.iter().filter(|(code, id)| lanes.of(&code.key()) == lanes.of(&id.0)).count();
    let count = u64::try_from(links).unwrap();
    let ((all, keys), (records, hashes), (feed, _)) =
        (memory(&server, "*").await, memory(&server, "*}:r:*").await, memory(&server, "*}:c").await);
    println!(
        "{links} links: {} bytes each in all {keys} keys; records {} in {hashes} hashes, change feed {}; used_memory \
         {} each; {together} lie with their articles",
        all / count,
        records / count,
        feed / count,
        (used - empty) / count,
    );
    assert!(together * 100 >= links * 99, "{together} of {links} links lie with their articles");
    if links >= 100_000 {
        assert!(all / count <= BYTES, "{} bytes", all / count);
    }
}
