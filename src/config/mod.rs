//! The configuration: compiled-in defaults < file < environment < flags. What staff change lies between the first two
//! (`settings/`).
//!
//! Each module owns the settings it reads; this file only puts them together. Guarantees that an unknown key or
//! a value that cannot be is an [`Invalid`] that names the key, before anything is started.

mod explicit;
mod newsroom;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use explicit::{Explicit, Given, Layer};
pub use newsroom::Newsroom;

use crate::hits::readers::networks::Networks;
use crate::hits::readers::place::Places;
use crate::{articles, digest, hits, links, sessions, store, web, webhooks};

/// `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "SLUGLINE__";
/// Tables whose keys are the operator's, each with a value like those in it. A key may have dots (a host's name), which
/// are `__` in the environment.
const OPEN: [(&str, Value); 2] =
    [("articles.sites", Value::Array(Vec::new())), ("articles.secret_headers", Value::String(String::new()))];

/// The whole configuration. Every field is described in `config/default.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners and their limits.
    pub server: web::Settings,
    /// The data folder.
    pub data: Data,
    /// Which store.
    pub store: store::Settings,
    /// The journal of hits.
    pub journal: hits::journal::Settings,
    /// From journal to numbers.
    pub hits: hits::Settings,
    /// How long numbers are kept.
    pub retention: hits::retention::Settings,
    /// Tables of agents and sources.
    pub classify: hits::classify::Settings,
    /// Who clients are.
    pub clients: web::client::Settings,
    /// Where they are.
    pub places: hits::readers::place::Settings,
    /// Drawn codes.
    pub codes: links::codes::Settings,
    /// Targets, cache, coherence.
    pub links: links::Settings,
    /// Hosts, addresses and pages of articles.
    pub articles: articles::Settings,
    /// The newsroom.
    pub newsroom: Newsroom,
    /// Who may sign in, and for how long.
    pub auth: sessions::Settings,
    /// Logs.
    pub log: Log,
    /// Which of all these were given, and where.
    #[serde(skip)]
    pub explicit: Explicit,
    /// Telling others what happens.
    pub webhooks: webhooks::Settings,
    /// Who takes mail from us.
    pub mail: digest::Mail,
    /// When digests go out.
    pub digest: digest::Digests,
}

/// `[data]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder.
    pub dir: PathBuf,
}

/// `[log]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// A level, or levels by where a line comes from: `warn,slugline::web=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// A configuration that cannot be: exit code 64.
#[derive(Debug, thiserror::Error)]
#[error("bad configuration: {key}: {why}")]
pub struct Invalid {
    /// The key at fault, as `section.key`.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl Invalid {
    fn new(key: impl Into<String>, why: impl ToString) -> Invalid {
        Invalid { key: key.into(), why: why.to_string() }
    }
}

