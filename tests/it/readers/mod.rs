//! Who readers are, for a day: country, network, uniques; and what does not stay of them.

mod keys;
mod reload;
mod seen;

use std::collections::BTreeMap;

use slugline::clock;
use slugline::config::Config;
use slugline::domain::tally::{Counts, Scope, Series};
use slugline::store::settings::Kind;

/// What is counted of a link.
#[derive(Debug)]
pub struct Numbers {
    pub total: Counts,
    /// Hits of every class.
    pub countries: BTreeMap<String, u64>,
    /// Why hits were no clicks, without names.
    pub reasons: BTreeMap<String, u64>,
    /// Clicks that asked not to be followed.
    pub untracked: u64,
    /// Clicks made with another key of the day than the other nodes'.
    pub own_key: u64,
}

/// The numbers of a link, read beside the server that has this configuration.
pub async fn numbers(config: &Config, code: &str) -> Numbers {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut config = config.clone();
    if config.store.kind != Kind::Sqlite {
        config.data.dir = elsewhere.path().to_path_buf();
    }
    let store = slugline::app::open_store(&config, clock::now()).await.unwrap();
    let scope = Scope::Link(code.into());
    let total = store.tallies.totals(std::slice::from_ref(&scope)).await.unwrap()[0];
    let values = async |series| {
        let mut values: BTreeMap<String, u64> = BTreeMap::new();
        for row in store.tallies.rows(&scope, series, i64::MIN, i64::MAX).await.unwrap() {
            *values.entry(row.value.to_string()).or_default() += row.counts.hits();
        }
        values
    };
    let mut reasons = BTreeMap::new();
    for (reason, n) in values(Series::Reason).await {
        *reasons.entry(reason.split(':').next().unwrap().to_owned()).or_default() += n;
    }
    let numbers = Numbers {
        total,
        countries: values(Series::Country).await,
        reasons,
        untracked: values(Series::Untracked).await.values().sum(),
        own_key: values(Series::OwnKey).await.values().sum(),
    };
    store.close().await.unwrap();
    numbers
}

/// A map as tests write it.
pub fn map(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}
