//! Targets: which addresses may be shortened, and what becomes of one on the way.
//!
//! Guarantees that a stored target is an http(s) URL as the URL standard serialises it, without user-info, not
//! our own, not denied, nor an AMP copy of such a page. On an allowed host, in any of its spellings, AMP and mobile
//! forms become the plain page and tracking parameters are dropped and named; elsewhere the address is kept exactly.
//! Nothing is fetched here.

use std::collections::HashSet;

use url::Url;

use super::canonical::{Canon, bare_host, registrable};
use super::error::{Reason, Refusal};

/// Longest address, in bytes.
pub const MAX_URL: usize = 8 * 1024;

/// A `host` or `host:port` of the configuration, matched exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostRule {
    host: String,
    port: Option<u16>,
}

impl HostRule {
    /// Reads `host` or `host:port`; IPv6 in brackets.
    pub fn parse(text: &str) -> Result<HostRule, Refusal> {
        let wrong = || Refusal::new(Reason::InvalidValue, format!("\"{text}\" is not host or host:port"));
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
        let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        let host = url.host_str().filter(|_| plain && !text.contains('/')).ok_or_else(wrong)?;
        // The URL parser drops the scheme's default port, so ":80" must be read from the text.
        let port = match url.port() {
            None if text.ends_with(":80") => Some(80),
            port => port,
        };
        Ok(HostRule { host: host.trim_end_matches('.').to_owned(), port })
    }

    /// The host's name, without a port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// True if it is about this port, or about all.
    #[must_use]
    pub fn takes_port(&self, port: Option<u16>) -> bool {
        self.port.is_none_or(|p| Some(p) == port)
    }

    /// True if it names this host and port.
    #[must_use]
    pub fn is(&self, host: &str, port: Option<u16>) -> bool {
        self.host == host && self.takes_port(port)
    }

    /// True if it names this host in another spelling: with or without `www.`, `m.`, `amp.`.
    fn is_spelling_of(&self, host: &str, port: Option<u16>) -> bool {
        self.takes_port(port) && (self.host == host || bare_host(&self.host) == bare_host(host))
    }

    /// True if it names this host, one above it, or another of its registrable domain: who denies one page of a
    /// domain would not follow its owner from host to host.
    fn covers(&self, host: &str) -> bool {
        let above = host.strip_suffix(&self.host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        above || registrable(host).is_some_and(|domain| registrable(&self.host) == Some(domain))
    }
}

/// What the operator says about targets.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Host and port of `server.public_url`.
    pub own: Option<(String, Option<u16>)>,
    /// `articles.allowed_hosts`.
    pub allowed: Vec<HostRule>,
    /// `links.denied_hosts`: these and all below them.
    pub denied: Vec<HostRule>,
    /// `links.only_allowed_hosts`.
    pub only_allowed: bool,
    /// Which addresses are one article.
    pub canon: Canon,
}

/// An address that may be shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where a link to it leads.
    pub target: String,
    /// What the story is known by.
    pub article: String,
    /// The group of its host, else the host, with its port if that is not the scheme's own.
    pub site: String,
    /// True on one of the newsroom's own hosts: its page may be read.
    pub allowed: bool,
    /// Names of the parameters that were dropped from the target, in order.
    pub dropped: Vec<String>,
}

impl Rules {
    /// Reads an address that a client wants shortened. `field` is the field's name in the refusal.
    ///
    /// # Errors
    /// `invalid_url`, `own_host`, `denied_host`, `host_not_allowed`.
    pub fn address(&self, raw: &str, keep_params: bool, field: &'static str) -> Result<Address, Refusal> {
        let (url, allowed) = self.check(raw, field)?;
        if !allowed {
            let site = site_of_other(&url);
            let exact = String::from(url);
            return Ok(Address { article: exact.clone(), target: exact, site, allowed, dropped: vec![] });
        }
        let target = self.canon.target(&url, keep_params);
        let identity = self.canon.identity(&url);
        let (article, site) = (identity.url.into(), identity.site);
        Ok(Address { target: target.url.into(), article, site, allowed, dropped: target.dropped })
    }

