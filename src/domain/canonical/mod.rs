//! What an article is known by: one canonical address for all its spellings, and, apart from it, the target.
//!
//! Guarantees that every address has an answer (what is no http address: itself), that the canonical form of a
//! canonical form is itself, and that the order of parameters does not matter. Nothing is fetched: what a page says of
//! itself is only judged here ([`Canon::believed`]).

mod amp;
mod hosts;
mod landing;
mod standing;
#[cfg(test)]
mod tests;
mod titles;
pub mod tracking;

use url::Url;

pub use hosts::{Sites, bare as bare_host, registrable};
pub use landing::Landing;
pub use standing::{Standing, standing};
pub use titles::same_story;
use tracking::{Purpose, Tracking};

/// Rounds after which an address that still changes stays as it is; real ones need one or two.
const ROUNDS: usize = 12;
/// Names of a folder's own page.
const INDEXES: [&str; 6] =
    ["index.html", "index.htm", "index.php", "index.shtml", "default.aspx", "index.jsp"];

/// Tells which addresses are one article.
#[derive(Clone, Debug, Default)]
pub struct Canon {
    tracking: Tracking,
    sites: Sites,
}

/// What an article is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The canonical address: https unless a port is given, one name for the host, no fragment, parameters in order.
    pub url: Url,
    /// The group of its host (`articles.sites`), else the host with its port if that is not the scheme's own.
    pub site: String,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What was pasted, on the newsroom's own host and in its plain form.
    pub url: Url,
    /// Names of the parameters that were dropped, as they were spelt, in order.
    pub dropped: Vec<String>,
}

impl Canon {
    /// From the lists of parameters and the newsroom's hosts.
    #[must_use]
    pub fn new(tracking: Tracking, sites: Sites) -> Canon {
        Canon { tracking, sites }
    }

    /// What the article at this address is known by.
    #[must_use]
    pub fn identity(&self, url: &Url) -> Identity {
        let mut url = without_caches(url.clone());
        let rounds = if is_http(&url) { ROUNDS } else { 0 };
        for _ in 0..rounds {
            let next = self.once(&url);
            if next == url {
                break;
            }
            url = next;
        }
        let site = self.sites.site(&url);
        Identity { url, site }
    }

    /// Where a link to this address leads: AMP and mobile forms become the plain page, tracking parameters are
    /// dropped unless `keep_params`. Everything else stays as it is: fragment, gift tokens, order.
    ///
    /// A copy in an AMP cache becomes the page, so it is this address whose host is to be looked at. Only for
    /// allowed hosts; elsewhere an address stays exactly as it is.
    #[must_use]
    pub fn target(&self, url: &Url, keep_params: bool) -> Target {
        if !is_http(url) {
            return Target { url: url.clone(), dropped: vec![] };
        }
        let mut page = without_caches(url.clone());
        let from_cache = page != *url;
        self.leave_other_makes(&mut page);
        let purposes: &[Purpose] =
            if keep_params { &[Purpose::Form] } else { &[Purpose::Form, Purpose::Tracking] };
        let mut dropped = self.tracking.take_out(&mut page, purposes);
        if page.fragment().is_some_and(amp::is_viewers) && (from_cache || !keep_params) {
            dropped.extend(names(page.fragment().unwrap_or_default()));
            page.set_fragment(None);
        }
        Target { url: page, dropped }
    }

