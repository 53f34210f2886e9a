//! `[articles]`: which hosts are the newsroom's, what is no part of an article's address, and how pages are fetched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fetch::{Fetcher, Options, Poster, Resolve, SecretHeader};
use crate::domain::canonical::tracking::{Lists, Tracking};
use crate::domain::canonical::{Canon, Sites};
use crate::domain::error::Refusal;
use crate::domain::target::HostRule;
use crate::secret::Secret;
use crate::units::Span;

const TRACKING: &str = include_str!("../../config/lists/tracking.toml");
/// (key, why).
type Wrong = (&'static str, String);

/// `[articles]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The newsroom's hosts, `host` or `host:port`.
    pub allowed_hosts: Vec<String>,
    /// Tracking parameters besides the built-in ones.
    pub tracking_parameters: Vec<String>,
    /// Whether pages are read at all.
    pub fetch: bool,
    /// How long a creation waits for its page.
    pub fetch_wait: Span,
    /// Hosts that may have private addresses and any port, for tests.
    pub fetch_private_hosts: Vec<String>,
    /// Named groups of hosts that have the same articles.
    pub sites: BTreeMap<String, Vec<String>>,
    /// By host: a header that lets us through its wall, as `Name: value`.
    pub secret_headers: BTreeMap<String, Secret>,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), Wrong> {
        if self.tracking_parameters.iter().any(|p| p.is_empty() || p == "*") {
            return Err(("tracking_parameters", "a name, or a prefix and *".into()));
        }
        let built_in = self.tracking().map_err(|e| ("tracking_parameters", e.to_string()))?;
        if let Some(name) = self.tracking_parameters.iter().find(|name| built_in.identifies(name)) {
            let why = format!("\"{name}\" says which article is meant on many sites, so it is never dropped");
            return Err(("tracking_parameters", why));
        }
        if self.fetch_wait.0 > Duration::from_secs(5) {
            return Err(("fetch_wait", "at most 5s: after that a page is given up anyway".into()));
        }
        if self.sites.keys().any(String::is_empty) {
            return Err(("sites", "a group needs a name".into()));
        }
        self.canon()?;
        self.private_hosts()?;
        self.secrets().map(drop)
    }

    /// The built-in tracking parameters and the operator's.
    ///
    /// # Errors
    /// None that a release can have: a test reads the list.
    pub fn tracking(&self) -> Result<Tracking, toml::de::Error> {
        let lists: Lists = toml::from_str(TRACKING)?;
        Ok(Tracking::from_lists(&lists, &self.tracking_parameters))
    }

    /// What tells which addresses are one article.
    ///
    /// # Errors
    /// (key, why).
    pub fn canon(&self) -> Result<Canon, Wrong> {
        let tracking = self.tracking().map_err(|e| ("tracking_parameters", e.to_string()))?;
        let groups = self.sites.iter().map(|(name, hosts)| (name.as_str(), hosts.as_slice()));
        let grouped = Sites::new(groups.clone(), &[]).map_err(at("sites"));
        grouped
            .and_then(|_| Sites::new(groups, &self.allowed_hosts).map_err(at("allowed_hosts")))
            .map(|sites| Canon::new(tracking, sites))
    }

    /// What fetches pages. `about` is an address at which a site's operator learns who asks.
    ///
    /// # Errors
    /// (key, why).
    pub fn fetcher(&self, about: &str, resolve: Arc<dyn Resolve>) -> Result<Fetcher, Wrong> {
        let options =
            Options { private_hosts: self.private_hosts()?, secrets: self.secrets()?, ..Options::new(about) };
        Fetcher::new(options, resolve).map_err(|why| ("fetch", why))
    }

    /// What posts messages, behind the same guard. `about` is an address at which a receiver learns who sends.
    ///
    /// # Errors
    /// (key, why).
    pub fn poster(
        &self,
        about: &str,
        resolve: Arc<dyn Resolve>,
        deadline: Duration,
    ) -> Result<Poster, Wrong> {
        let posting = Poster::new(about, self.private_hosts()?, resolve, deadline);
        posting.map_err(|why| ("fetch_private_hosts", why))
    }

    fn private_hosts(&self) -> Result<Vec<HostRule>, Wrong> {
        let rules = self.fetch_private_hosts.iter().map(|host| HostRule::parse(host));
        rules.collect::<Result<_, _>>().map_err(at("fetch_private_hosts"))
    }

    fn secrets(&self) -> Result<Vec<SecretHeader>, Wrong> {
        let one = |(host, secret): (&String, &Secret)| {
            let rule = HostRule::parse(host).map_err(at("secret_headers"))?;
            let header = secret.reveal().and_then(|text| SecretHeader::parse(rule, text));
            // Its text is not shown: it is a secret.
            header.ok_or_else(|| ("secret_headers", format!("that of {host} is not \"Name: value\"")))
        };
        self.secret_headers.iter().map(one).collect()
    }
}

fn at(key: &'static str) -> impl Fn(Refusal) -> Wrong {
    move |refusal| (key, refusal.detail.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Settings {
        let mut table: toml::Table = include_str!("../../config/default.toml").parse().unwrap();
        let mut articles = table.remove("articles").unwrap().try_into::<toml::Table>().unwrap();
        articles.extend(toml.parse::<toml::Table>().unwrap());
        toml::Value::Table(articles).try_into().unwrap()
    }

    #[test]
    fn what_cannot_work_is_refused_and_named() {
        let table = [
            ("", None),
            ("sites = { daily = ['www.daily.example', 'daily.example:8080'] }", None),
            ("secret_headers = { 'www.daily.example' = 'X-Pass: open' }", None),
            ("tracking_parameters = ['mine', 'my_*']", None),
            ("tracking_parameters = ['*']", Some("tracking_parameters")),
            ("tracking_parameters = ['article']", Some("tracking_parameters")),
            ("sites = { daily = ['no/host'] }", Some("sites")),
            ("allowed_hosts = ['no/host']", Some("allowed_hosts")),
            ("fetch_private_hosts = ['http://x']", Some("fetch_private_hosts")),
            ("fetch_wait = '6s'", Some("fetch_wait")),
            ("secret_headers = { 'www.daily.example' = 'hunter2' }", Some("secret_headers")),
            ("secret_headers = { 'no/host' = 'X-Pass: open' }", Some("secret_headers")),
        ];
        for (toml, key) in table {
            let checked = settings(toml).check();
            assert_eq!(checked.as_ref().err().map(|(key, _)| *key), key, "{toml}: {checked:?}");
            assert!(!format!("{checked:?}").contains("hunter2"));
        }
    }
}
