//! Where a reader came from: parameters, in-app browser, referrer, else direct.
//!
//! Guarantees a source and a medium for every hit, the same ones for the same bytes, and that an unknown host is
//! shown by its registrable domain only. The names are the tables'; this file knows the order of the rules.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use psl::Psl;
use serde::Deserialize;

use super::params::{ParamTable, Role};
use super::tables::named;
use super::text;

type FastMap<V> = HashMap<Box<str>, V, foldhash::fast::RandomState>;

/// A source, its medium, and whether a table knows it.
type Said = (Arc<str>, Arc<str>, bool);

/// Where a hit came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The named origin, or a host's registrable domain.
    pub source: Arc<str>,
    /// Its kind.
    pub medium: Arc<str>,
    /// The referrer's registrable domain or Android package; "" without a referrer.
    pub referrer: Arc<str>,
    /// False for a source that no table knows: any reader can make one up.
    pub source_known: bool,
    /// False for a referrer that no table knows.
    pub referrer_known: bool,
}

/// What a source is read from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin<'a> {
    /// Followed from a QR code.
    pub(super) qr: bool,
    /// The in-app browser's source; "" for none.
    pub(super) app: &'a str,
    /// `Referer`, whole or cut.
    pub(super) referrer: &'a [u8],
    /// A query, whole or cut.
    pub(super) params: &'a [u8],
}

#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: Arc<str>,
    pub(super) medium: Arc<str>,
}

impl Named {
    fn said(&self) -> Said {
        (Arc::clone(&self.name), Arc::clone(&self.medium), true)
    }
}

/// All sources with their hosts and aliases.
#[derive(Debug, Default)]
pub(super) struct SourceTable {
    named: Vec<Named>,
    by_name: FastMap<u16>,
    /// Hosts and Android packages.
    hosts: FastMap<u16>,
    /// Hosts under any public suffix.
    anywhere: FastMap<u16>,
    aliases: FastMap<u16>,
    /// What campaigns write for a medium.
    media: FastMap<Arc<str>>,
    own: HashSet<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    #[serde(rename = "dated")]
    _dated: String,
    sources: BTreeMap<String, Vec<Vec<String>>>,
    media: BTreeMap<String, Vec<String>>,
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    source: Vec<String>,
    medium: Vec<String>,
    known_only: Vec<String>,
    click_ids: Vec<Vec<String>>,
}

/// Reads tables, the operator's first.
pub(super) fn load(texts: &[&str], own_hosts: &[String]) -> Result<(SourceTable, ParamTable), String> {
    let mut table = SourceTable::default();
    let mut params = ParamTable::default();
    let read = |text: &&str| toml::from_str::<File>(text).map_err(|e| e.to_string().trim_end().to_owned());
    let files = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for (medium, line, at) in files.iter().flat_map(File::lines) {
        table.add(medium, line).map_err(|why| format!("sources.{medium}[{at}]: {why}"))?;
    }
    for (medium, words) in files.iter().flat_map(|file| &file.media) {
        let name: Arc<str> = named(medium).map_err(|why| format!("media: {why}"))?;
        for word in std::iter::once(medium).chain(words) {
            table.media.entry(word.to_lowercase().into()).or_insert_with(|| Arc::clone(&name));
        }
    }
    for parameters in files.iter().map(|file| &file.parameters) {
        parameters.fill(&table, &mut params)?;
    }
    let own = own_hosts.iter().filter_map(|own| host(own.as_bytes(), true));
    table.own = own.map(|own| own.name.into()).collect();
    Ok((table, params))
}

impl File {
    fn lines(&self) -> impl Iterator<Item = (&String, &Vec<String>, usize)> {
        let of = |(medium, lines)| {
            let lines: &Vec<Vec<String>> = lines;
            lines.iter().enumerate().map(move |(at, line)| (medium, line, at))
        };
        self.sources.iter().flat_map(of)
    }
}