    /// Which of the addresses that a page claims to be its own is believed: the first that is on the page's site
    /// and is a page of its own. `page` is the address that it was read at. The claim that it is what it is counts.
    #[must_use]
    pub fn believed<'a>(&self, page: &Url, claims: impl IntoIterator<Item = &'a Url>) -> Option<Identity> {
        let own = self.identity(page);
        let asks = |url: &Url| matches!(standing(url), Standing::Login | Standing::Consent);
        if asks(page) || asks(&own.url) {
            return None;
        }
        let mut claimed = claims.into_iter().filter(|claim| is_http(claim));
        claimed.find_map(|claim| {
            let claim = self.identity(claim);
            let good = claim == own || (claim.site == own.site && self.may_be(&own.url, &claim.url));
            good.then_some(claim)
        })
    }

    /// True for a parameter that tells one story from the next. A story has several pages and languages.
    #[must_use]
    pub fn identifies(&self, name: &str) -> bool {
        self.tracking.identifies(name) && name != "page" && name != "lang"
    }

    /// True if the page at `own` may be the one at `claim`, both canonical and on one site.
    fn may_be(&self, own: &Url, claim: &Url) -> bool {
        if standing(claim) != Standing::Page {
            return false;
        }
        let (own_path, claimed) = (own.path(), claim.path());
        // A claim that leaves out what tells one story from the next would make them one.
        let identifies = |url: &Url| url.query_pairs().any(|(name, _)| self.identifies(&name));
        if own_path == claimed {
            return !identifies(own) || identifies(claim);
        }
        let above = own_path.strip_prefix(claimed).is_some_and(|rest| rest.starts_with('/'));
        if above && claim.query().is_none() && !standing::is_story_like(claim) {
            return false;
        }
        // One plain word, claimed by a page below something or with a story's name, is a section.
        let one_word = claimed.matches('/').count() == 1 && !standing::is_story_like(claim);
        let deeper = own_path.matches('/').count() > 1 || standing::is_story_like(own);
        !(one_word && deeper && claim.query().is_none())
    }

    /// One round towards the canonical form.
    fn once(&self, url: &Url) -> Url {
        let mut page = without_caches(url.clone());
        page.set_fragment(None);
        if page.scheme() == "http" && page.port().is_none() {
            // Fails for no http address.
            let _ = page.set_scheme("https");
        }
        let host = match self.sites.named(&page) {
            Some(named) => named.to_owned(),
            None => hosts::bare(page.host_str().unwrap_or_default()),
        };
        set_host(&mut page, &host);
        let path = canonical_path(page.path());
        page.set_path(&path);
        self.tracking.take_out(&mut page, &[Purpose::Tracking, Purpose::View, Purpose::Form]);
        let query = page.query().map(canonical_query);
        page.set_query(query.as_deref().filter(|query| !query.is_empty()));
        page
    }

    /// From a mobile or AMP make to the plain page, as far as that is known to be there.
    fn leave_other_makes(&self, page: &mut Url) {
        let host = page.host_str().unwrap_or_default();
        if hosts::is_other_make(host)
            && let Some(named) = self.sites.named(page).map(str::to_owned)
        {
            // Only to a host that the operator named: another might not be there.
            set_host(page, &named);
        }
        let ends_in_slash = page.path().ends_with('/');
        let mut segments = segments(page.path());
        let mut changed = false;
        while amp::plain_path(&mut segments) {
            changed = true;
        }
        if changed {
            let slash = if ends_in_slash { "/" } else { "" };
            page.set_path(&format!("/{}{slash}", segments.join("/")));
        }
    }
}

/// The page behind any AMP caches. Each round makes the address shorter.
fn without_caches(mut url: Url) -> Url {
    while let Some(page) = amp::behind_cache(&url) {
        if page.as_str().len() >= url.as_str().len() {
            break;
        }
        url = page;
    }
    url
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn set_host(url: &mut Url, host: &str) {
    if !host.is_empty() && url.host_str() != Some(host) {
        // Fails only for what is no host, and then the address keeps its own.
        let _ = url.set_host(Some(host));
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// A path without AMP, index page, session and slash at its end, with the escapes that it needs.
fn canonical_path(path: &str) -> String {
    let mut segments = segments(&plain_escapes(path));
    for segment in &mut segments {
        if let Some(at) = segment.to_ascii_lowercase().find(";jsessionid=") {
            segment.truncate(at);
        }
    }
    segments.retain(|s| !s.is_empty());
    amp::plain_path(&mut segments);
    if segments.last().is_some_and(|last| INDEXES.contains(&last.to_ascii_lowercase().as_str())) {
        segments.pop();
    }
    format!("/{}", segments.join("/"))
}

/// Parameters in the order of their names and values, each once.
fn canonical_query(query: &str) -> String {
    let plain = plain_escapes(query).replace("%20", "+");
    let mut pairs: Vec<&str> = plain.split('&').filter(|pair| !pair.is_empty() && *pair != "=").collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.join("&")
}

/// Escapes in upper case, and none for characters that need none.
fn plain_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let escape = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escape.filter(|_| !rest[at + 1..].starts_with('+')) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            Some(byte) => {
                plain.push_str(&format!("%{byte:02X}"));
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn names(pairs: &str) -> impl Iterator<Item = String> {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    pairs.split('&').map(name).collect::<Vec<_>>().into_iter()
}
