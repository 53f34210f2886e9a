//! What readers send can be anything: it stays bounded, harmless, and in the sums.

use std::collections::BTreeMap;

use slugline::clock;
use slugline::domain::hit::NewHit;
use slugline::domain::lane::lane_of;
use slugline::domain::tally::{BEYOND, MAX_UNKNOWN, Scope, Series, is_unknown_value};

use crate::faults::rig::Rig;
use crate::faults::rounds;
use crate::harness::{BROWSER, TestApp, json};

#[tokio::test]
async fn very_many_referrers() {
    // A million of them when all is tried.
    let sent = rounds(100_000, 1_000_000);
    let mut rig = Rig::new(1).await;
    rig.batch_hits = 100_000;
    rig.fresh_applier();
    let code = rig.codes[0].clone();
    let now_ms = clock::now_ms();
    let mut known = 0;
    for n in 0..sent {
        let referrer = format!("https://www.host{n}.example");
        let known_too = n % 10 == 9;
        known += u64::from(known_too);
        let referrers = [Some(referrer.as_str()), known_too.then_some("https://www.facebook.com")];
        for referrer in referrers.into_iter().flatten() {
            let hit = NewHit {
                user_agent: BROWSER.as_bytes(),
                referrer: referrer.as_bytes(),
                ..NewHit::plain(lane_of(&code, 1), &code, now_ms)
            };
            assert!(!rig.journal().append(&hit).lost);
            rig.accepted[0] += 1;
        }
    }
    rig.settle().await;
    rig.check("after very many referrers").await;
    for scope in [Scope::Link(code.as_str().into()), Scope::Site] {
        for series in [Series::Referrer, Series::Source] {
            let rows = rig.tap.inner().rows(&scope, series, i64::MIN, i64::MAX).await.unwrap();
            let values: BTreeMap<&str, u64> =
                rows.iter().map(|row| (&*row.value, row.counts.hits())).collect();
            let unknown = values.keys().filter(|value| is_unknown_value(value)).count();
            assert_eq!(unknown, MAX_UNKNOWN, "{scope:?} {series:?}");
            assert_eq!(values[BEYOND], sent - MAX_UNKNOWN as u64, "{scope:?} {series:?}");
            let facebook: u64 = values
                .iter()
                .filter(|(value, _)| value.to_lowercase().contains("facebook"))
                .map(|(_, n)| n)
                .sum();
            assert_eq!(facebook, known, "{scope:?} {series:?}: {values:?}");
        }
    }
}

#[tokio::test]
async fn headers_that_are_long_or_hostile() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "aa" })).await;
    let long = "\"><script>alert(1)</script>\t=cmd|'/c calc'!A1 ".repeat(8 * 1024 / 46);
    let headers = [
        ("user-agent", format!("Mozilla/5.0 {long}")),
        ("user-agent", long.clone()),
        ("referer", format!("https://{long}.example/")),
        ("referer", long.clone()),
        ("referer", "https://xn--\u{202e}evil.example/<b>".to_owned()),
    ];
    let mut followed = 0;
    for (name, value) in &headers {
        let answer = app.follow_with("aa", &[(name, value.as_str())]).await;
        assert!(matches!(answer.status, 302 | 400 | 431), "{name}: {}", answer.status);
        followed += u64::from(answer.status == 302);
    }
    assert!(followed >= 3, "{followed}");
    let (clicks, previews, bots) = app.totals("aa").await;
    assert_eq!(clicks + previews + bots, followed);
    for by in ["source", "medium", "referrer", "device", "os", "browser", "bot", "preview"] {
        let top = app.report(&format!("top?scope=link:aa&by={by}&class=all&limit=1000")).await;
        for row in top["rows"].as_array().unwrap() {
            for text in [&row["value"], &row["label"]] {
                let text = text.as_str().unwrap();
                let harmless = text.len() <= 200 && !text.chars().any(|c| c.is_control() || c == '<');
                assert!(harmless, "{by}: {text:?}");
            }
        }
        let csv = app.get(&format!("/reports/top.csv?scope=link:aa&by={by}&class=all")).await.expect(200);
        assert!(!csv.text().contains("\n="), "{by}: {}", csv.text());
    }
}