    /// Reads an address that only has to be safe to lead to (`expired_url`).
    ///
    /// # Errors
    /// As [`Rules::address`].
    pub fn plain(&self, raw: &str, field: &'static str) -> Result<String, Refusal> {
        Ok(self.check(raw, field)?.0.into())
    }

    fn check(&self, raw: &str, field: &'static str) -> Result<(Url, bool), Refusal> {
        let invalid = |why: &str| Refusal::field(Reason::InvalidUrl, field, why.to_owned());
        if raw.len() > MAX_URL {
            return Err(invalid("an address is at most 8 KiB long"));
        }
        let url = Url::parse(raw.trim()).map_err(|e| invalid(&format!("not an address: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("an address begins with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("an address must not carry a user name or password"));
        }
        if url.as_str().len() > MAX_URL {
            return Err(invalid("an address is at most 8 KiB long once its characters are escaped"));
        }
        self.check_host(&url, field)?;
        // A copy in an AMP cache is the page that it is a copy of.
        let page = self.canon.target(&url, true).url;
        let allowed = self.check_host(&page, field)?;
        if self.only_allowed && !allowed {
            let host = url.host_str().unwrap_or_default();
            let detail = format!("{host} is not among the hosts that may be linked to");
            return Err(Refusal::field(Reason::HostNotAllowed, field, detail));
        }
        Ok((url, allowed))
    }

    /// True if the host is one of the newsroom's own.
    fn check_host(&self, url: &Url, field: &'static str) -> Result<bool, Refusal> {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
        if host.is_empty() {
            return Err(Refusal::field(Reason::InvalidUrl, field, "an address needs a host"));
        }
        let port = url.port_or_known_default();
        if self.own.as_ref().is_some_and(|own| own.0 == host && own.1 == port) {
            return Err(Refusal::field(Reason::OwnHost, field, "that is an address of this service"));
        }
        if self.denied.iter().any(|rule| rule.covers(&host)) {
            return Err(Refusal::field(Reason::DeniedHost, field, format!("{host} may not be linked to")));
        }
        Ok(self.allowed.iter().any(|rule| rule.is_spelling_of(&host, port)))
    }
}

/// The site of an address that is no host of the newsroom: its host, with its port if that is not the scheme's own.
fn site_of_other(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

/// An address with what a link's channel adds to its query.
#[must_use]
pub fn with_added(address: &str, added: Option<&str>) -> String {
    added.map_or_else(|| address.to_owned(), |added| with_query(address, added))
}

/// An address without what a link's channel added to its query.
#[must_use]
pub fn without_added(target: &str, added: Option<&str>) -> String {
    let (Some(added), Ok(mut url)) = (added, Url::parse(target)) else { return target.to_owned() };
    let Some(query) = url.query() else { return target.to_owned() };
    let added: HashSet<&str> = added.split('&').collect();
    let own: Vec<&str> = query.split('&').filter(|pair| !added.contains(pair)).collect();
    let own = own.join("&");
    url.set_query(Some(own.as_str()).filter(|own| !own.is_empty()));
    url.into()
}

/// The target of one visit: the link's, with the visit's own query appended before the fragment. The link's own
/// parameter wins over one of the same name.
#[must_use]
pub fn with_query(target: &str, query: &str) -> String {
    let Ok(mut url) = Url::parse(target) else { return target.to_owned() };
    let own: HashSet<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let added: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(n, _)| n.into_owned());
            name.is_some_and(|n| !own.contains(&n))
        })
        .collect();
    if added.is_empty() {
        return target.to_owned();
    }
    let all = match url.query() {
        Some(own) if !own.is_empty() => format!("{own}&{}", added.join("&")),
        _ => added.join("&"),
    };
    url.set_query(Some(&all));
    if url.as_str().len() > MAX_URL { target.to_owned() } else { url.into() }
}

#[cfg(test)]
mod tests {
    use super::super::canonical::Sites;
    use super::super::canonical::tracking::Tracking;
    use super::*;

