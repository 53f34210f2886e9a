//! Links in this process, so that a redirect waits for nothing.
//!
//! Guarantees: bounded by bytes; an unknown code is remembered shortly and in a place of its own, so that a scan
//! cannot push links out; concurrent misses of one code are one store read; a fill that raced a change is never
//! kept (it notes its lane's generation before it reads and takes itself out again if that moved). Knows links,
//! not HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use quick_cache::{Weighter, sync};

use super::{Error, Links, Result};
use crate::domain::code::fold;
use crate::domain::lane::{Lane, lane_of};
use crate::domain::link::{Found, Link, Status};

/// Unknown codes remembered at once.
const UNKNOWN_CODES: usize = 16 * 1024;
/// What an entry takes besides its strings, roughly: map slots, counters, headers of allocations.
const ENTRY_BYTES: u64 = 200;

/// What a redirect needs of a link, and what the fold needs of its article.
#[derive(Debug)]
pub struct Route {
    /// The code in its own spelling.
    pub code: Box<str>,
    /// Its lane.
    pub lane: Lane,
    /// Where it leads; empty for a reserved code. Always a URL's own serialisation: visible ASCII.
    pub target: Bytes,
    /// The version at which this target was set.
    pub target_version: u32,
    /// 301, 302, 307 or 308.
    pub redirect_status: u16,
    /// Appends the request's query.
    pub forward_query: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// None for a link that is simply open.
    pub life: Option<Box<Life>>,
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
    pub link: Link,
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

    fn new(found: &Found, lanes: u16) -> Route {
        let link = &found.link;
        let withdrawn = found.article.as_ref().filter(|article| article.withdrawn);
        let withdrawn = withdrawn.map(|article| Withdrawn {
            replacement_url: article.replacement_url.clone(),
            message: article.message.clone(),
        });
        let plain = withdrawn.is_none()
            && link.retired_at.is_none()
            && !link.disabled
            && link.target.is_some()
            && link.not_before.is_none()
            && link.expires_at.is_none();
        let facts = found.article.as_ref().map(|a| &a.facts);
        let language = facts.and_then(|f| f.language.as_deref()).map(Box::from);
        Route {
            code: link.code.as_str().into(),
            lane: lane_of(&link.code.key(), lanes),
            target: Bytes::from(link.target.clone().unwrap_or_default()),
            target_version: link.target_version,
            redirect_status: link.redirect_status,
            forward_query: link.forward_query,
            created_ms: link.created_at.as_millisecond(),
            life: (!plain).then(|| Box::new(Life { link: Link::clone(link), withdrawn, language })),
            channel: link.channel.as_deref().map(Arc::from),
            section: facts.and_then(|f| f.section.as_deref()).map(Arc::from),
            authors: facts
                .map(|f| f.authors.iter().map(|a| Arc::from(a.as_str())).collect())
                .unwrap_or_default(),
        }
    }
}

/// All links of one folded code, oldest first; never empty.
#[derive(Debug)]
pub struct Routes(Box<[Route]>);

