//! The same hits give the same numbers on SQLite and on Redis: below and above the bounds, by every dimension.

use std::collections::BTreeMap;

use serde_json::json;
use slugline::config::Config;
use slugline::domain::tally::{Counts, Scope, Series};
use slugline::hits::journal::sim::Chance;
use slugline::store::settings::Kind;

use super::servers::Standalone;
use crate::faults::books::Books;
use crate::faults::{Seed, rounds};
use crate::harness::{BROWSER, TestApp};
use http::Method;

const CODES: [&str; 3] = ["aa", "bb", "cc"];
const AGENTS: [&str; 8] = [
    BROWSER,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 \
     Instagram 390.0.0.28.85 (iPhone15,2; iOS 18_5; de_DE; de; scale=3.00; 1179x2556; 750000000)",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "WhatsApp/2.23.20.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.11.0",
    "",
];

/// One follow, as it is sent to both.
struct Follow {
    path: String,
    headers: Vec<(&'static str, String)>,
    head: bool,
}

/// `hosts` referrers that no table knows.
fn follow(chance: &mut Chance, hosts: u64) -> Follow {
    let pick = |chance: &mut Chance, of: usize| usize::try_from(chance.below(of as u64)).unwrap();
    let code = CODES[pick(chance, CODES.len())];
    let path = match chance.below(8) {
        0 => format!("/{code}.q"),
        1 => format!("/{code}?utm_source=letter{}&utm_medium=email", chance.below(hosts)),
        _ => format!("/{code}"),
    };
    let agent = AGENTS[pick(chance, AGENTS.len())].to_owned();
    let mut headers =
        vec![("user-agent", agent), ("x-forwarded-for", format!("198.51.100.{}", chance.below(200)))];
    match chance.below(4) {
        0 => {}
        1 => headers.push(("referer", "https://t.co/".to_owned())),
        2 => headers.push(("referer", "https://www.google.com/".to_owned())),
        _ => headers.push(("referer", format!("https://www.daily{}.example/a", chance.below(hosts)))),
    }
    if chance.once_in(9) {
        headers.push(("dnt", "1".to_owned()));
    }
    Follow { path, headers, head: chance.once_in(12) }
}

async fn send(app: &TestApp, follow: &Follow) -> u16 {
    let method = if follow.head { Method::HEAD } else { Method::GET };
    let headers: Vec<(&str, &str)> =
        follow.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    app.http.call(method, &follow.path).headers(&headers).send().await.status
}

/// Three links of stories with sections and authors; the last of them is expired.
async fn furnish(app: &TestApp) {
    for (n, code) in CODES.iter().enumerate() {
        let article = json!({ "title": "A story", "section": (if n == 0 { "World" } else { "Culture" }),
            "authors": (if n == 0 { json!(["A. Writer", "B. Writer"]) } else { json!(["A. Writer"]) }) });
        let url = format!("https://news.example.com/story-{n}");
        app.create(
            json!({ "url": url, "code": code, "channel": format!("channel-{}", n % 2), "article": article }),
        )
        .await;
    }
    app.change("cc", json!({ "expires_at": "2020-01-01T00:00:00Z" })).await.expect(200);
}

type Numbers = BTreeMap<(String, Series, String), Counts>;

/// Everything that is counted by day, by scope, series and value; and that it adds up.
async fn numbers(config: &Config) -> Numbers {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut config = config.clone();
    if config.store.kind != Kind::Sqlite {
        config.data.dir = elsewhere.path().to_path_buf();
    }
    let store = slugline::app::open_store(&config, slugline::clock::now()).await.unwrap();
    Books::read(store.tallies.as_ref(), &CODES.map(str::to_owned)).await;
    let mut scopes: Vec<Scope> = CODES.iter().map(|code| Scope::Link((*code).into())).collect();
    scopes.extend([Scope::Site, Scope::Section("World".into()), Scope::Section("Culture".into())]);
    scopes.extend(["A. Writer", "B. Writer"].map(|name| Scope::Author(name.into())));
    scopes.extend(["channel-0", "channel-1"].map(|name| Scope::Channel(name.into())));
    let mut numbers = Numbers::new();
    for scope in scopes {
        for series in Series::ALL.into_iter().filter(|s| !matches!(s, Series::Minute | Series::Hour)) {
            for row in store.tallies.rows(&scope, series, i64::MIN, i64::MAX).await.unwrap() {
                let key = (format!("{scope:?}"), series, row.value.to_string());
                // Shares are told apart by the clock, and the two were not asked in the same moment.
                *numbers.entry(key).or_default() += Counts { unfurls: 0, ..row.counts };
            }
        }
    }
    store.close().await.unwrap();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_hits_are_the_same_numbers() {
    let seed = Seed::new();
    let server = Standalone::start(&[]).await;
    let settings = server.settings();
    let behind_a_proxy = |config: &mut Config| {
        config.clients.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let embedded = TestApp::start_with(behind_a_proxy).await;
    let redis = TestApp::start_with(|config| {
        behind_a_proxy(config);
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
    })
    .await;
    for app in [&embedded, &redis] {
        furnish(app).await;
    }
    // Below what is bounded first, then far above it, in batches that are cut wherever the clock says.
    for (round, hosts) in (0..).zip([20, 10_000]) {
        let mut chance = seed.chance(round);
        for _ in 0..rounds(2_000, 20_000) {
            let follow = follow(&mut chance, hosts);
            let statuses = [send(&embedded, &follow).await, send(&redis, &follow).await];
            assert_eq!(statuses[0], statuses[1], "{}", follow.path);
        }
        let mut found = vec![];
        for app in [&embedded, &redis] {
            app.settle().await;
            found.push(numbers(&app.config).await);
        }
        let (on_redis, on_sqlite) = (found.pop().unwrap(), found.pop().unwrap());
        for (key, counts) in &on_sqlite {
            assert_eq!(Some(counts), on_redis.get(key), "{key:?}");
        }
        assert_eq!(on_sqlite.len(), on_redis.len());
        let capped =
            on_sqlite.keys().filter(|(_, series, value)| *series == Series::Referrer && value == "other");
        assert_eq!(capped.count() > 0, hosts > 200, "{hosts} hosts");
    }
}