impl Parameters {
    fn fill(&self, table: &SourceTable, into: &mut ParamTable) -> Result<(), String> {
        let at = |key: &'static str| move |why: String| format!("parameters.{key}: {why}");
        for name in &self.known_only {
            into.add(name, Role::KnownSource).map_err(at("known_only"))?;
        }
        for name in &self.source {
            into.add(name, Role::Source).map_err(at("source"))?;
        }
        for name in &self.medium {
            into.add(name, Role::Medium).map_err(at("medium"))?;
        }
        for (i, line) in self.click_ids.iter().enumerate() {
            let place = |why: String| format!("parameters.click_ids[{i}]: {why}");
            let [source, names @ ..] = line.as_slice() else { return Err(place(EXPECTED.into())) };
            let id = table.by_name.get(source.as_str()).copied();
            let id = id.ok_or_else(|| place(format!("\"{source}\" is none of the sources")))?;
            names.iter().try_for_each(|name| into.add(name, Role::Click(id))).map_err(place)?;
        }
        Ok(())
    }
}

const EXPECTED: &str = "expected [\"Source\", \"host or alias\", ...]";

impl SourceTable {
    fn add(&mut self, medium: &str, line: &[String]) -> Result<(), String> {
        let [name, addresses @ ..] = line else { return Err(EXPECTED.into()) };
        let id = u16::try_from(self.named.len()).map_err(|_| "too many sources".to_owned())?;
        self.named.push(Named { name: named(name)?, medium: named(medium)? });
        self.by_name.entry(name.as_str().into()).or_insert(id);
        for address in addresses {
            if address.is_empty() || address.len() > 100 || address.to_lowercase() != *address {
                return Err(format!("\"{address}\" must be 1 to 100 bytes of lower case"));
            }
            let (map, key) = match address.strip_suffix(".*") {
                Some(anywhere) => (&mut self.anywhere, anywhere),
                None if address.contains('.') => (&mut self.hosts, address.as_str()),
                None => (&mut self.aliases, address.as_str()),
            };
            map.entry(key.into()).or_insert(id);
        }
        Ok(())
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Named> {
        self.by_name.get(name).and_then(|id| self.named.get(usize::from(*id)))
    }

    /// The most particular entry for a host.
    fn by_host(&self, host: &str) -> Option<&Named> {
        let suffix = psl::List.suffix(host.as_bytes()).map_or(0, |s| s.as_bytes().len());
        let base = host.len().saturating_sub(suffix + 1);
        let starts = std::iter::once(0).chain(host.match_indices('.').map(|(at, _)| at + 1));
        let id = starts.into_iter().find_map(|at| {
            let under_any = || self.anywhere.get(host.get(at..base)?).filter(|_| at < base);
            self.hosts.get(&host[at..]).or_else(under_any)
        });
        id.and_then(|id| self.named.get(usize::from(*id)))
    }

    fn is_own(&self, host: &str) -> bool {
        let parents = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        !self.own.is_empty() && std::iter::once(host).chain(parents).any(|name| self.own.contains(name))
    }

    /// What a referrer's host is. An unknown one is a referral, unless its first label says what it is.
    fn of_host(&self, host: &Host) -> Said {
        if self.is_own(&host.name) {
            return (host.shown().into(), self.medium("internal"), true);
        }
        if let Some(named) = self.by_host(&host.name) {
            return named.said();
        }
        let label = host.name.split('.').next().unwrap_or_default();
        let medium = match label {
            "mail" | "webmail" | "email" | "mailing" | "newsletter" => "email",
            "search" | "suche" => "search",
            _ if host.name.contains("mastodon") || label == "mstdn" => {
                return self
                    .by_name("Mastodon")
                    .map_or_else(|| (host.shown().into(), self.medium("social"), false), Named::said);
            }
            _ => "referral",
        };
        (host.shown().into(), self.medium(medium), false)
    }

    fn medium(&self, name: &str) -> Arc<str> {
        self.media.get(name).cloned().unwrap_or_else(|| name.into())
    }

    /// Where a hit came from.
    pub(super) fn source(&self, params: &ParamTable, origin: Origin<'_>) -> Source {
        let referrer = host(origin.referrer, false);
        let shown: Arc<str> = referrer.as_ref().map_or("", Host::shown).into();
        let (named, medium) = self.said(params, origin.params);
        let referrer_known = referrer
            .as_ref()
            .is_none_or(|host| self.is_own(&host.name) || self.by_host(&host.name).is_some());
        let (source, own_medium, source_known) = match named {
            Some(said) => said,
            None if origin.qr => ("QR code".into(), self.medium("print"), true),
            None => match (self.by_name(origin.app), &referrer, &medium) {
                (Some(app), ..) => app.said(),
                (None, Some(host), _) => self.of_host(host),
                // Only a medium was said: it is all that is known.
                (None, None, Some(medium)) => (capitalised(medium), Arc::clone(medium), true),
                (None, None, None) => ("Direct".into(), self.medium("direct"), true),
            },
        };
        Source { source, medium: medium.unwrap_or(own_medium), referrer: shown, source_known, referrer_known }
    }

    /// What parameters say: a source with its usual medium, and a medium.
    fn said(&self, params: &ParamTable, cut: &[u8]) -> (Option<Said>, Option<Arc<str>>) {
        let (mut source, mut doubtful, mut clicked, mut medium) = (None, None, None, None);
        if cut.is_empty() {
            return (None, None);
        }
        for (role, value) in params.read(cut) {
            match role {
                Role::Source => source = source.or_else(|| self.alias(&value, true)),
                Role::KnownSource => doubtful = doubtful.or_else(|| self.alias(&value, false)),
                Role::Medium => {
                    medium = medium.or_else(|| self.media.get(value.to_lowercase().trim()).cloned());
                }
                Role::Click(id) => clicked = clicked.or_else(|| self.named.get(usize::from(id))),
            }
        }
        let of_click = || clicked.map(Named::said);
        (source.or(doubtful).or_else(of_click), medium)
    }

    /// What a campaign calls a source. One that is not known stays as it is, in lower case.
    fn alias(&self, value: &str, unknown_too: bool) -> Option<Said> {
        let value = value.to_lowercase();
        let value = value.trim();
        if matches!(
            value,
            "" | "direct" | "(direct)" | "none" | "(none)" | "(not set)" | "null" | "undefined"
        ) {
            return None;
        }
        let known = self.aliases.get(value).and_then(|id| self.named.get(usize::from(*id)));
        if let Some(named) = known.or_else(|| self.by_name_in_lower_case(value)) {
            return Some(named.said());
        }
        if let Some(host) = host(value.as_bytes(), true).filter(|_| value.contains('.')) {
            let found = self.of_host(&host);
            if unknown_too || self.by_host(&host.name).is_some() {
                return Some(found);
            }
        }
        unknown_too.then(|| (text::value(value, 100).into(), self.medium("referral"), false))
    }

    fn by_name_in_lower_case(&self, value: &str) -> Option<&Named> {
        self.named.iter().find(|named| named.name.to_lowercase() == value)
    }
}

fn capitalised(word: &str) -> Arc<str> {
    let mut letters = word.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect::<String>().into()
}

/// A host, or an Android package.
struct Host {
    name: String,
    /// How much of its end is shown.
    shown: usize,
}

impl Host {
    fn shown(&self) -> &str {
        if self.name.parse::<IpAddr>().is_ok() {
            // Addresses are kept nowhere, whoever's they are.
            return "IP address";
        }
        &self.name[self.name.len() - self.shown..]
    }
}

/// The host of an address: `https://host:port/...`, `android-app://package/...`, or a bare host where `bare`.
fn host(address: &[u8], bare: bool) -> Option<Host> {
    let text = std::str::from_utf8(&address[..address.len().min(1024)]).ok()?;
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.trim(), rest),
        None if bare => ("https", text.trim()),
        None => return None,
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = rest[..end].rsplit('@').next().unwrap_or_default();
    let name = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = text::value(name.trim_end_matches('.'), text::MAX_VALUE).to_ascii_lowercase();
    let name = name.strip_prefix("www.").unwrap_or(&name).to_owned();
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if name.is_empty() || !name.chars().all(good) {
        return None;
    }
    let whole = matches!(scheme, "android-app" | "ios-app");
    let domain = psl::List.domain(name.as_bytes()).map(|d| d.as_bytes().len());
    let shown = if whole { name.len() } else { domain.unwrap_or(name.len()) };
    Some(Host { name, shown })
}
