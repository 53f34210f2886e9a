//! Hosts of a newsroom: which spellings are one host, and which hosts are one site.
//!
//! Guarantees that `www.`, `m.` and `amp.` spellings of one host have one name: the one that the operator wrote, else
//! the bare one. Nothing is looked up.

use std::net::IpAddr;

use psl::Psl;
use url::Url;

use crate::domain::error::Refusal;
use crate::domain::target::HostRule;

/// Labels before a registrable domain that stand for another make of the same pages.
const OTHER_MAKES: [&str; 6] = ["m", "mobile", "amp", "touch", "wap", "mobil"];

/// Named groups of hosts, and the hosts that the operator named besides.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    rule: HostRule,
    bare: String,
    /// Not the host of a mobile or AMP make.
    plain: bool,
    group: Option<String>,
}

impl Sites {
    /// From `articles.sites` (name, its hosts) and `articles.allowed_hosts`. Of several spellings of one host the
    /// first one that is no mobile or AMP host is the one that counts.
    ///
    /// # Errors
    /// A host that is none.
    pub fn new<'a>(
        groups: impl IntoIterator<Item = (&'a str, &'a [String])>,
        allowed: &[String],
    ) -> Result<Sites, Refusal> {
        let mut known = vec![];
        for (name, hosts) in groups {
            for host in hosts {
                known.push(Known::new(host, Some(name))?);
            }
        }
        for host in allowed {
            known.push(Known::new(host, None)?);
        }
        Ok(Sites { known })
    }

    /// The one name of this address's host, if the operator named it in any spelling.
    pub(super) fn named(&self, url: &Url) -> Option<&str> {
        let bare = bare(url.host_str()?);
        let port = url.port_or_known_default();
        let mut spellings = self.known.iter().filter(|k| k.bare == bare && k.rule.takes_port(port));
        let first = spellings.clone().next();
        spellings.find(|k| k.plain).or(first).map(|k| k.rule.host())
    }

    /// The site that an address belongs to: the group of its host, else the host itself.
    pub(super) fn site(&self, url: &Url) -> String {
        let Some(host) = url.host_str() else { return String::new() };
        let bare = bare(host);
        let port = url.port_or_known_default();
        let mut of_host = self.known.iter().filter(|k| k.bare == bare && k.rule.takes_port(port));
        let group = of_host.find_map(|k| k.group.clone());
        group.unwrap_or_else(|| match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }
}

impl Known {
    fn new(host: &str, group: Option<&str>) -> Result<Known, Refusal> {
        let rule = HostRule::parse(host)?;
        let bare = bare(rule.host());
        let plain = !is_other_make(rule.host());
        Ok(Known { rule, bare, plain, group: group.map(str::to_owned) })
    }
}

/// What is registered of a host's name ("example.co.uk"); None for an address or a single name.
#[must_use]
pub fn registrable(host: &str) -> Option<&str> {
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let length = psl::List.domain(host.as_bytes())?.as_bytes().len();
    host.get(host.len().checked_sub(length)?..)
}

/// The labels before the registrable domain, and that domain; None for an address or a single name.
fn parts(host: &str) -> Option<(Vec<&str>, &str)> {
    let domain = registrable(host)?;
    let before = host.strip_suffix(domain)?.trim_end_matches('.');
    Some((before.split('.').filter(|label| !label.is_empty()).collect(), domain))
}

/// True for the host of a mobile or AMP make.
pub(super) fn is_other_make(host: &str) -> bool {
    parts(host).is_some_and(|(labels, _)| labels.iter().any(|label| OTHER_MAKES.contains(label)))
}

/// A host without `www.`, `m.`, `amp.` and the like, and without the dot that may end it.
#[must_use]
pub fn bare(host: &str) -> String {
    let host = host.trim_end_matches('.');
    let Some((mut labels, domain)) = parts(host) else { return host.to_owned() };
    labels.retain(|label| !OTHER_MAKES.contains(label));
    let first = labels.iter().take_while(|label| **label == "www").count();
    let mut kept: Vec<&str> = labels.split_off(first);
    kept.push(domain);
    kept.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_hosts() {
        let table = [
            ("www.example.com", "example.com"),
            ("m.example.com", "example.com"),
            ("amp.example.com", "example.com"),
            ("www.m.example.com", "example.com"),
            ("m.www.example.com", "example.com"),
            ("de.m.example.org", "de.example.org"),
            ("mobile.example.co.uk", "example.co.uk"),
            ("example.com.", "example.com"),
            ("edition.example.com", "edition.example.com"),
            // A registrable domain is never cut into.
            ("www.com", "www.com"),
            ("amp.dev", "amp.dev"),
            ("m.co.uk", "m.co.uk"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("localhost", "localhost"),
            ("", ""),
        ];
        for (host, expected) in table {
            assert_eq!(bare(host), expected, "{host}");
            assert_eq!(bare(expected), expected, "{host}");
        }
    }

    #[test]
    fn the_operators_spelling_counts() {
        let hosts = |list: &[&str]| -> Vec<String> { list.iter().map(|h| (*h).to_owned()).collect() };
        let daily = hosts(&["www.daily.test", "blog.daily.test:8080"]);
        let sites =
            Sites::new([("daily", daily.as_slice())], &hosts(&["m.paper.test", "www.paper.test"])).unwrap();
        // (address, the host's name, site)
        let table = [
            ("https://daily.test/", Some("www.daily.test"), "daily"),
            ("https://m.daily.test/", Some("www.daily.test"), "daily"),
            ("http://blog.daily.test:8080/", Some("blog.daily.test"), "daily"),
            ("http://blog.daily.test/", None, "blog.daily.test"),
            ("https://amp.paper.test/", Some("www.paper.test"), "amp.paper.test"),
            ("https://other.test:444/", None, "other.test:444"),
        ];
        for (url, name, site) in table {
            let url = Url::parse(url).unwrap();
            assert_eq!(sites.named(&url), name, "{url}");
            assert_eq!(sites.site(&url), site, "{url}");
        }
        assert!(Sites::new([], &hosts(&["no/host"])).is_err());
    }
}