impl Config {
    /// Reads all layers. `environment` is what `std::env::vars` gives, `flags` are `section.key=value`.
    ///
    /// # Errors
    /// [`Invalid`], naming the key.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &[String],
    ) -> Result<Config, Invalid> {
        let defaults: Table = DEFAULTS.parse().map_err(|e| Invalid::new("default.toml", e))?;
        let (mut merged, mut explicit) = (defaults.clone(), Explicit::default());
        if let Some(path) = file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| Invalid::new(&name, e))?;
            let table = text.parse::<Table>().map_err(|e| Invalid::new(&name, e.message()))?;
            explicit.note_table(&table, &name);
            overlay(&mut merged, table);
        }
        for (name, text) in environment {
            if let Some(rest) = name.strip_prefix(PREFIX) {
                let (path, text) = from_environment(rest, text, &defaults)?;
                put(&mut merged, &defaults, &path, &text)?;
                explicit.note(&path, Layer::Environment, &name);
            }
        }
        for flag in flags {
            let (path, text) =
                flag.split_once('=').ok_or_else(|| Invalid::new(flag, "expected section.key=value"))?;
            put(&mut merged, &defaults, path, text)?;
            explicit.note(path, Layer::Flag, &format!("--set {path}"));
        }
        Ok(Config { explicit, ..Config::from_table(merged)? })
    }

    /// The defaults alone.
    ///
    /// # Errors
    /// None that a release can have: a test reads them.
    pub fn defaults() -> Result<Config, Invalid> {
        Config::load(None, std::iter::empty(), &[])
    }

    fn from_table(table: Table) -> Result<Config, Invalid> {
        let mut config: Config = serde_path_to_error::deserialize(Value::Table(table)).map_err(|e| {
            let mut key = e.path().to_string();
            let why = e.inner().message().to_owned();
            // For an unknown key the path is its section; the message has its name.
            if let Some(name) = why.strip_prefix("unknown field `").and_then(|r| r.split('`').next())
                && !key.ends_with(name)
            {
                key = if key == "." { name.to_owned() } else { format!("{key}.{name}") };
            }
            Invalid::new(key, why)
        })?;
        let of_redis = |(key, why)| Invalid::new(format!("store.redis.{key}"), why);
        config.store.redis.settle().map_err(of_redis)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`Invalid`], naming the key.
    pub fn check(&self) -> Result<(), Invalid> {
        let at = |section: &'static str| {
            move |(key, why): (&str, String)| Invalid::new(format!("{section}.{key}"), why)
        };
        self.server.check().map_err(at("server"))?;
        self.journal.check().map_err(at("journal"))?;
        self.hits.check().map_err(at("hits"))?;
        self.retention.check().map_err(at("retention"))?;
        self.codes.check().map_err(at("codes"))?;
        self.links.check().map_err(at("links"))?;
        self.articles.check().map_err(at("articles"))?;
        self.webhooks.check().map_err(at("webhooks"))?;
        self.mail.check().map_err(at("mail"))?;
        self.digest.check().map_err(at("digest"))?;
        self.auth.check().map_err(at("auth"))?;
        self.target_rules()?;
        self.clients.check().map_err(at("clients"))?;
        self.classifying()?;
        self.lists()?;
        if !(1..=64).contains(&self.store.readers) {
            return Err(Invalid::new("store.readers", "1 to 64"));
        }
        if self.store.lanes > 1024 {
            return Err(Invalid::new("store.lanes", "0 to 1024"));
        }
        self.store.redis.check().map_err(at("store.redis"))?;
        crate::domain::calendar::Calendar::new(&[(0, self.newsroom.timezone.clone())])
            .map_err(|e| Invalid::new("newsroom.timezone", e.detail))?;
        self.newsroom.check().map_err(at("newsroom"))?;
        let filter = self.log.filter.parse::<tracing_subscriber::filter::Targets>();
        filter.map_err(|e| Invalid::new("log.filter", e))?;
        Ok(())
    }

    /// `server.public_url`, or what follows from `server.listen`; without a slash at its end.
    #[must_use]
    pub fn public_url(&self, listening: SocketAddr) -> String {
        match self.server.public_url.trim_end_matches('/') {
            "" => format!("http://{listening}"),
            url => url.to_owned(),
        }
    }

    /// `server.staff_url`, or what follows from where staff's pages are; without a slash at its end.
    #[must_use]
    pub fn staff_url(&self, public: SocketAddr, staff: Option<SocketAddr>) -> String {
        match (self.server.staff_url.trim_end_matches('/'), staff) {
            ("", None) => self.public_url(public),
            ("", Some(listening)) => format!("http://{listening}"),
            (url, _) => url.to_owned(),
        }
    }

    /// The tables that hits are classified by.
    ///
    /// # Errors
    /// [`Invalid`], naming key, file and entry.
    pub fn classifying(&self) -> Result<hits::classify::Tables, Invalid> {
        let public = url::Url::parse(&self.server.public_url).ok();
        let public = public.as_ref().and_then(url::Url::host_str).map(str::to_owned);
        let own: Vec<String> = self.articles.allowed_hosts.iter().cloned().chain(public).collect();
        let tables = self.classify.tables(&self.clients.excluded_agents, &own);
        tables.map_err(|(key, why)| Invalid::new(format!("classify.{key}"), why))
    }

    /// The tables that readers' addresses are looked up in.
    ///
    /// # Errors
    /// [`Invalid`], naming key, file and entry.
    pub fn lists(&self) -> Result<hits::readers::Lists, Invalid> {
        let clients = &self.clients;
        let networks = Networks::open(&clients.excluded_addresses, &clients.networks_file);
        let networks = networks.map_err(|why| Invalid::new("clients.networks_file", why))?;
        let places = Places::open(&self.places);
        let places = places.map_err(|(key, why)| Invalid::new(format!("places.{key}"), why))?;
        Ok(hits::readers::Lists { networks, places })
    }

    /// The rules for targets; own host and port come from [`Config::public_url`] once it is known.
    ///
    /// # Errors
    /// [`Invalid`] for a host that is none.
    pub fn target_rules(&self) -> Result<crate::domain::target::Rules, Invalid> {
        use crate::domain::target::{HostRule, Rules};
        let hosts = |key: &'static str, list: &[String]| {
            list.iter()
                .map(|h| HostRule::parse(h).map_err(|e| Invalid::new(key, e.detail)))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Rules {
            own: None,
            allowed: hosts("articles.allowed_hosts", &self.articles.allowed_hosts)?,
            denied: hosts("links.denied_hosts", &self.links.denied_hosts)?,
            only_allowed: self.links.only_allowed_hosts,
            canon: self
                .articles
                .canon()
                .map_err(|(key, why)| Invalid::new(format!("articles.{key}"), why))?,
        })
    }

    /// The effective configuration as TOML. What is a [`crate::secret::Secret`] does not show.
    ///
    /// # Errors
    /// None that a valid configuration can have.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