    fn canon() -> Canon {
        let allowed = ["news.example.com".to_owned()];
        Canon::new(Tracking::new(["utm_*", "fbclid"]), Sites::new([], &allowed).unwrap())
    }

    fn rules() -> Rules {
        Rules {
            own: Some(("sl.example".into(), Some(443))),
            allowed: vec![HostRule::parse("news.example.com").unwrap()],
            denied: ["evil.test", "shop.bad.co.uk"].map(|host| HostRule::parse(host).unwrap()).into(),
            only_allowed: false,
            canon: canon(),
        }
    }

    #[test]
    fn refused() {
        let long = format!("https://a.test/{}", "x".repeat(MAX_URL));
        let table = [
            ("javascript:alert(1)", Reason::InvalidUrl),
            ("ftp://a.test/", Reason::InvalidUrl),
            ("news", Reason::InvalidUrl),
            ("https://bank.com@evil.example/", Reason::InvalidUrl),
            (long.as_str(), Reason::InvalidUrl),
            ("https://sl.example/abc", Reason::OwnHost),
            ("https://sl.example./abc", Reason::OwnHost),
            ("https://SL.example:443/abc", Reason::OwnHost),
            ("https://evil.test/", Reason::DeniedHost),
            ("https://www.evil.test/", Reason::DeniedHost),
            ("https://evil-test.cdn.ampproject.org/c/s/evil.test/a", Reason::DeniedHost),
            ("https://www.google.com/amp/s/sl.example/abc", Reason::OwnHost),
            ("https://bad.co.uk/", Reason::DeniedHost),
            ("https://www.bad.co.uk/", Reason::DeniedHost),
        ];
        for (raw, reason) in table {
            assert_eq!(rules().address(raw, false, "url").unwrap_err().reason, reason, "{raw}");
        }
        assert!(rules().address("https://good.co.uk/", false, "url").is_ok(), "a public suffix is no owner");
        // Another port of our host is another service; "notevil.test" is another domain.
        assert!(rules().address("https://sl.example:8443/abc", false, "url").is_ok());
        assert!(rules().address("https://notevil.test/", false, "url").is_ok());
        let only = Rules { only_allowed: true, ..rules() };
        assert_eq!(only.address("https://a.test/", false, "url").unwrap_err().reason, Reason::HostNotAllowed);
    }

    #[test]
    fn addresses() {
        let a = rules()
            .address("https://News.example.com:443/a?id=1&utm_source=x&fbclid=2#block-9", false, "url")
            .unwrap();
        assert_eq!(a.target, "https://news.example.com/a?id=1#block-9");
        assert_eq!(a.article, "https://news.example.com/a?id=1");
        assert_eq!(a.dropped, ["utm_source", "fbclid"]);
        assert!(a.allowed);
        let copy = "https://www-news-example-com.cdn.ampproject.org/c/s/www.news.example.com/a/amp?id=1&utm_source=x";
        let a = rules().address(copy, false, "url").unwrap();
        assert_eq!((a.target.as_str(), a.allowed), ("https://www.news.example.com/a?id=1", true));
        assert_eq!(a.article, "https://news.example.com/a?id=1");
        let a = rules().address("https://other.test/a?utm_source=x#f", false, "url").unwrap();
        assert!(!a.allowed && a.article == a.target);
        assert_eq!(a.target, "https://other.test/a?utm_source=x#f");
        let a = rules().address("https://news.example.com/a?utm_source=x", true, "url").unwrap();
        assert_eq!((a.target.as_str(), a.dropped.len()), ("https://news.example.com/a?utm_source=x", 0));
        assert_eq!(a.article, "https://news.example.com/a");
    }

    #[test]
    fn queries() {
        assert_eq!(with_query("https://a.test/p#f", "x=1"), "https://a.test/p?x=1#f");
        assert_eq!(with_query("https://a.test/p?x=0#f", "x=1&y=2"), "https://a.test/p?x=0&y=2#f");
        assert_eq!(with_query("https://a.test/p?x=0", "x=1"), "https://a.test/p?x=0");
    }
}
