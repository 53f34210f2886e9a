//! Digests as those who get them see them: asked for, sent once, ended; and what is not in them.

mod content;
mod nodes;
mod subscribing;
mod trouble;
mod webhooks;

use slugline::app;
use slugline::clock;
use slugline::config::Config;
use slugline::domain::tally::{Batch, Counts, Group, Row, Scope, Series, StreamId};
use slugline::store::documents::{DocumentChange, DocumentKind};

use crate::harness::json;

/// The hour of the clock in UTC: a daily digest of this hour is due since it began.
pub fn this_hour() -> i64 {
    clock::now().as_second().div_euclid(3_600).rem_euclid(24)
}

/// Yesterday in UTC, as a day's number.
pub fn yesterday() -> i64 {
    clock::now().as_second().div_euclid(86_400) - 1
}

/// Somebody gets a digest since the day before yesterday, each day at the hour that it is now: one is due.
pub async fn is_due(config: &Config, user: &str, email: &str) {
    let store = app::open_store(config, clock::now()).await.unwrap();
    let value = Some(json!({ "email": email, "every": "daily", "hour": this_hour() }));
    let at = clock::now() - jiff::SignedDuration::from_hours(48);
    let (kind, name, by) = (DocumentKind::Digest, user.to_lowercase(), format!("user:{user}"));
    store.documents.change_document(DocumentChange { kind, name, value, seen: None, by, at }).await.unwrap();
    store.close().await.unwrap();
}

/// Counts clicks of a day: each of these links has so many, and with them its section, its source and the site.
pub async fn count(config: &Config, day: i64, links: &[(&str, &str, u64)], source: &str) {
    let store = app::open_store(config, clock::now()).await.unwrap();
    let lanes = store.tallies.dataset().await.unwrap().lanes;
    let clicks = |clicks| Counts { clicks, uniques: clicks / 2, ..Counts::default() };
    let row = |series, value: &str, n| Row {
        series,
        bucket: day,
        value: value.to_owned().into(),
        counts: clicks(n),
    };
    let group = |scope, rows| Group { scope, rows, sketches: vec![] };
    let of_links =
        links.iter().map(|(code, _, n)| group(Scope::Link((*code).into()), vec![row(Series::Day, "", *n)]));
    let of_links: Vec<Group> = of_links.collect();
    let all = links.iter().map(|(.., n)| n).sum();
    let site = vec![row(Series::Day, "", all), row(Series::Source, source, all)];
    let mut of_site = vec![group(Scope::Site, site)];
    for (_, section, n) in links.iter().filter(|(_, section, _)| !section.is_empty()) {
        of_site.push(group(Scope::Section((*section).into()), vec![row(Series::Day, "", *n)]));
    }
    let stream = StreamId(u64::try_from(day).unwrap());
    for (lane, groups) in [(0, of_links), (lanes, of_site)] {
        let batch =
            Batch { stream, stream_began_ms: 0, lane, from: 0, to: 1, lost: 0, groups: groups.into() };
        let applied = store.tallies.apply(&batch).await.unwrap();
        assert_eq!(applied, slugline::store::tallies::Applied::Done);
    }
    store.close().await.unwrap();
}
