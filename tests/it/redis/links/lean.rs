//! What a link costs in Redis.

use slugline::domain::article::ArticleId;
use slugline::domain::code::Code;
use slugline::domain::link::Link;
use slugline::links::codes::{Drawer, Entropy, Settings};
use slugline::store::conformance::{ask, at};
use slugline::store::links::{ArticleClaim, NewCode, NewLink};

use crate::redis::house::House;
use crate::redis::servers::Standalone;

/// Links of the quick measurement. The promise is for 100,000 (`SLUGLINE_LEAN=100000`): the hashes' own cost is
/// shared by fewer here.
const LINKS: usize = 20_000;
/// Most bytes of Redis for a link without hits, with its article, slot and alias.
const BYTES: u64 = 300;

/// A request as the API makes it: drawn codes, an article of its own, a target of 110 bytes.
fn request(drawer: &Drawer, n: usize, wanted: usize) -> NewLink {
    let entropy = Entropy::derived("lean", "lean");
    let url = format!(
        "https://www.example-newspaper.com/2026/11/22/politics/{n:06}-a-headline-that-says-what-it-is-about"
    );
    let url = format!("{url:-<110}");
    assert_eq!(url.len(), 110);
    let claim = ArticleClaim {
        new_id: drawer.article_id(entropy.bytes("article", n)),
        url: url.clone(),
        site: "www.example-newspaper.com".into(),
        cms_id: None,
        facts: Default::default(),
    };
    let new = ask(u64::try_from(n).unwrap() + 1, "", &[]);
    let link = Link { target: Some(url), created_by: "key:abcdefghijkl".into(), ..new.link };
    let code = NewCode::Drawn(drawer.codes(entropy.bytes("code", n), wanted, 0, 0));
    NewLink { code, article: Some(claim), link, ..new }
}

/// Bytes of all keys whose names contain this, and how many keys.
async fn memory(server: &Standalone, part: &str) -> (u64, u64) {
    let script = "local bytes, keys, cursor = 0, 0, '0' repeat local page = redis.call('SCAN', cursor, 'MATCH', \
                  ARGV[1], 'COUNT', 10000) cursor = page[1] for _, key in ipairs(page[2]) do bytes = bytes + \
                  redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) keys = keys + 1 end until cursor == '0' \
                  return {bytes, keys}";
    let answer = server.ask(&["EVAL", script, "0", &format!("*{part}*")]).await;
    redis::from_redis_value(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_without_hits_costs_little() {
    let links = std::env::var("SLUGLINE_LEAN").map_or(LINKS, |n| n.parse().unwrap());
    let server = Standalone::start(&[]).await;
    let house = House::open(&server.settings(), 64).await;
    let empty: u64 = server.info("used_memory").await.parse().unwrap();
    let settings = Settings { alphabet: "bcdfghjkmnpqrstvwxz23456789".into(), length: 7 };
    let (drawer, wanted) = (Drawer::new(&settings), house.store.links.wanted_codes());
    let mut codes: Vec<(Code, ArticleId)> = vec![];
    for first in (0..links).step_by(1_000) {
        let batch = (first..links.min(first + 1_000)).map(|n| request(&drawer, n, wanted)).collect();
        for made in house.store.links.create(batch, at(0)).await.unwrap() {
            let slugline::store::links::Creation::Created(found) = made else { panic!("{made:?}") };
            codes.push((found.link.code.clone(), found.link.article.clone().unwrap()));
        }
    }
    let used: u64 = server.info("used_memory").await.parse().unwrap();
    let lanes = &house.lanes;
    let together = codes.iter().filter(|(code, id)| lanes.of(&code.key()) == lanes.of(&id.0)).count();
    let count = u64::try_from(links).unwrap();
    let ((all, keys), (records, hashes), (feed, _)) =
        (memory(&server, "").await, memory(&server, ":r:").await, memory(&server, ":c").await);
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
