//! A link as it is kept in memory: what a redirect and a count need of it, in little room.
//!
//! Guarantees: a link that is alone with its code, as nearly all are, takes two allocations, its text and the rest;
//! what many links have in common is kept once; what an entry weighs never changes. Knows nothing of when it is kept.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use crate::domain::lane::{Lane, lane_of};
use crate::domain::link::{Found, Link, Status};

/// What a text or a list takes besides what is in it, about: where it is, how long it is, and its allocation's head.
const TEXT_BYTES: usize = 32;

/// What a redirect needs of a link, and what the fold needs of its article.
#[derive(Debug)]
pub struct Route {
    /// The code in its own spelling, and behind it the target: one allocation instead of two.
    text: Box<str>,
    code_len: u8,
    /// True if no other link here had the same [`Shared`] when it came: then that is weighed with it.
    brought: bool,
    /// Its lane.
    pub lane: Lane,
    /// The version at which this target was set.
    pub target_version: u32,
    /// None for a link that is simply open.
    pub life: Option<Box<Life>>,
    /// What other links have too.
    pub shared: Arc<Shared>,
}

/// What many links have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shared {
    /// 301, 302, 307 or 308.
    pub redirect_status: u16,
    /// Appends the request's query.
    pub forward_query: bool,
    /// The link's channel.
    pub channel: Option<Arc<str>>,
    /// The article's section.
    pub section: Option<Arc<str>>,
    /// The article's authors.
    pub authors: Box<[Arc<str>]>,
}

/// The parts of a link's life that most links do not have.
#[derive(Debug)]
pub struct Life {
    /// What its status is computed from.
    pub link: Arc<Link>,
    /// Its article, if that was taken back.
    pub withdrawn: Option<Withdrawn>,
    /// Its article's language, in which readers are told.
    pub language: Option<Box<str>>,
}

/// What a withdrawn article's links do instead.
#[derive(Debug)]
pub struct Withdrawn {
    /// Where they lead.
    pub replacement_url: Option<String>,
    /// What readers are told, if they lead nowhere.
    pub message: Option<String>,
}

impl Route {
    /// A link in a store of `lanes` lanes. `share` gives what is kept of something shared, and whether it is new.
    pub(super) fn new(found: &Found, lanes: u16, share: impl Fn(Shared) -> (Arc<Shared>, bool)) -> Route {
        let link = &found.link;
        let (shared, brought) = share(Shared::of(found));
        let code = link.code.as_str();
        Route {
            text: [code, &*in_ascii(link.target.as_deref().unwrap_or_default())].concat().into(),
            // At most 64: `Code` says so.
            code_len: u8::try_from(code.len()).unwrap_or(u8::MAX),
            brought,
            lane: lane_of(&link.code.key(), lanes),
            target_version: link.target_version,
            life: Life::of(found).map(Box::new),
            shared,
        }
    }

    /// The code in its own spelling.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.text[..usize::from(self.code_len)]
    }

    /// Where it leads, in visible ASCII; empty for a reserved code, and for what is no address.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.text[usize::from(self.code_len)..]
    }

    /// The link's status at `now_ms`.
    #[must_use]
    pub fn status(&self, now_ms: i64) -> Status {
        match &self.life {
            None => Status::Active,
            Some(life) => {
                let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::MAX);
                life.link.status(life.withdrawn.is_some(), now)
            }
        }
    }

    /// Bytes of its text, and of what it has besides.
    fn bytes(&self) -> usize {
        let life = self.life.as_ref().map_or(0, |life| life.bytes());
        let shared = if self.brought { self.shared.bytes() } else { 0 };
        self.text.len() + life + shared
    }
}

/// An address as a header can say it. One that was made here always is; an imported one is kept as it was written.
fn in_ascii(target: &str) -> Cow<'_, str> {
    let is_visible = |address: &str| address.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible(target) {
        return Cow::Borrowed(target);
    }
    let serialised = Url::parse(target).ok().map(String::from);
    Cow::Owned(serialised.filter(|address| is_visible(address)).unwrap_or_default())
}

