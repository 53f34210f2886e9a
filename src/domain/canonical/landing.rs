//! What redirects say: whether the page that an address led to is its story.
//!
//! Guarantees that no story becomes one with a page that stands before many (login, consent, an offer) or above them
//! (home, a list), whatever status it was reached by. Judged by addresses, and by whether the page looks like a story.

use url::Url;

use super::{Canon, Identity, Standing, standing};

/// Where redirects led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// To the story, which is known by this address too. Without redirects it is the address itself.
    Story(Identity),
    /// To a page of another site, or one that is not enough like a story: what it says is good, its address is not
    /// the story's.
    Elsewhere,
    /// To a page that is not what was asked for: nothing on it is about the story.
    Between(&'static str),
}

impl Canon {
    /// Judges where `asked` led to. `sure`: by permanent redirects only, or the page says of itself that it is a story.
    #[must_use]
    pub fn landing(&self, asked: &Url, at: &Url, sure: bool) -> Landing {
        let (form, here) = (self.identity(asked), self.identity(at));
        if here.url == form.url {
            return Landing::Story(here);
        }
        let stands = [standing(at), standing(&here.url)];
        if stands.contains(&Standing::Consent) {
            return Landing::Between("it leads to a page that asks for consent");
        }
        if stands.contains(&Standing::Login) || names(at, asked) {
            return Landing::Between("it leads to a page that asks who the reader is");
        }
        if standing(&form.url) != Standing::Page {
            // What a home page or a list leads to today, it does not lead to tomorrow.
            return Landing::Elsewhere;
        }
        match standing(&here.url) {
            Standing::Home => return Landing::Between("it leads to a home page"),
            Standing::Section => return Landing::Between("it leads to a list of stories"),
            Standing::Page | Standing::Login | Standing::Consent => {}
        }
        let last = |url: &Url| url.path().rsplit('/').next().unwrap_or_default().to_owned();
        let is_story = sure || standing::is_story_like(&here.url) || last(&form.url) == last(&here.url);
        if here.site == form.site && is_story { Landing::Story(here) } else { Landing::Elsewhere }
    }
}

/// True if a parameter of `at` holds the way back to `asked`: a page in between.
fn names(at: &Url, asked: &Url) -> bool {
    let path = asked.path().trim_end_matches('/');
    // Encoded once is the usual way, twice is not rare.
    let twice = percent_encoding::percent_decode_str;
    path.len() > 1
        && at.path().trim_end_matches('/') != path
        && at
            .query_pairs()
            .any(|(_, value)| value.contains(path) || twice(&value).decode_utf8_lossy().contains(path))
}

#[cfg(test)]
mod tests {
    use super::super::Sites;
    use super::super::tracking::Tracking;
    use super::*;

    #[test]
    fn where_redirects_lead() {
        let hosts = ["www.daily.example".to_owned(), "daily.test".to_owned()];
        let sites = Sites::new([("daily", hosts.as_slice())], &[]).unwrap();
        let canon = Canon::new(Tracking::new(["utm_*"]), sites);
        let story = "https://www.daily.example/world/the-river-rises";
        let own = |url: &str| Some(Some(url.to_owned()));
        // (asked, at, sure, the story's address; None for elsewhere; in between)
        let table = [
            (story, "http://daily.example/world/the-river-rises/?utm_x=1", false, own(story)),
            ("https://www.daily.example/p/77", story, false, own(story)),
            ("https://daily.test/p/77", story, false, own(story)),
            (
                "https://www.daily.example/a/river",
                "https://www.daily.example/b/river",
                false,
                own("https://www.daily.example/b/river"),
            ),
            (
                "https://www.daily.example/a/7",
                "https://www.daily.example/b/river",
                true,
                own("https://www.daily.example/b/river"),
            ),
            ("https://www.daily.example/a/7", "https://www.daily.example/b/river", false, Some(None)),
            (story, "https://www.daily.example/offers/premium", false, Some(None)),
            (story, "https://other.example/world/the-river-rises", true, Some(None)),
            ("https://www.daily.example/", story, true, Some(None)),
            ("https://www.daily.example/live", story, true, Some(None)),
            ("https://www.daily.example/", "https://www.daily.example/en/", true, Some(None)),
            (story, "https://www.daily.example/", true, None),
            (story, "https://www.daily.example/en-gb/", true, None),
            (story, "https://www.daily.example/world", true, None),
            (story, "https://www.daily.example/login", true, None),
            (story, "https://consent.daily.example/collect?id=1", true, None),
            (
                story,
                "https://wall.test/x?to=https%3A%2F%2Fwww.daily.example%2Fworld%2Fthe-river-rises",
                true,
                None,
            ),
            (story, "https://www.daily.example/wall-2026.html?to=%252Fworld%252Fthe-river-rises", true, None),
            ("https://www.daily.example/", "https://www.daily.example/consent", true, None),
        ];
        for (asked, at, sure, expected) in table {
            let url = |text: &str| Url::parse(text).unwrap();
            let found = match canon.landing(&url(asked), &url(at), sure) {
                Landing::Story(identity) => Some(Some(identity.url.to_string())),
                Landing::Elsewhere => Some(None),
                Landing::Between(_) => None,
            };
            assert_eq!(found, expected, "{asked} to {at}");
        }
    }
}