fn overlay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

/// `SECTION__KEY` and its text; with `_FILE`, the text is in that file, unless that is itself the name of an option.
fn from_environment(name: &str, text: String, defaults: &Table) -> Result<(String, String), Invalid> {
    let path = name.to_ascii_lowercase().replace("__", ".");
    match path.strip_suffix("_file") {
        Some(of) if !is_option(defaults, &path) => {
            let read = std::fs::read_to_string(&text);
            let value = read.map_err(|e| Invalid::new(of, format!("{text}: {e}")))?;
            Ok((of.to_owned(), value.trim_end_matches(['\r', '\n']).to_owned()))
        }
        _ => Ok((path, text)),
    }
}

fn is_option(defaults: &Table, path: &str) -> bool {
    let mut steps = path.split('.');
    let section = steps.next().and_then(|step| defaults.get(step));
    section.and_then(|section| steps.try_fold(section, |value, step| value.get(step))).is_some()
}

/// Puts a text in place, as the type that the default at that place has.
fn put(merged: &mut Table, defaults: &Table, path: &str, text: &str) -> Result<(), Invalid> {
    let unknown = || Invalid::new(path, "there is no such option");
    let wrong = || Invalid::new(path, format!("\"{text}\" has the wrong type"));
    for (table, like) in &OPEN {
        let key = path.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            let (section, name) = table.split_once('.').ok_or_else(unknown)?;
            let open = merged.get_mut(section).and_then(|s| s.get_mut(name)).and_then(Value::as_table_mut);
            open.ok_or_else(unknown)?.insert(key.to_owned(), typed(like, text).ok_or_else(wrong)?);
            return Ok(());
        }
    }
    let mut default = defaults;
    let mut place = merged;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_some() {
            default = default.get(step).and_then(Value::as_table).ok_or_else(unknown)?;
            place = place.get_mut(step).and_then(Value::as_table_mut).ok_or_else(unknown)?;
            continue;
        }
        let value = typed(default.get(step).ok_or_else(unknown)?, text).ok_or_else(wrong)?;
        place.insert(step.to_owned(), value);
    }
    Ok(())
}