impl Routes {
    /// The link that a spelling means: exactly it, else the lower-case one, else the oldest. `folded_first`
    /// tries the lower-case one before (contract 3: all-upper-case `.Q` paths).
    #[must_use]
    pub fn pick(&self, code: &str, folded_first: bool) -> Option<&Route> {
        if let [only] = &*self.0 {
            return Some(only);
        }
        let exact = || self.0.iter().find(|r| &*r.code == code);
        let lower = || self.0.iter().find(|r| !r.code.bytes().any(|b| b.is_ascii_uppercase()));
        let first = if folded_first { lower().or_else(exact) } else { exact().or_else(lower) };
        first.or_else(|| self.0.first())
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Arc<Routes>> for ByBytes {
    fn weight(&self, key: &String, routes: &Arc<Routes>) -> u64 {
        let strings: usize = routes.0.iter().map(|r| r.code.len() + r.target.len()).sum();
        ENTRY_BYTES + u64::try_from(key.len() + strings).unwrap_or(u64::MAX / 2)
    }
}

/// Where an answer came from.
#[derive(Clone, Debug)]
pub enum Cached {
    /// These links have the code.
    Known(Arc<Routes>),
    /// None has it, as of a moment ago.
    Unknown,
    /// Not known here; ask with [`Cache::load`].
    Miss,
}

type KnownCache = sync::Cache<String, Arc<Routes>, ByBytes, foldhash::fast::RandomState>;
type UnknownCache = sync::Cache<String, Instant, quick_cache::UnitWeighter, foldhash::fast::RandomState>;

/// The links of this process.
pub struct Cache {
    links: Arc<dyn Links>,
    known: KnownCache,
    unknown: UnknownCache,
    unknown_for: Duration,
    deadline: Duration,
    generations: Box<[AtomicU64]>,
}

enum Absent {
    Unknown,
    Failed(Error),
}

impl Cache {
    /// A cache over `links`, of at most about `bytes`, for a store of `lanes` lanes. Unknown codes are remembered
    /// for `unknown_for`; a store read may take `deadline`.
    pub fn new(
        links: Arc<dyn Links>,
        lanes: u16,
        bytes: u64,
        unknown_for: Duration,
        deadline: Duration,
    ) -> Cache {
        let items = usize::try_from(bytes / (2 * ENTRY_BYTES)).unwrap_or(usize::MAX).clamp(64, 20_000_000);
        let hasher = foldhash::fast::RandomState::default;
        Cache {
            links,
            known: sync::Cache::with(items, bytes, ByBytes, hasher(), sync::DefaultLifecycle::default()),
            unknown: sync::Cache::with(
                UNKNOWN_CODES,
                u64::try_from(UNKNOWN_CODES).unwrap_or(u64::MAX),
                quick_cache::UnitWeighter,
                hasher(),
                sync::DefaultLifecycle::default(),
            ),
            unknown_for,
            deadline,
            generations: (0..lanes.max(1)).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// What this process knows of a code, without asking anyone.
    #[must_use]
    pub fn get(&self, code: &str) -> Cached {
        let key = fold(code);
        if let Some(routes) = self.known.get(&*key) {
            return Cached::Known(routes);
        }
        match self.unknown.get(&*key) {
            Some(until) if Instant::now() < until => Cached::Unknown,
            _ => Cached::Miss,
        }
    }

    /// Asks the store and remembers the answer; None if no link has the code.
    ///
    /// # Errors
    /// [`Error::Unavailable`] also when the deadline passes.
    pub async fn load(&self, code: &str) -> Result<Option<Arc<Routes>>> {
        let key = fold(code);
        let generation = self.generation(&key);
        let before = generation.load(Ordering::SeqCst);
        let read = async {
            let found = tokio::time::timeout(self.deadline, self.links.find(&key))
                .await
                .unwrap_or_else(|_| Err(Error::Unavailable("a look-up took too long".into())));
            match found {
                Ok(found) if found.is_empty() => Err(Absent::Unknown),
                Ok(found) => Ok(self.routes(&found)),
                Err(error) => Err(Absent::Failed(error)),
            }
        };
        let answer = self.known.get_or_insert_async(&*key, read).await;
        let unchanged = || generation.load(Ordering::SeqCst) == before;
        match answer {
            Ok(routes) => {
                if !unchanged() {
                    self.known.remove(&*key);
                }
                Ok(Some(routes))
            }
            Err(Absent::Unknown) => {
                self.unknown.insert(key.clone().into_owned(), Instant::now() + self.unknown_for);
                if !unchanged() {
                    self.unknown.remove(&*key);
                }
                Ok(None)
            }
            Err(Absent::Failed(error)) => Err(error),
        }
    }

    /// Forgets what is known of these folded codes: they changed. The generation moves first, so that a fill
    /// under way either sees it or has already put its entry where this takes it out.
    pub fn invalidate<'k>(&self, keys: impl IntoIterator<Item = &'k str>) {
        for key in keys {
            self.generation(key).fetch_add(1, Ordering::SeqCst);
            self.known.remove(key);
            self.unknown.remove(key);
        }
    }

    /// Forgets everything: what changed is not known.
    pub fn clear(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::SeqCst);
        }
        self.known.clear();
        self.unknown.clear();
    }

    /// Links kept, and their estimated bytes.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.known.len(), self.known.weight())
    }

    /// How many lanes the store has, without the site lane.
    #[must_use]
    pub fn lanes(&self) -> u16 {
        u16::try_from(self.generations.len()).unwrap_or(u16::MAX)
    }

    /// What these links look like here, without keeping it.
    #[must_use]
    pub fn routes(&self, found: &[Found]) -> Arc<Routes> {
        Arc::new(Routes(found.iter().map(|f| Route::new(f, self.lanes())).collect()))
    }

    fn generation(&self, key: &str) -> &AtomicU64 {
        &self.generations[usize::from(lane_of(key, self.lanes()))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::article::{Article, ArticleId};
    use crate::domain::link::tests::link;

    #[test]
    fn a_withdrawn_articles_link_knows_what_to_do_instead() {
        let id = ArticleId("a1".into());
        let story = Article::new(id, "https://a.example/".into(), "a.example".into(), Timestamp::UNIX_EPOCH);
        let found = |story: Article| Found { link: Arc::new(link("a")), article: Some(Arc::new(story)) };
        let plain = Route::new(&found(story.clone()), 1);
        assert!(plain.life.is_none() && plain.status(0) == Status::Active);
        let replacement_url = Some("https://b.example/".to_owned());
        let taken_back = Article { withdrawn: true, replacement_url: replacement_url.clone(), ..story };
        let route = Route::new(&found(taken_back), 1);
        assert_eq!(route.status(0), Status::Withdrawn);
        let instead = route.life.and_then(|life| life.withdrawn).unwrap();
        assert_eq!((instead.replacement_url, instead.message), (replacement_url, None));
    }
}
