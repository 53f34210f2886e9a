//! What the parameters of an address are for.
//!
//! Guarantees that a parameter which may say which article is meant is never taken for another, whatever prefixes
//! the lists have, and that what is kept stays as it was spelt: decoding and encoding again may change what a site
//! sees. Knows nothing of where the lists come from.

use std::borrow::Cow;
use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::Url;

/// What one parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Says, or may say, which article is meant.
    Article,
    /// Says where a reader came from.
    Tracking,
    /// Says what a reader gets to see of the article: a gift token, a place within it.
    View,
    /// Asks for another make of the same page: AMP, mobile.
    Form,
}

/// The lists that parameters are told apart by, as they are written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lists {
    /// The day on which somebody looked through them.
    pub dated: String,
    /// Where a reader came from.
    pub parameters: Vec<String>,
    /// What a reader gets to see.
    pub views: Vec<String>,
    /// Other makes of the page.
    pub forms: Vec<String>,
    /// Never any of these.
    pub identifying: Vec<String>,
}

/// Tells what parameters are for.
#[derive(Clone, Debug, Default)]
pub struct Tracking {
    identifying: Names,
    tracking: Names,
    views: Names,
    forms: Names,
}

/// Patterns for parameters: names, prefixes, and either with a value.
#[derive(Clone, Debug, Default)]
struct Names {
    exact: HashSet<String>,
    prefixes: Vec<String>,
    /// (name, value, the value is a prefix).
    valued: Vec<(String, String, bool)>,
}

impl Names {
    fn add(&mut self, pattern: &str) {
        let pattern = pattern.to_lowercase();
        let (name, value) = match pattern.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pattern.as_str(), None),
        };
        match (value, name.strip_suffix('*')) {
            (Some(value), _) => {
                let open = value.ends_with('*');
                self.valued.push((name.to_owned(), value.trim_end_matches('*').to_owned(), open));
            }
            (None, Some(prefix)) => self.prefixes.push(prefix.to_owned()),
            (None, None) => drop(self.exact.insert(name.to_owned())),
        }
    }

    fn of<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Names {
        let mut names = Names::default();
        patterns.into_iter().for_each(|pattern| names.add(pattern.as_ref()));
        names
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.exact.contains(name)
            || self.prefixes.iter().any(|p| name.starts_with(p))
            || self.has_value(name, value)
    }

    fn has_value(&self, name: &str, value: &str) -> bool {
        let fits = |v: &str, open: bool| if open { value.starts_with(v) } else { value == v };
        self.valued.iter().any(|(n, v, open)| n == name && fits(v, *open))
    }
}

impl Tracking {
    /// From a list of tracking parameters alone.
    pub fn new<S: AsRef<str>>(list: impl IntoIterator<Item = S>) -> Tracking {
        Tracking { tracking: Names::of(list), ..Tracking::default() }
    }

    /// From all lists, and the operator's own tracking parameters.
    #[must_use]
    pub fn from_lists(lists: &Lists, more: &[String]) -> Tracking {
        Tracking {
            identifying: Names::of(&lists.identifying),
            tracking: Names::of(lists.parameters.iter().chain(more)),
            views: Names::of(&lists.views),
            forms: Names::of(&lists.forms),
        }
    }

    /// True for a name that may say which article is meant, so that dropping it would make two stories one.
    #[must_use]
    pub fn identifies(&self, name: &str) -> bool {
        self.identifying.has(&name.to_lowercase(), "")
    }

    /// What a parameter is for; `pair` as it stands in the query.
    #[must_use]
    pub fn purpose(&self, pair: &str) -> Purpose {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (plain(name), plain(value));
        // A pattern with a value says more than a name: "page" identifies, "page=with:block-9" does not.
        if self.forms.has(&name, &value) {
            Purpose::Form
        } else if self.views.has_value(&name, &value) {
            Purpose::View
        } else if self.identifying.has(&name, &value) {
            Purpose::Article
        } else if self.tracking.has(&name, &value) {
            Purpose::Tracking
        } else if self.views.has(&name, &value) {
            Purpose::View
        } else {
            Purpose::Article
        }
    }

    /// Takes the parameters of these purposes out of the address; their names, as they were spelt, in order.
    pub fn take_out(&self, url: &mut Url, purposes: &[Purpose]) -> Vec<String> {
        let Some(query) = url.query() else { return vec![] };
        let mut dropped = vec![];
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| {
                let take = !pair.is_empty() && purposes.contains(&self.purpose(pair));
                if take {
                    dropped.push(pair.split('=').next().unwrap_or_default().to_owned());
                }
                !take
            })
            .collect();
        let rest = kept.join("&");
        url.set_query(Some(rest.as_str()).filter(|rest| !rest.is_empty()));
        dropped
    }
}

/// Decoded and in lower case, to be compared.
fn plain(text: &str) -> String {
    let decoded: Cow<'_, str> = percent_decode_str(text).decode_utf8_lossy();
    decoded.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking() -> Tracking {
        let list = |items: &[&str]| items.iter().map(|i| (*i).to_owned()).collect();
        let lists = Lists {
            dated: String::new(),
            parameters: list(&["utm_*", "fbclid", "CMP"]),
            views: list(&["gift", "page=with:*"]),
            forms: list(&["view=amp"]),
            identifying: list(&["id", "article", "page"]),
        };
        Tracking::from_lists(&lists, &list(&["a*", "mine"]))
    }

    #[test]
    fn each_parameter_has_one_purpose() {
        let table = [
            ("utm_source=x", Purpose::Tracking),
            ("UTM_Source=x", Purpose::Tracking),
            ("utm%5Fsource=x", Purpose::Tracking),
            ("fbclid", Purpose::Tracking),
            ("cmp=1", Purpose::Tracking),
            ("mine=1", Purpose::Tracking),
            ("anything=1", Purpose::Tracking),
            // The operator's a* does not take what identifies.
            ("article=1", Purpose::Article),
            ("id=4", Purpose::Article),
            ("page=2", Purpose::Article),
            ("page=with:block-9", Purpose::View),
            ("page=with%3Ablock-9", Purpose::View),
            ("gift=x", Purpose::View),
            ("view=amp", Purpose::Form),
            ("view=list", Purpose::Article),
            ("", Purpose::Article),
            ("=", Purpose::Article),
        ];
        for (pair, purpose) in table {
            assert_eq!(tracking().purpose(pair), purpose, "{pair}");
        }
        assert!(tracking().identifies("ID") && !tracking().identifies("mine"));
    }

    #[test]
    fn what_is_kept_stays_as_it_was_spelt() {
        let mut url = Url::parse("https://a.test/?z=%7e&utm_a=1&&b=c+d&Fbclid=2&z=1").unwrap();
        assert_eq!(tracking().take_out(&mut url, &[Purpose::Tracking]), ["utm_a", "Fbclid"]);
        assert_eq!(url.as_str(), "https://a.test/?z=%7e&&b=c+d&z=1");
        let mut url = Url::parse("https://a.test/?utm_a=1").unwrap();
        tracking().take_out(&mut url, &[Purpose::Tracking]);
        assert_eq!(url.as_str(), "https://a.test/");
        let mut url = Url::parse("https://a.test/p?").unwrap();
        assert!(tracking().take_out(&mut url, &[]).is_empty());
    }
}