fn typed(like: &Value, text: &str) -> Option<Value> {
    Some(match like {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Integer(_) => Value::Integer(text.parse().ok()?),
        Value::Float(_) => Value::Float(text.parse().ok()?),
        Value::Boolean(_) => Value::Boolean(text.parse().ok()?),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|t| !t.is_empty());
            Value::Array(items.map(|t| Value::String(t.to_owned())).collect())
        }
        Value::Table(_) | Value::Datetime(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(env: &[(&str, &str)], flags: &[&str]) -> Result<Config, Invalid> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        Config::load(None, env, &flags)
    }

    #[test]
    fn layers() {
        let config = load(
            &[
                ("SLUGLINE__CLIENTS__TRUSTED_PROXIES", "127.0.0.1, ::1/128"),
                ("SLUGLINE__CODES__LENGTH", "9"),
                ("PATH", "/bin"),
            ],
            &["codes.length=10"],
        )
        .unwrap();
        assert_eq!(config.codes.length, 10);
        let given = |option: &str| config.explicit.of(option).map(|given| given.place.as_str());
        assert_eq!(given("clients.trusted_proxies"), Some("SLUGLINE__CLIENTS__TRUSTED_PROXIES"));
        assert_eq!((given("codes.length"), given("codes.alphabet")), (Some("--set codes.length"), None));
        assert_eq!(config.clients.trusted_proxies.len(), 2);
    }

    #[test]
    fn the_key_at_fault_is_named() {
        let key = |env: &[(&str, &str)]| load(env, &[]).unwrap_err().key;
        assert_eq!(key(&[("SLUGLINE__SERVER__LITSEN", "x")]), "server.litsen");
        assert_eq!(key(&[("SLUGLINE__CODES__LENGTH", "seven")]), "codes.length");
        assert_eq!(key(&[("SLUGLINE__STORE__REDIS__MODE", "sentinel")]), "store.redis.sentinel_master");
        assert_eq!(key(&[("SLUGLINE__STORE__REDIS__URLS", "cache:6379")]), "store.redis.urls[0]");
        assert_eq!(key(&[("SLUGLINE__SERVER__LISTEN", "nowhere")]), "server.listen");
        assert_eq!(key(&[("SLUGLINE__JOURNAL__SYNC_INTERVAL", "fast")]), "journal.sync_interval");
        assert_eq!(key(&[("SLUGLINE__NEWSROOM__TIMEZONE", "Mars/Olympus")]), "newsroom.timezone");
        assert_eq!(key(&[("SLUGLINE__CLIENTS__TRUSTED_PROXIES", "everyone")]), "clients.trusted_proxies[0]");
        assert_eq!(key(&[("SLUGLINE__CLIENTS__COUNTRY_HEADER", "no name")]), "clients.country_header");
        // Options whose own name ends so.
        assert_eq!(key(&[("SLUGLINE__CLIENTS__NETWORKS_FILE", "/nowhere")]), "clients.networks_file");
        assert_eq!(key(&[("SLUGLINE__PLACES__MMDB_FILE", "/nowhere")]), "places.mmdb_file");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        std::fs::write(&file, "[server]\nlitsen = 1\n").unwrap();
        let error = Config::load(Some(&file), std::iter::empty(), &[]).unwrap_err();
        assert_eq!(error.key, "server.litsen");
    }

    #[test]
    fn secrets_are_read_from_files_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let config = load(
            &[
                ("SLUGLINE__STORE__REDIS__PASSWORD_FILE", file.to_str().unwrap()),
                ("SLUGLINE__STORE__REDIS__SENTINEL_PASSWORD", "swordfish"),
                ("SLUGLINE__STORE__REDIS__MODE", "sentinel"),
                ("SLUGLINE__STORE__REDIS__SENTINEL_MASTER", "news"),
                ("SLUGLINE__STORE__REDIS__URLS", "redis://one, redis://:swordfish@two:26379"),
            ],
            &[],
        )
        .unwrap();
        assert_eq!(config.store.redis.password.reveal(), Some("hunter2"));
        assert_eq!(config.store.redis.urls.len(), 2);
        for shown in [config.to_toml().unwrap(), format!("{config:?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
        }
    }

    #[test]
    fn tables_with_names_of_the_operators_can_be_set() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pass");
        std::fs::write(&file, "X-Pass: hunter2\n").unwrap();
        let config = load(
            &[
                ("SLUGLINE__ARTICLES__SITES__DAILY", "www.daily.example, daily.example:8080"),
                ("SLUGLINE__ARTICLES__SECRET_HEADERS__WWW__DAILY__EXAMPLE_FILE", file.to_str().unwrap()),
                ("SLUGLINE__ARTICLES__SECRET_HEADERS__M__DAILY__EXAMPLE", "X-Pass: swordfish"),
            ],
            &[
                "articles.secret_headers.a.daily.example:81=X-Pass: a=b",
                "articles.sites.weekly=weekly.example",
            ],
        )
        .unwrap();
        assert_eq!(config.articles.sites["daily"], ["www.daily.example", "daily.example:8080"]);
        assert_eq!(config.articles.sites["weekly"], ["weekly.example"]);
        let secret = |host: &str| config.articles.secret_headers[host].reveal().unwrap().to_owned();
        assert_eq!(secret("www.daily.example"), "X-Pass: hunter2");
        assert_eq!(secret("m.daily.example"), "X-Pass: swordfish");
        assert_eq!(secret("a.daily.example:81"), "X-Pass: a=b");
        let shown = config.to_toml().unwrap();
        assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
        let key = |name: &str, value: &str| load(&[(name, value)], &[]).unwrap_err().key;
        assert_eq!(key("SLUGLINE__ARTICLES__SITES", "a"), "articles.sites");
        assert_eq!(key("SLUGLINE__ARTICLES__SITES__DAILY", "no/host"), "articles.sites");
        assert_eq!(key("SLUGLINE__ARTICLES__SECRET_HEADERS__A__TEST", "hunter2"), "articles.secret_headers");
    }

    #[test]
    fn what_is_printed_is_what_is_read() {
        let printed = Config::defaults().unwrap().to_toml().unwrap();
        let again: Table = printed.parse().unwrap();
        assert_eq!(Value::Table(again), Value::Table(DEFAULTS.parse().unwrap()));
    }
}