impl Shared {
    fn of(found: &Found) -> Shared {
        let facts = found.article.as_ref().map(|article| &article.facts);
        let authors = facts.map(|facts| facts.authors.as_slice()).unwrap_or_default();
        Shared {
            redirect_status: found.link.redirect_status,
            forward_query: found.link.forward_query,
            channel: found.link.channel.as_deref().map(Arc::from),
            section: facts.and_then(|facts| facts.section.as_deref()).map(Arc::from),
            authors: authors.iter().map(|author| Arc::from(author.as_str())).collect(),
        }
    }

    /// What it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let names = self.authors.iter().chain(&self.channel).chain(&self.section);
        size_of::<Shared>() + TEXT_BYTES + names.map(|name| TEXT_BYTES + name.len()).sum::<usize>()
    }
}

impl Life {
    /// None for a link that is simply open.
    fn of(found: &Found) -> Option<Life> {
        let link = &found.link;
        let article = found.article.as_ref();
        let withdrawn = article.filter(|article| article.withdrawn).map(|article| Withdrawn {
            replacement_url: article.replacement_url.clone(),
            message: article.message.clone(),
        });
        let plain = withdrawn.is_none()
            && link.retired_at.is_none()
            && !link.disabled
            && link.target.is_some()
            && link.not_before.is_none()
            && link.expires_at.is_none();
        let language = article.and_then(|article| article.facts.language.as_deref()).map(Box::from);
        (!plain).then(|| Life { link: Arc::clone(link), withdrawn, language })
    }

    /// What it takes, about.
    fn bytes(&self) -> usize {
        let Link { target, added, title, channel, campaign, note, expired_url, message, .. } = &*self.link;
        let texts = [target, added, title, channel, campaign, note, expired_url, message];
        let withdrawn = self.withdrawn.iter().flat_map(|story| [&story.replacement_url, &story.message]);
        let texts = texts.into_iter().chain(withdrawn).flatten().chain(&self.link.tags);
        size_of::<Life>() + size_of::<Link>() + texts.map(|text| TEXT_BYTES + text.len()).sum::<usize>()
    }
}

/// All links of one folded code, oldest first.
#[derive(Debug)]
pub struct Routes(Kept);

/// An allocation less for a link that is alone.
#[derive(Debug)]
enum Kept {
    One(Route),
    Many(Box<[Route]>),
}

impl Routes {
    pub(super) fn new(routes: impl ExactSizeIterator<Item = Route>) -> Routes {
        let mut routes: Vec<Route> = routes.collect();
        Routes(match routes.pop() {
            Some(only) if routes.is_empty() => Kept::One(only),
            last => Kept::Many(routes.into_iter().chain(last).collect()),
        })
    }

    /// Whether they are the links of this folded code.
    pub(super) fn are_of(&self, key: &str) -> bool {
        self.all().first().is_some_and(|route| route.code().eq_ignore_ascii_case(key))
    }

    fn all(&self) -> &[Route] {
        match &self.0 {
            Kept::One(route) => std::slice::from_ref(route),
            Kept::Many(routes) => routes,
        }
    }

    /// The link that a spelling means: exactly it, else the lower-case one, else the oldest. `folded_first`
    /// tries the lower-case one before (contract 3: all-upper-case `.Q` paths).
    #[must_use]
    pub fn pick(self: Arc<Self>, code: &str, folded_first: bool) -> Option<Picked> {
        let routes = self.all();
        let exact = || routes.iter().position(|r| r.code() == code);
        let lower = || routes.iter().position(|r| !r.code().bytes().any(|b| b.is_ascii_uppercase()));
        let at = match routes.len() {
            0 => return None,
            1 => 0,
            _ if folded_first => lower().or_else(exact).unwrap_or(0),
            _ => exact().or_else(lower).unwrap_or(0),
        };
        Some(Picked { routes: self, at })
    }

