//! What a request shows of its reader, and of whom it is believed.

use slugline::config::Config;

use super::{map, numbers};
use crate::harness::{BROWSER, TestApp};

/// Addresses that registries gave out in Austria, in Germany and in the United States.
const AUSTRIAN: &str = "193.171.255.2";
const GERMAN: &str = "141.20.1.1";
const AMERICAN: &str = "8.8.8.8";

/// Another person's browser.
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn behind_a_proxy(config: &mut Config) {
    config.clients.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

#[tokio::test]
async fn readers_are_told_apart_by_address_and_agent() {
    let app = TestApp::start_with(behind_a_proxy).await;
    let code = app.shorten("https://news.example.com/a").await;
    for (address, agent) in [
        (AUSTRIAN, BROWSER),
        (AUSTRIAN, BROWSER),
        (AUSTRIAN, FIREFOX),
        (GERMAN, BROWSER),
        ("1.2.3.4, 141.20.1.1", BROWSER),
        ("2001:628:1:2::1", BROWSER),
        ("2001:628:1:2:ffff::2", BROWSER),
        ("2001:628:1:3::1", BROWSER),
        ("10.1.2.3", BROWSER),
    ] {
        app.follow_with(&code, &[("user-agent", agent), ("x-forwarded-for", address)]).await.expect(302);
    }
    assert_eq!(app.totals(&code).await, (9, 0, 0));
    let numbers = numbers(&app.config, &code).await;
    assert_eq!(numbers.countries, map(&[("AT", 6), ("DE", 2), ("unknown", 1)]));
    assert_eq!((numbers.total.uniques, numbers.own_key, numbers.untracked), (6, 0, 0));
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_is_believed() {
    let header = |config: &mut Config| config.clients.country_header = "CF-IPCountry".into();
    let app = TestApp::start_with(header).await;
    let code = app.shorten("https://news.example.com/a").await;
    for address in [AUSTRIAN, GERMAN, AMERICAN] {
        let headers = [("user-agent", BROWSER), ("x-forwarded-for", address), ("cf-ipcountry", "AT")];
        app.follow_with(&code, &headers).await.expect(302);
    }
    app.settle().await;
    let numbers = numbers(&app.config, &code).await;
    assert_eq!(numbers.total.uniques, 1, "all came from here");
    assert_eq!(numbers.countries, map(&[("unknown", 3)]));
}

#[tokio::test]
async fn a_trusted_proxy_may_know_the_country_better() {
    let app = TestApp::start_with(|config| {
        behind_a_proxy(config);
        config.clients.country_header = "CF-IPCountry".into();
    })
    .await;
    let code = app.shorten("https://news.example.com/a").await;
    for said in ["ch", "XX", "T1", "nonsense", ""] {
        let headers = [("user-agent", BROWSER), ("x-forwarded-for", AMERICAN), ("cf-ipcountry", said)];
        app.follow_with(&code, &headers).await.expect(302);
    }
    app.settle().await;
    let numbers = numbers(&app.config, &code).await;
    assert_eq!(numbers.countries, map(&[("CH", 1), ("US", 4)]), "what it does not know is looked up");
}

#[tokio::test]
async fn excluded_readers_are_bots_and_not_dropped() {
    let app = TestApp::start_with(|config| {
        behind_a_proxy(config);
        config.clients.excluded_addresses = vec!["193.171.255.0/24".parse().unwrap()];
        config.clients.excluded_agents = vec!["rv:145".into()];
    })
    .await;
    let code = app.shorten("https://news.example.com/a").await;
    for (address, agent) in [(AUSTRIAN, BROWSER), (GERMAN, FIREFOX), (GERMAN, BROWSER)] {
        app.follow_with(&code, &[("user-agent", agent), ("x-forwarded-for", address)]).await.expect(302);
    }
    assert_eq!(app.totals(&code).await, (1, 0, 2));
    let numbers = numbers(&app.config, &code).await;
    assert_eq!(numbers.reasons.get("excluded"), Some(&2), "{numbers:?}");
    assert_eq!(numbers.total.uniques, 1);
}

#[tokio::test]
async fn who_asks_not_to_be_followed_is_counted_and_not_told_apart() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    for ask in [("dnt", "1"), ("sec-gpc", "1"), ("dnt", "0")] {
        app.follow_with(&code, &[("user-agent", BROWSER), ask]).await.expect(302);
    }
    assert_eq!(app.totals(&code).await, (3, 0, 0));
    let numbers = numbers(&app.config, &code).await;
    assert_eq!((numbers.total.uniques, numbers.untracked), (1, 2));
}

#[tokio::test]
async fn hints_and_parameters_are_read() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let hints = [("user-agent", BROWSER), ("sec-ch-ua", "\"Chromium\";v=\"142\", \"Brave\";v=\"142\"")];
    app.follow_with(&format!("{code}?fbclid=IwAR0secret&x=1"), &hints).await.expect(302);
    app.settle().await;
    let first = async |by: &str| {
        let report = app.report(&format!("top?by={by}&scope=link:{code}")).await;
        report["rows"][0]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!((first("browser").await, first("source").await), ("Brave".into(), "Facebook".into()));
}