    /// Bytes of their texts, and of what they have besides.
    pub(super) fn bytes(&self) -> usize {
        let more = match &self.0 {
            Kept::One(_) => 0,
            Kept::Many(routes) => size_of_val::<[Route]>(routes) + TEXT_BYTES * routes.len(),
        };
        more + self.all().iter().map(Route::bytes).sum::<usize>()
    }
}

/// One of them, to be handed on without copying it.
#[derive(Clone, Debug)]
pub struct Picked {
    routes: Arc<Routes>,
    at: usize,
}

impl Deref for Picked {
    type Target = Route;

    fn deref(&self) -> &Route {
        &self.routes.all()[self.at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::article::{Article, ArticleId};
    use crate::domain::link::tests::link;

    fn route(found: &Found) -> Route {
        Route::new(found, 1, |shared| (Arc::new(shared), false))
    }

    #[test]
    fn a_withdrawn_articles_link_knows_what_to_do_instead() {
        let id = ArticleId("a1".into());
        let story = Article::new(id, "https://a.example/".into(), "a.example".into(), Timestamp::UNIX_EPOCH);
        let found = |story: Article| Found { link: Arc::new(link("a")), article: Some(Arc::new(story)) };
        let plain = route(&found(story.clone()));
        assert!(plain.life.is_none() && plain.status(0) == Status::Active);
        let replacement_url = Some("https://b.example/".to_owned());
        let taken_back = Article { withdrawn: true, replacement_url: replacement_url.clone(), ..story };
        let route = route(&found(taken_back));
        assert_eq!(route.status(0), Status::Withdrawn);
        let instead = route.life.and_then(|life| life.withdrawn).unwrap();
        assert_eq!((instead.replacement_url, instead.message), (replacement_url, None));
    }

    #[test]
    fn a_spelling_means_itself_else_the_lower_case_one_else_the_oldest() {
        let routes = |codes: &[&str]| {
            let found = codes.iter().map(|code| Found { link: Arc::new(link(code)), article: None });
            Arc::new(Routes::new(found.map(|found| route(&found)).collect::<Vec<_>>().into_iter()))
        };
        let pick = |codes: &[&str], asked, folded| Some(routes(codes).pick(asked, folded)?.code().to_owned());
        let picked = |code: &str| Some(code.to_owned());
        assert_eq!(pick(&[], "a", false), None);
        assert_eq!(pick(&["Ab"], "aB", false), picked("Ab"));
        let two = ["AB", "ab"];
        assert_eq!((pick(&two, "AB", false), pick(&two, "aB", false)), (picked("AB"), picked("ab")));
        assert_eq!(pick(&two, "AB", true), picked("ab"));
        assert_eq!(pick(&["AB", "Ab"], "aB", false), picked("AB"));
        assert_eq!(pick(&["AB", "Ab"], "Ab", true), picked("Ab"));
    }

    #[test]
    fn an_address_is_said_in_ascii_or_not_at_all() {
        for (kept, said) in [
            ("https://a.example/%C3%9F?q#f", "https://a.example/%C3%9F?q#f"),
            ("https://a.example/stra\u{df}e 1", "https://a.example/stra%C3%9Fe%201"),
            ("no address", ""),
            ("mailto:a b\r\nSet-Cookie: c", ""),
        ] {
            let link = Link { target: Some(kept.into()), ..link("Code") };
            let route = route(&Found { link: Arc::new(link), article: None });
            assert_eq!((route.code(), route.target()), ("Code", said), "{kept:?}");
        }
    }

    #[test]
    fn a_link_alone_takes_what_it_is_said_to_take() {
        // An allocation of 64 bytes with its count and its head.
        assert_eq!((size_of::<Route>(), size_of::<Routes>()), (40, 40));
        let found = Found { link: Arc::new(link("Code")), article: None };
        let route = route(&found);
        assert_eq!((route.code(), Some(route.target())), ("Code", found.link.target.as_deref()));
        assert_eq!(route.bytes(), route.text.len());
    }
}
